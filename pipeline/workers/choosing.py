"""Which frames of a camera are looked at: a pure function, with time as an argument."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from pipeline.types import Frame

EARLY = 0.1
"""A frame that comes this share of a period early is still the one that is due."""


class Policy(StrEnum):
    """What becomes of frames that come while an earlier one is still being looked at."""

    NEWEST = "newest"
    """Of a live camera: the newest is looked at next, those in between are `replaced`."""
    EVERY = "every"
    """Of a film: the reader waits, so that each one that is due is looked at."""


class Skipped(StrEnum):
    """Why a frame is not looked at."""

    SEEN_BEFORE = "seen_before"
    """A film's, that was looked at before this worker was started again."""
    FROZEN = "frozen"
    """The camera sends the same pictures over and over."""
    NOT_DUE = "not_due"
    """The camera sends more frames than are to be looked at."""


@dataclass(frozen=True, slots=True)
class Pace:
    """At most one look in `period_s` seconds of the frames' own time; the next is due at `due`.

    Frames up to `seen_until`, in seconds of a film's own time, were looked at before.
    """

    period_s: float
    due: float = float("-inf")
    seen_until: float | None = None


def choose(
    pace: Pace, monotonic: float, pts: float, *, discontinuity: bool, frozen: bool
) -> tuple[Skipped | None, Pace]:
    """Why a frame of these times is not looked at, or None, and the pace from then on."""
    if pace.seen_until is not None and pts <= pace.seen_until:
        return Skipped.SEEN_BEFORE, pace
    if frozen:
        return Skipped.FROZEN, pace
    if monotonic < pace.due - EARLY * pace.period_s and not discontinuity:
        return Skipped.NOT_DUE, pace
    behind = monotonic - pace.due > pace.period_s
    due = (monotonic if behind else pace.due) + pace.period_s
    return None, replace(pace, due=due)


class Pacer:
    """Keeps the pace from frame to frame, where there is nothing else to skip for."""

    def __init__(self, fps: float) -> None:
        self._pace = Pace(1.0 / fps)

    def due(self, frame: Frame) -> bool:
        """Whether this frame is looked at."""
        skipped, self._pace = choose(
            self._pace,
            frame.monotonic,
            frame.pts,
            discontinuity=frame.discontinuity,
            frozen=False,
        )
        return skipped is None
