"""What tests of running pipelines share: waiting for something, and looking at processes."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

import pipeline

ROOT = Path(pipeline.__file__).parent.parent

SMALL = {"detect": {"fps": 4, "size": 320}}
"""Enough to find the one large person of the made film, and quick."""


def until(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """The first true value of `condition`, or a failure after so many seconds."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        pause.wait(0.02)
    return value


def gone(pid: int) -> bool:
    """Whether no process has this number any more, or only its remains."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


def descendants(pid: int) -> set[int]:
    """The processes that a process has started, and those that they have."""
    parents: dict[int, int] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                stat = Path(entry.path, "stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found: set[int] = set()
    fresh = {pid}
    while fresh:
        fresh = {child for child, parent in parents.items() if parent in fresh} - found
        found |= fresh
    return found


def command(*arguments: str) -> list[str]:
    """The command line of `vigil`."""
    return [sys.executable, "-m", "pipeline", *arguments]


def environment(**extra: str) -> dict[str, str]:
    """The environment of a user in front of a wide terminal."""
    return {
        **os.environ,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ['PYTHONPATH']}",
        "COLUMNS": "200",
        **extra,
    }


def missing(what: str) -> NoReturn:
    """A system service is absent: a skip on a laptop, a failure where CI=true."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing on this machine")
    pytest.skip(f"{what} is missing on this machine")
