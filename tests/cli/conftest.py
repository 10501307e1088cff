"""Runs the command as a user does."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from running import command, environment

Vigil = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def vigil(tmp_path: Path) -> Vigil:
    """Run `vigil ARGUMENTS` in an empty folder; no run may print a traceback or a password."""

    def run(*arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command(*arguments),
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert "Traceback" not in done.stderr + done.stdout
        assert "sesame" not in done.stderr + done.stdout
        return done

    return run
