"""The files in a camera's video folder: their names hold when they were begun.

On the host's clock, by which they sort, and in `monotonic` seconds, which tell the files of one
hour from those of the same hour once more, after the clock was set back:
`<milliseconds since 1970>[-<recording>][-<boot>-<milliseconds since>].<kind>`.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pipeline.clock import HostClock, boot

INDEX = ".idx"
TRACKS = ".tracks"
VIDEO = (".mp4", ".mkv")

SETTLED_NS = 1_000_000_000
"""A folder's time of change is coarse: one that has just changed may do so again unseen."""


class Begun(NamedTuple):
    """When a file was begun; `boot` and `monotonic` are None of files of earlier versions."""

    at: datetime
    boot: str | None
    monotonic: float | None

    def on(self, clock: HostClock | None) -> datetime:
        """The moment as a setting of the host's clock calls it, if that can be known."""
        if clock is None or self.monotonic is None or self.boot != clock.boot:
            return self.at
        return clock.at(self.monotonic)

    def elsewhere(self, clock: HostClock | None) -> bool:
        """Whether it was in another boot, the seconds of which have nothing to do with these."""
        return clock is not None and self.boot not in (None, clock.boot)


def begun(name: str) -> Begun | None:
    """When what a file holds was begun; None if it is none of these files."""
    at = stamped(name)
    if at is None:
        return None
    _, *parts = name.partition(".")[0].split("-")
    match parts[-2:]:
        case [host, passed] if len(passed) == 12 and passed.isdecimal():
            return Begun(at, host, int(passed) / 1000)
    return Begun(at, None, None)


def file_name(at: datetime, monotonic: float | None, recording: str | None = None) -> str:
    """How a file is called that is begun at this moment, without its kind."""
    host = boot()
    since = None
    if host is not None and monotonic is not None and monotonic >= 0:
        since = f"{host}-{round(monotonic * 1000):012d}"
    return "-".join(part for part in (stamp(at), recording, since) if part)


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
