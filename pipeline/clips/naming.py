"""The files in a camera's video folder: their names sort by time, and hold it."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

INDEX = ".idx"
TRACKS = ".tracks"
VIDEO = (".mp4", ".mkv")

SETTLED_NS = 1_000_000_000
"""A folder's time of change is coarse: one that has just changed may do so again unseen."""


def stamp(at: datetime) -> str:
    """How a name begins: milliseconds since 1970, in 14 digits."""
    return f"{round(at.timestamp() * 1000):014d}"


def stamped(name: str) -> datetime | None:
    """When what a file holds began; None if it is none of these files."""
    digits = name[:14]
    if not digits.isdecimal() or len(digits) < 14:
        return None
    return datetime.fromtimestamp(int(digits) / 1000, UTC)


class Listing:
    """The names in a camera's folder, sorted; read again when the folder has changed, since a
    folder of continuous video holds thousands and is asked for several times a second."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: list[str] = []
        self._changed_ns = -1

    def names(self, *suffixes: str) -> list[str]:
        """The names that end so, the oldest first; none if there is no folder."""
        try:
            changed_ns = self._folder.stat().st_mtime_ns
            if changed_ns != self._changed_ns:
                self._read(changed_ns)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [name for name in self._names if name.endswith(suffixes)]

    def _read(self, changed_ns: int) -> None:
        settled = time.time_ns() - changed_ns > SETTLED_NS
        with os.scandir(self._folder) as entries:
            self._names = sorted(e.name for e in entries if e.name[:14].isdecimal())
        self._changed_ns = changed_ns if settled else -1


def listed(folder: Path, suffix: str) -> list[Path]:
    """The files of a kind, the oldest first; none if there is no folder."""
    return [folder / name for name in Listing(folder).names(suffix)]
