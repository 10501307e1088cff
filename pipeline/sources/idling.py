"""Which packets of a stream are decoded while nothing happens there: pure, time is an argument."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto

LONGEST_S = 4.5
"""A group of pictures that lasts longer is decoded whole: nobody would look for so long, and after
5 s without a picture a camera counts as having broken off."""
MOST_PACKETS = 300
MOST_BYTES = 8_000_000
"""So much of a group is kept, to be decoded after all: 4 s of 16 Mbit/s."""
JUDGED_BY = 3
"""Groups, the newest, by which it is foretold whether the next one can be kept."""


class Step(Enum):
    """What is done with a packet."""

    DECODE = auto()
    """It is decoded, as the one before it was."""
    ALONE = auto()
    """It is a keyframe, and decoded by itself: what follows is kept."""
    KEEP = auto()
    """It is kept, and decoded if the rest of its group is to be."""
    CATCH_UP = auto()
    """What was kept of its group is decoded, and it as well."""


class Unfit(StrEnum):
    """Why a stream is decoded whole whatever is wanted, as the end of a sentence."""

    SELDOM = "its keyframes come too seldom; set its I-frame interval to 1 to 2 s"
    LARGE = "too much lies between its keyframes; set its I-frame interval to 1 to 2 s"
    UNTIMED = "its packets do not each have a time of their own"
    DEPENDENT = "its keyframes cannot be decoded alone"


@dataclass(slots=True)
class _Group:
    """A keyframe's packet and what follows it, up to the next keyframe."""

    began: float
    packets: int = 0
    size: int = 0
    times: set[int] = field(default_factory=set)
    untimed: bool = False
    unfit: Unfit | None = None
    """Which those to come will be as well."""

    def add(self, size: int, pts: int | None, at: float, longest_s: float) -> None:
        self.packets += 1
        self.size += size
        if at - self.began > longest_s:
            self.unfit = Unfit.SELDOM
        elif self.packets > MOST_PACKETS or self.size > MOST_BYTES:
            self.unfit = self.unfit or Unfit.LARGE
        if self.unfit is not None:
            self.times.clear()
        elif pts is None or pts in self.times:
            self.untimed = True
        else:
            self.times.add(pts)


class Idling:
    """Decides what is decoded of a stream. Each group of pictures is decoded either whole or not
    beyond its keyframe: this one, if only keyframes are `wanted` when it comes; but what was kept
    of it is decoded as soon as all pictures are wanted again, or it can be kept no longer.

    Groups are kept only where those before it were all fit for it (`unfit` says why not): shorter
    than `longest_s`, not too large, each packet with a presentation time of its own, by which
    pictures are told apart, and a keyframe that needs nothing else. `wanted` may be set by any
    thread.
    """

    def __init__(self, longest_s: float = LONGEST_S) -> None:
        self.wanted = False
        self.idle = False
        """Whether the group that is being read is not decoded beyond its keyframe."""
        self.unfit: Unfit | None = None
        self._longest_s = longest_s
        self._group: _Group | None = None
        self._ended: deque[Unfit | None] = deque(maxlen=JUDGED_BY)
        self._dependent = False

    def step(self, *, keyframe: bool, size: int, pts: int | None, at: float) -> Step:
        """What is done with the next packet in decoding order: of `size` bytes, shown at `pts` in
        ticks, and captured `at`, in seconds."""
        ended = self._group
        if keyframe:
            if ended is not None:
                self._ended.append(ended.unfit)
            self._group = _Group(at)
        if self._group is None:
            return Step.DECODE
        self._group.add(size, pts, at, self._longest_s)
        self.unfit = self._why_not(self._group)
        may = self.wanted and self.unfit is None
        if keyframe:
            # where nothing but keyframes comes there is nothing to save
            self.idle = may and ended is not None and ended.packets > 1
            return Step.ALONE if self.idle else Step.DECODE
        if not self.idle:
            return Step.DECODE
        self.idle = may
        return Step.KEEP if may else Step.CATCH_UP

    def refuse(self) -> None:
        """A keyframe gave no picture when it was decoded alone: none is any more."""
        self._dependent = True
        self.unfit, self.idle = Unfit.DEPENDENT, False

    def _why_not(self, group: _Group) -> Unfit | None:
        if self._dependent:
            return Unfit.DEPENDENT
        lasting = group.unfit or next((unfit for unfit in self._ended if unfit), None)
        # of an RTSP camera's packets often only the first has no time
        return lasting or (Unfit.UNTIMED if group.untimed and self._ended else None)
