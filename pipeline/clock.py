"""Wall-clock time that goes on evenly while somebody sets the host's clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache
from pathlib import Path
from typing import Self

from pipeline.event import Wire

STEP_S = 0.25
"""A host's clock that differs by more was set; by less, it is followed slowly."""
SLEW = 0.01
"""How fast, in seconds per second."""
LOOK_S = 0.25
"""How often the host's clock is looked at."""
PROMPT_S = 0.02
"""Two clocks that are read within so long are read at once."""

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def utc_now() -> datetime:
    return datetime.now(UTC)


def local_time(moment: datetime, zone: tzinfo | None) -> datetime:
    """A moment in a time zone, None for this machine's own, with the offset that holds then.

    With a zone that changes its offset Python adds seconds to what the clocks on the wall show: in
    the night in which they are changed that is an hour wrong.
    """
    local = moment.astimezone(zone)
    return local.replace(tzinfo=timezone(local.utcoffset() or timedelta()), fold=0)


@cache
def boot() -> str | None:
    """Names the start of this machine that monotonic seconds count from; None where the system
    does not tell."""
    try:
        return _BOOT.read_text().replace("-", "")[:8] or None
    except OSError:
        return None


class HostClock(Wire):
    """How the host's clock was set: so many seconds lay between its time, counted from 1970, and
    the `monotonic` seconds of the start `boot` of the machine.

    A moment on one setting is another time on another; seconds of different boots have nothing to
    do with each other.
    """

    boot: str
    offset_s: float

    @classmethod
    def of(cls, at: datetime, monotonic: float) -> Self | None:
        """The setting by which a monotonic moment was `at`; None where no boot is known."""
        name = boot()
        return None if name is None else cls(boot=name, offset_s=at.timestamp() - monotonic)

    def at(self, monotonic: float) -> datetime:
        """What time it was."""
        return datetime.fromtimestamp(monotonic + self.offset_s, UTC)

    def told(self, at: datetime, by: HostClock | None) -> datetime:
        """A moment that another setting calls `at`, as this one does, if that can be known."""
        if by is None or by.boot != self.boot:
            return at
        return at + timedelta(seconds=self.offset_s - by.offset_s)


def offset_s(monotonic: Callable[[], float], now: Callable[[], datetime]) -> float | None:
    """Seconds between two clocks; None if they could not be read at once."""
    before = monotonic()
    wall = now().timestamp()
    after = monotonic()
    return None if after - before > PROMPT_S else wall - (before + after) / 2


class WallClock:
    """The time of day as one process shows it; threads may share it.

    It is the monotonic time plus an offset. That follows the host's clock by at most `SLEW`, so
    that a correction neither repeats nor leaves out a moment, or at once where the host's clock
    was set by more than `STEP_S`.
    """

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._monotonic, self._now = monotonic, now
        self._lock = threading.Lock()
        self._looked = monotonic()
        self._offset = now().timestamp() - self._looked

    def at(self, monotonic: float) -> datetime:
        """What time it is at a monotonic moment of about now."""
        with self._lock:
            if monotonic - self._looked >= LOOK_S:
                self._follow(monotonic - self._looked)
                self._looked = monotonic
            return datetime.fromtimestamp(monotonic + self._offset, UTC)

    def _follow(self, elapsed_s: float) -> None:
        host = offset_s(self._monotonic, self._now)
        if host is None:
            return
        difference = host - self._offset
        if abs(difference) > STEP_S:
            self._offset = host
        else:
            most = SLEW * elapsed_s
            self._offset += min(max(difference, -most), most)
