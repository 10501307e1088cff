"""Fixtures for all tests. No test leaves this machine: see network_guard."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import network_guard
import pytest

TESTS = Path(__file__).resolve().parent
_notes = Path(tempfile.mkdtemp(prefix="vigil-test-")) / "connections"
os.environ[network_guard.NOTES] = str(_notes)
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(TESTS / "guard"), os.environ.get("PYTHONPATH")])
)
# Nothing a person has on this machine may change a test, and no test may change it.
for _name in ("STATE", "CACHE", "DATA", "CONFIG", "RUNTIME"):
    _key = "XDG_RUNTIME_DIR" if _name == "RUNTIME" else f"XDG_{_name}_HOME"
    os.environ[_key] = str(_notes.parent / _name.lower())
    (_notes.parent / _name.lower()).mkdir(mode=0o700)
network_guard.install()


def missing(what: str) -> None:
    """A system service is absent: a skip on a laptop, a failure where CI=true."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing on this machine")
    pytest.skip(f"{what} is missing on this machine")


@pytest.fixture(scope="session", autouse=True)
def _nothing_leaves_this_machine() -> Iterator[None]:
    yield
    assert not _notes.exists(), f"outbound connections were tried:\n{_notes.read_text()}"


@pytest.fixture(scope="session")
def media() -> Path:
    """The folder of shared test media."""
    folder = Path(os.environ.get("VIGIL_TEST_MEDIA", TESTS.parent.parent / "shared" / "media"))
    if not folder.is_dir():
        pytest.skip(f"there are no test media at {folder}; name the folder in VIGIL_TEST_MEDIA")
    return folder
