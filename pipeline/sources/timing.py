"""From a stream's presentation times to the times of its packets and frames."""

from __future__ import annotations

import math
import time
from bisect import bisect_left, insort
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from pipeline.clock import WallClock, utc_now
from pipeline.sources.delay import Delay

FORWARD_JUMP_S = 2.0
"""A presentation time this much later than explained is a jump."""
BACKWARD_JUMP_S = 0.5
"""Smaller steps back are a camera setting its clock, or B-frames out of order: no jump."""
MOST_REORDERED = 16
"""So many pictures may be sent before one that is shown before them (H.264, A.3.1)."""
LONGEST_GAP_S = 3600.0
"""A film's time that leaps further ahead is damage, not a gap: believed, it would end the date's
range."""
DEFAULT_PERIOD_S = 1 / 25
LEAST_STEP_S = 0.001
"""What has to be later than something else is later by this."""
LEAST_MOMENT_S = 0.000_02
"""And was captured so much later: what came at once must not reach into the future."""
SAME_S = 1e-6
LEAP_S = 0.5
"""A camera's clock that moves by so much against its own presentation times was set."""
DISBELIEF_S = 15.0
"""And is not believed for so long: three times what lies between two reports, mostly."""
LATEST_S = 5.0
"""A picture that is later than this by the camera's clock alone is not: that clock is wrong."""
REMEMBERED = 64
"""More packets than any decoder holds back."""
KEPT = 300
"""And so many more may be kept back before they are decoded at all."""


@dataclass(frozen=True)
class Clock:
    """Where time comes from: `monotonic` in seconds, `now` as the host's clock shows it. `wall` is
    the time of day of what was captured.

    Streams of one camera share one, so that they agree: `reports` is the delay against the clock of
    the camera itself.
    """

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = utc_now
    reports: Delay = field(default_factory=Delay)
    wall: WallClock = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "wall", WallClock(self.monotonic, self.now))


class Stamp(NamedTuple):
    """The times of one frame or packet; see `pipeline.types.Frame`."""

    captured_at: datetime
    monotonic: float
    pts: float
    discontinuity: bool


class _Placed(NamedTuple):
    """Which moment belongs to which presentation time."""

    pts: float
    monotonic: float


class Timeline:
    """Gives what one opened stream sends its times, and finds jumps.

    `pts` is a clock of the stream's own that only goes on: the times that the stream gives, moved
    where they jump, repeat, run backwards or are missing, so that no two pictures have the same.
    Packets come in decoding order and may lie before earlier ones; their pictures have their times.

    When a film's picture was captured is the time since its first one, added to when it was
    opened: whatever is measured in a film is then the same however fast it is read. A live
    stream's was captured at

        pts + delay,    delay = min(arrival - pts)

    over the last 30 to 60 s (see `Delay`): the smallest is that of a picture that waited nowhere.
    Where the camera says when it took a picture (RTCP sender reports, RFC 3550), that moment takes
    the place of `pts`, and the delay is that against the camera's clock (`Clock.reports`), which is
    shared by the camera's streams, so that what was taken at once has one time, however it came.
    """

    def __init__(self, *, live: bool, rate: float | None, clock: Clock) -> None:
        self._live = live
        # a rate may be claimed by dividing the pictures by damaged times
        self._period = 1 / rate if rate and rate >= 1 / LONGEST_GAP_S else DEFAULT_PERIOD_S
        # a film of one frame every ten seconds does not jump at each of them, nor is a picture
        # misplaced that is sent after all those that refer to it
        self._reorder = max(BACKWARD_JUMP_S, MOST_REORDERED * self._period)
        self._forward = max(FORWARD_JUMP_S, (MOST_REORDERED + 1) * self._period)
        self._clock = clock
        self._opened = clock.monotonic()
        self._opened_at = clock.wall.at(self._opened)
        self._delay = Delay()
        self._placed: list[_Placed] = []
        self._first: float | None = None
        self._arrival = self._opened
        self._shift = 0.0
        self._timed = False
        self._repeats = 0
        self._ahead: float | None = None
        self._believed_from = -math.inf
        self._dts = -math.inf
        self._reorders = self._set_back = False
        self._sent: list[tuple[float | None, Stamp]] = []
        self._shown: Stamp | None = None
        self._jumped = False

    def sent(
        self,
        pts: float | None,
        arrival: float,
        *,
        dts: float | None = None,
        taken: float | None = None,
    ) -> Stamp:
        """The times of the next packet, in decoding order.

        `pts` and `dts` are in seconds, or None where the stream gives none (an RTSP camera's first
        packet, a raw H.264 file): then it is one frame period after the last. `arrival` is when it
        came, and `taken` when its picture was taken by the camera's own clock, if it says so.
        """
        # Decoding times only rise: one that does not is of a clock that was set back.
        rises = dts is None or dts + self._shift > self._dts
        # Since it was set back, FFmpeg gives B-frames their presentation times for decoding times.
        in_order = rises or (self._set_back and _same(dts, pts))
        self._reorders |= dts is not None and pts is not None and dts < pts - SAME_S
        back_s = self._reorder if in_order and dts is not None else BACKWARD_JUMP_S
        stamp = self._next(pts, arrival, taken, may_be_before=in_order, back_s=back_s)
        if stamp.discontinuity:
            self._set_back = self._reorders and not rises
            # Decoding times that FFmpeg works out leap some packets later than those they are
            # taken from: what came before a jump says nothing about what follows it.
            self._dts = -math.inf
        if dts is not None:
            self._dts = max(dts + self._shift, self._dts)
        self._sent.append((pts, stamp))
        del self._sent[: -REMEMBERED - KEPT]
        return stamp

    def never_shown(self, stamps: Collection[Stamp]) -> None:
        """The pictures of these packets are not going to be shown: what jumped with them, jumps
        with the next that is."""
        self._sent = [item for item in self._sent if item[1] not in stamps]
        self._jumped |= any(stamp.discontinuity for stamp in stamps)

    def stamp(self, pts: float | None, arrival: float) -> Stamp:
        """The times of the next frame, in the order of presentation: those of its packet, where
        `sent` was told of it."""
        found = self._of_packet(pts) if self._sent else self._next(pts, arrival)
        last = self._shown
        if last is not None and (found.pts <= last.pts or found.monotonic <= last.monotonic):
            # a camera that has set its clock back a little, in the middle of a group of pictures
            found = self._at(
                max(found.pts, last.pts + LEAST_STEP_S),
                max(found.monotonic, last.monotonic + LEAST_MOMENT_S),
                found.discontinuity,
            )
        found = found._replace(discontinuity=found.discontinuity or self._jumped)
        self._jumped = False
        self._shown = found
        return found

    def _of_packet(self, pts: float | None) -> Stamp:
        """The packet's times whose picture is shown next; what lies before it never will be."""
        by_time = (n for n, (sent, _) in enumerate(self._sent) if _same(sent, pts))
        # a decoder may give a picture another time than its packet had, but keeps the order
        oldest = min(range(len(self._sent)), key=lambda n: self._sent[n][1].pts)
        own, found = self._sent.pop(next(by_time, oldest))
        passed = [item for item in self._sent if _is_passed(item, own, found)]
        self._sent = [item for item in self._sent if item not in passed]
        return found._replace(
            discontinuity=found.discontinuity or any(stamp.discontinuity for _, stamp in passed)
        )

    def _next(
        self,
        given: float | None,
        arrival: float,
        taken: float | None = None,
        *,
        may_be_before: bool = False,
        back_s: float = BACKWARD_JUMP_S,
    ) -> Stamp:
        pts, jump = self._rebased(given, arrival, may_be_before, back_s)
        if jump:
            self._ahead = None
        self._arrival = arrival
        self._timed = self._timed or given is not None
        if self._first is None:
            self._first = pts
        monotonic = self._between(pts, self._captured(pts, arrival, taken), arrival)
        insort(self._placed, _Placed(pts, monotonic))
        del self._placed[:-REMEMBERED]
        return self._at(pts, monotonic, jump)

    def _at(self, pts: float, monotonic: float, jump: bool) -> Stamp:
        if self._live:
            captured_at = self._clock.wall.at(monotonic)
        else:
            captured_at = self._opened_at + timedelta(seconds=monotonic - self._opened)
        return Stamp(captured_at, monotonic, pts, jump)

    def _rebased(
        self, given: float | None, arrival: float, may_be_before: bool, back_s: float
    ) -> tuple[float, bool]:
        """The presentation time on the stream's own clock, and whether it is a jump: further back
        than `back_s`, or further ahead than explained."""
        if not self._placed:
            return given or 0.0, True
        newest = self._placed[-1].pts
        passed = max(arrival - self._arrival, 0.0) if self._live else 0.0
        usual = max(passed, self._period / 2) if self._live else self._period
        if given is None:
            return newest + self._period, False
        if not self._timed:
            # the first one that has a time follows those that had none
            self._shift = newest + self._period - given
        step = given + self._shift - newest
        if step < -back_s or step - passed > self._forward:
            gap = not self._live and 0 < step <= LONGEST_GAP_S
            return (newest + step if gap else self._go_on(given, newest + usual)), True
        if step > 0:
            self._repeats = 0
            return newest + step, False
        if may_be_before and self._is_between(newest + step):
            return newest + step, False
        self._repeats += 1
        if self._live or self._repeats > 1:
            return self._go_on(given, newest + usual), False
        # a film's is between its neighbours, and those after it stay where they are
        return newest + self._period / 2, False

    def _go_on(self, given: float, pts: float) -> float:
        self._shift = pts - given
        return pts

    def _is_between(self, pts: float) -> bool:
        """Whether a picture of this time may have been sent after later ones (a B-frame)."""
        number = bisect_left(self._placed, (pts,))
        return all(
            abs(placed.pts - pts) > SAME_S for placed in self._placed[max(0, number - 1) :][:2]
        )

    def _captured(self, pts: float, arrival: float, taken: float | None) -> float:
        if not self._live:
            assert self._first is not None
            return self._opened + pts - self._first
        captured = pts + self._delay.least(pts, arrival)
        if taken is None or not self._believed(taken - pts, arrival):
            return captured
        reported = taken + self._clock.reports.least(taken, arrival)
        if captured - reported <= LATEST_S:
            return reported
        # No picture is that late: the camera's clock was set back while it was not connected.
        self._clock.reports.forget()
        return captured

    def _believed(self, ahead: float, arrival: float) -> bool:
        """Whether a report is to be believed: not while the camera's clock and its presentation
        times drift apart in leaps, as where the clock is being set, or reports hold nonsense."""
        if self._ahead is not None and abs(ahead - self._ahead) > LEAP_S:
            self._believed_from = arrival + DISBELIEF_S
            self._clock.reports.forget()
        self._ahead = ahead
        return arrival >= self._believed_from

    def _between(self, pts: float, captured: float, arrival: float) -> float:
        """A moment that is later than those of earlier pictures, and earlier than of later ones."""
        number = bisect_left(self._placed, (pts,))
        before = self._placed[number - 1] if number else None
        if number < len(self._placed):
            after = self._placed[number]
            if before is None:
                return after.monotonic - (after.pts - pts)
            share = (pts - before.pts) / (after.pts - before.pts)
            return before.monotonic + share * (after.monotonic - before.monotonic)
        if before is None or not self._live:
            return captured
        # Where it must go back, time goes on at half its speed, but never ahead of the arrival.
        step = pts - before.pts
        at_least = max(
            before.monotonic + min(step, LEAST_MOMENT_S),
            min(before.monotonic + step / 2, arrival),
        )
        return max(captured, at_least)


def _is_passed(item: tuple[float | None, Stamp], own: float | None, found: Stamp) -> bool:
    """Whether a packet's picture would have been shown before the one found: by both clocks, since
    the stream's own may have been moved between the two."""
    sent, stamp = item
    if (sent is None) != (own is None):
        return False
    return stamp.pts < found.pts and (sent is None or own is None or sent < own)


def _same(one: float | None, other: float | None) -> bool:
    return one is other if one is None or other is None else abs(one - other) < SAME_S
