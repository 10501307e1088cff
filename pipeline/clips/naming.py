"""The files in a camera's video folder: their names sort by time, and hold it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

INDEX = ".idx"
TRACKS = ".tracks"


def stamp(at: datetime) -> str:
    """How a name begins: milliseconds since 1970, in 14 digits."""
    return f"{round(at.timestamp() * 1000):014d}"


def stamped(name: str) -> datetime | None:
    """When what a file holds began; None if it is none of these files."""
    digits = name[:14]
    if not digits.isdecimal() or len(digits) < 14:
        return None
    return datetime.fromtimestamp(int(digits) / 1000, UTC)


def listed(folder: Path, suffix: str) -> list[Path]:
    """The files of a kind, the oldest first; none if there is no folder."""
    try:
        # Names alone: a folder of continuous video holds thousands.
        with os.scandir(folder) as entries:
            names = [
                entry.name
                for entry in entries
                if entry.name.endswith(suffix) and entry.name[:14].isdecimal()
            ]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [folder / name for name in sorted(names)]
