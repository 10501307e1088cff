"""Fixtures for tests of the page."""

from __future__ import annotations

from conftest_web import installation, page

__all__ = ["installation", "page"]
