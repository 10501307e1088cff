"""From a stream's presentation times to the three times of a frame."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

FORWARD_JUMP_S = 2.0
"""A presentation time this much later than explained is a jump."""
BACKWARD_JUMP_S = 0.5
"""Smaller steps back are a camera setting its clock, or B-frames out of order: no jump."""
LONGEST_GAP_S = 3600.0
"""A film's time that leaps further ahead is damage, not a gap: believed, it would end the date's
range."""
DEFAULT_PERIOD_S = 1 / 25


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """Where time comes from: `monotonic` in seconds, `now` as wall-clock UTC."""

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = utc_now


class Stamp(NamedTuple):
    """The times of one frame; see `pipeline.types.Frame`."""

    captured_at: datetime
    monotonic: float
    pts: float
    discontinuity: bool


class Timeline:
    """Gives each frame of one opened stream its times, and finds jumps.

    A live stream's frames get the time of their arrival. A film's frames get the time since the
    film's first frame, added to the time at which it was opened: whatever is measured in a film
    is then the same however fast it is read.
    """

    def __init__(self, *, live: bool, rate: float | None, clock: Clock) -> None:
        self._live = live
        # a rate may be claimed by dividing the pictures by damaged times
        self._period = 1 / rate if rate and rate >= 1 / LONGEST_GAP_S else DEFAULT_PERIOD_S
        # a film of one frame every ten seconds does not jump at each of them
        self._forward = max(FORWARD_JUMP_S, 4 * self._period)
        self._opened_at = clock.now()
        self._opened = clock.monotonic()
        self._last: Stamp | None = None
        self._arrival = self._opened
        self._origin = 0.0

    def stamp(self, pts: float | None, arrival: float, arrived_at: datetime) -> Stamp:
        """The times of the next frame.

        `pts` is in seconds, or None where the stream gives none (an RTSP camera's first frame, a
        raw H.264 file): then it is one frame period after the last. `arrival` and `arrived_at`
        are when its packet came.
        """
        last = self._last
        if pts is None:
            pts = last.pts + self._period if last else 0.0
        if last is None:
            jump = True
            self._origin = pts
        else:
            step = pts - last.pts
            explained = arrival - self._arrival if self._live else 0.0
            jump = step < -BACKWARD_JUMP_S or step - explained > self._forward
        self._arrival = arrival
        if self._live:
            monotonic = max(arrival, last.monotonic) if last else arrival
            self._last = Stamp(arrived_at, monotonic, pts, jump)
        else:
            self._last = self._film_stamp(pts, last, jump)
        return self._last

    def _film_stamp(self, pts: float, last: Stamp | None, jump: bool) -> Stamp:
        seam = last is not None and not 0 <= pts - last.pts <= LONGEST_GAP_S
        if last is not None and seam and jump:
            # time goes on from the last frame, since it never runs backwards
            self._origin = pts - (last.monotonic - self._opened) - self._period
        elapsed = pts - self._origin
        if last is not None:
            elapsed = max(elapsed, last.monotonic - self._opened)
        captured_at = self._opened_at + timedelta(seconds=elapsed)
        return Stamp(captured_at, self._opened + elapsed, pts, jump)
