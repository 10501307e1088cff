"""From packets and when they arrived to figures: pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median, quantiles

from pipeline.sources.measurement import Jitter, Keyframes, Times
from pipeline.sources.timing import (
    BACKWARD_JUMP_S,
    DEFAULT_PERIOD_S,
    FORWARD_JUMP_S,
    MOST_REORDERED,
)

SETTLING_S = 1.0
"""What arrives so soon after the first packet was partly held back while the stream was opened,
and says nothing about the network."""
ALIKE = 0.2
"""Steps that differ by less than this part of the median are regular: cameras round their times."""
REGULAR_SHARE = 0.8
"""A gap is a lost picture only where so many of the steps are regular."""
GAP = 1.5
"""A step of more than so many periods lacks a picture."""
FEWEST = 10
"""Fewer pictures than this make no statistics."""
_JITTER_GAIN = 1 / 16  # RFC 3550, section 6.4.1


@dataclass(frozen=True, slots=True)
class Arrival:
    """A packet: when it was read (monotonic seconds), and what it says of itself.

    `pts` and `dts` are seconds, None where it gives none; `size` is in bytes; `taken` is the
    camera's own clock in seconds since 1970, None before it told.
    """

    at: float
    pts: float | None
    dts: float | None
    size: int
    keyframe: bool
    taken: float | None = None


def with_first_time(arrivals: Sequence[Arrival]) -> list[Arrival]:
    """The packets, the first with a time one step before the others where it has none, as RTSP
    often leaves it: it is a keyframe, and would be missed."""
    found = list(arrivals)
    shown = sorted(a.pts for a in found[1 : 1 + FEWEST] if a.pts is not None)
    if len(shown) > 1 and _order(found[0]) is None:
        step = median(later - earlier for earlier, later in pairwise(shown))
        found[0] = replace(found[0], pts=shown[0] - step)
    return found


def runs(arrivals: Sequence[Arrival], *, live: bool) -> list[list[Arrival]]:
    """The packets in stretches without a jump of their decoding times; those without times are left
    out."""
    found: list[list[Arrival]] = []
    for arrival in arrivals:
        if _order(arrival) is None:
            continue
        if not found or _jumps(found[-1][-1], arrival, live=live):
            found.append([])
        found[-1].append(arrival)
    return found


def shown_runs(arrivals: Sequence[Arrival], *, live: bool) -> list[list[Arrival]]:
    """The packets in stretches without a jump of their presentation times, by the same limits as
    `timing.Timeline`.

    Of a stream with B-frames these are others: FFmpeg takes a decoding time from the presentation
    times of the packets read so far, so it leaps some packets after those.
    """
    timed = [arrival for arrival in arrivals if _order(arrival) is not None]
    reorders = _reorders(timed)
    rising = [step for a, b in pairwise(timed) if (step := _time(b) - _time(a)) > 0]
    period = median(rising) if rising else DEFAULT_PERIOD_S
    forward = max(FORWARD_JUMP_S, (MOST_REORDERED + 1) * period)
    back = max(BACKWARD_JUMP_S, MOST_REORDERED * period)
    found: list[list[Arrival]] = []
    newest = 0.0
    as_shown = False
    for arrival in timed:
        shown = _shown(arrival)
        if found:
            last = found[-1][-1]
            explained = arrival.at - last.at if live else 0.0
            set_back = (
                _time(arrival) - _time(last) < -BACKWARD_JUMP_S
                # The first ones have none, and cannot be compared with those after them.
                and (last.dts is None) == (arrival.dts is None)
                # Since they were set back, B-frames have their presentation times.
                and not (as_shown and arrival.dts == arrival.pts)
            )
            jumps = set_back or shown < newest - back or shown - newest - explained > forward
        if not found or jumps:
            as_shown = bool(found) and set_back and reorders
            found.append([])
            newest = shown
        found[-1].append(arrival)
        newest = max(newest, shown)
    return found


def _reorders(arrivals: Sequence[Arrival]) -> bool:
    """Whether it has B-frames."""
    return any(a.dts < a.pts for a in arrivals if a.dts is not None and a.pts is not None)


def _order(arrival: Arrival) -> float | None:
    """The time by which packets are in order: presentation times of B-frames are not."""
    return arrival.pts if arrival.dts is None else arrival.dts


def _jumps(earlier: Arrival, later: Arrival, *, live: bool) -> bool:
    step = _time(later) - _time(earlier)
    explained = later.at - earlier.at if live else 0.0
    return step < -BACKWARD_JUMP_S or step - explained > FORWARD_JUMP_S


def _time(arrival: Arrival) -> float:
    found = _order(arrival)
    assert found is not None
    return found


def _shown(arrival: Arrival) -> float:
    return _time(arrival) if arrival.pts is None else arrival.pts


def steps(arrivals: Sequence[Arrival], *, live: bool) -> list[float]:
    """Seconds from picture to picture, in the order of their presentation."""
    found: list[float] = []
    for run in shown_runs(arrivals, live=live):
        shown = sorted({a.pts for a in run if a.pts is not None})
        found += [later - earlier for earlier, later in pairwise(shown)]
    return found


def rate(steps_s: Sequence[float]) -> float | None:
    """Pictures per second, by how many came in the time they span."""
    return len(steps_s) / sum(steps_s) if steps_s else None


def bit_rate(arrivals: Sequence[Arrival], pictures_per_s: float | None) -> float | None:
    """Bits per second, by the mean size of a packet."""
    if not arrivals or pictures_per_s is None:
        return None
    return 8 * sum(a.size for a in arrivals) / len(arrivals) * pictures_per_s


def missing(steps_s: Sequence[float]) -> int:
    """How many pictures are missing in otherwise regular times; 0 where they are not regular."""
    if len(steps_s) < FEWEST:
        return 0
    period = median(steps_s)
    regular = sum(abs(step - period) <= ALIKE * period for step in steps_s)
    if regular < REGULAR_SHARE * len(steps_s):
        return 0
    return sum(round(step / period) - 1 for step in steps_s if step > GAP * period)


def keyframes(arrivals: Sequence[Arrival], *, live: bool) -> Keyframes | None:
    """How far keyframes lie apart; None where nothing has times."""
    stretches = shown_runs(arrivals, live=live)
    if not stretches:
        return None
    intervals: list[float] = []
    counts: list[int] = []
    for run in stretches:
        places = [n for n, arrival in enumerate(run) if arrival.keyframe]
        intervals += [_shown(run[b]) - _shown(run[a]) for a, b in pairwise(places)]
        counts += [b - a for a, b in pairwise(places)]
    count = sum(arrival.keyframe for arrival in arrivals)
    if not intervals:
        longest = max(_shown(run[-1]) - _shown(run[0]) for run in stretches)
        return Keyframes(count, None, None, longest, None)
    # one late keyframe may be a lost one; two thirds of a second more is another habit
    regular = max(intervals) - min(intervals) <= ALIKE * median(intervals)
    return Keyframes(count, median(intervals), round(median(counts)), max(intervals), regular)


def jitter(arrivals: Sequence[Arrival]) -> Jitter | None:
    """How unevenly a live stream arrives, by its longest stretch without a jump."""
    stretches = runs(arrivals, live=True)
    if not stretches:
        return None
    begin = arrivals[0].at + SETTLING_S
    settled = [a for a in max(stretches, key=len) if a.at >= begin]
    if len(settled) < FEWEST:
        return None
    delays = [a.at - _time(a) for a in settled]
    smoothed = 0.0
    for earlier, later in pairwise(delays):
        smoothed += (abs(later - earlier) - smoothed) * _JITTER_GAIN
    late = [1000 * (delay - min(delays)) for delay in delays]
    return Jitter(
        interarrival_ms=1000 * smoothed,
        late_p95_ms=quantiles(late, n=20)[-1],
        late_max_ms=max(late),
        pace=_pace(settled),
    )


def _pace(settled: Sequence[Arrival]) -> float:
    """Seconds of the stream per second that passes, by the medians of its two halves: packets that
    come in bursts would move its ends."""
    half = len(settled) // 2
    first, second = settled[:half], settled[half:]
    own = median(_time(a) for a in second) - median(_time(a) for a in first)
    passed = median(a.at for a in second) - median(a.at for a in first)
    return own / passed if passed > 0 else 1.0


def odd_times(arrivals: Sequence[Arrival], *, live: bool) -> Times:
    """What is wrong with the times of a stream."""
    backwards = repeated = 0
    # Where presentation times were set back, FFmpeg gives B-frames these for decoding times.
    reorders = _reorders(arrivals)
    for run in runs(arrivals, live=live):
        backwards += sum(
            b.dts < a.dts and not (reorders and b.dts == b.pts)
            for a, b in pairwise(run)
            if a.dts is not None and b.dts is not None
        )
    stretches = shown_runs(arrivals, live=live)
    for run in stretches:
        shown = [a.pts for a in run if a.pts is not None]
        repeated += len(shown) - len(set(shown))
    return Times(
        jumps=max(len(stretches) - 1, 0),
        backwards=backwards,
        repeated=repeated,
        without=sum(_order(a) is None for a in arrivals[1:]),
    )


def clock_offset(arrivals: Iterable[Arrival], wall_minus_monotonic: float) -> float | None:
    """Seconds that the camera's clock is ahead of this machine's, by the quickest packet; None
    where it never told the time."""
    ahead = [a.taken - (a.at + wall_minus_monotonic) for a in arrivals if a.taken is not None]
    return max(ahead) if ahead else None
