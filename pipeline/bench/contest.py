"""Variants of a detector against each other, on the same pictures, in one run."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from statistics import median, quantiles

from pipeline.bench.agreement import MARGIN, Agreement, at_least, at_most, enough
from pipeline.choices import NAMES, Arithmetic
from pipeline.config import Camera
from pipeline.detectors.pool import Answer, Asked, PooledDetector
from pipeline.types import Detection, Frame

ROUNDS = 9
"""How often each is timed, all in turn each time."""
BURST = 16
"""Pictures in a row, for the throughput."""
ALONE = 4
"""Pictures one after the other, for the latency."""
LEAST_CONFIDENCE = 0.01
HOPELESS = 2.0
"""A smaller input that loses so many times more than may be lost, with floats, is not tried with
less exact arithmetic."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way to look at a camera's pictures; `size` is the longer side of the input in pixels."""

    arithmetic: Arithmetic
    size: int

    @property
    def name(self) -> str:
        """For people: "INT8, 512 pixels"."""
        return f"{NAMES[self.arithmetic]}, {self.size} pixels"


@dataclass(frozen=True, slots=True)
class Entrant:
    """A candidate, ready to look."""

    candidate: Candidate
    pool: PooledDetector
    asked: Asked

    def look(self, frames: Iterable[Frame]) -> list[list[Detection]]:
        """What it finds, with as many pictures under way as it has threads.

        Raises:
            DetectorError: it failed on one of them.
        """
        found: list[list[Detection]] = []
        under_way: deque[Future[Answer]] = deque()
        for frame in frames:
            under_way.append(self.pool.submit(frame, self.asked))
            if len(under_way) >= self.pool.depth:
                found.append(under_way.popleft().result().detections)
        return found + [future.result().detections for future in under_way]


@dataclass(frozen=True, slots=True)
class Speed:
    """Medians over the rounds. `processor_ms` is processor time a picture, of all cores together;
    `speedup` how many times less that is than the reference's in the same round, and `spread` the
    distance between the quartiles of that."""

    pictures_per_s: float
    latency_ms: float
    processor_ms: float
    speedup: float
    spread: float
    rate: float
    """How many times as many pictures a second as the reference in the same round."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What came of a candidate: `labels` has "" for all labels together."""

    candidate: Candidate
    labels: Mapping[str, Agreement]
    speed: Speed

    @property
    def all(self) -> Agreement:
        return self.labels[""]


@dataclass(frozen=True, slots=True)
class Verdict:
    """An entry, whether it won, and why or why not, for people."""

    entry: Entry
    won: bool
    reason: str


def asked_for(pool: PooledDetector, camera: Camera, size: int) -> Asked:
    """What a camera looks for, and what lies just below its confidence."""
    wanted = frozenset(pool.labels.index(label) for label in camera.labels())
    return Asked(size, max(camera.detect.confidence - MARGIN, LEAST_CONFIDENCE), wanted)


def race(entrants: Sequence[Entrant], frames: Sequence[Frame]) -> list[Speed]:
    """Time entrants on frames, the first of them being the reference: ROUNDS times all in turn,
    each time beginning with the next.

    What decides is processor time: on a machine that does other things as well, it is what there
    is too little of, and what the other things disturb least. Beside other processes (load 4 on
    two cores) the ratio of one INT8 model to float was 2.02 to 2.44 in nine rounds by processor
    time, and 1.60 to 2.87 by pictures a second.
    """
    burst = [frames[number % len(frames)] for number in range(BURST)]
    times: list[list[tuple[float, float, float]]] = [[] for _ in entrants]
    for entrant in entrants:
        entrant.look(burst)
    for number in range(ROUNDS):
        for place in range(len(entrants)):
            which = (number + place) % len(entrants)
            times[which].append(_time(entrants[which], burst))
    return [_speed(own, times[0]) for own in times]


def _time(entrant: Entrant, burst: Sequence[Frame]) -> tuple[float, float, float]:
    """Seconds and seconds of processor time a picture of many, and seconds of one alone."""
    spent, began = time.process_time(), time.perf_counter()
    entrant.look(burst)
    each = (time.perf_counter() - began) / len(burst)
    processor = (time.process_time() - spent) / len(burst)
    alone = []
    for frame in burst[:ALONE]:
        began = time.perf_counter()
        entrant.look([frame])
        alone.append(time.perf_counter() - began)
    return each, processor, median(alone)


def _speed(
    own: Sequence[tuple[float, float, float]], reference: Sequence[tuple[float, float, float]]
) -> Speed:
    each, processor, alone = zip(*own, strict=True)
    ratios = [theirs[1] / ours[1] for ours, theirs in zip(own, reference, strict=True)]
    lower, _, upper = quantiles(ratios, n=4)
    return Speed(
        pictures_per_s=1 / median(each),
        latency_ms=1000 * median(alone),
        processor_ms=1000 * median(processor),
        speedup=median(ratios),
        spread=upper - lower,
        rate=median(theirs[0] / ours[0] for ours, theirs in zip(own, reference, strict=True)),
    )


def judge(entries: Sequence[Entry], loss: float) -> list[Verdict]:
    """Which of the entries wins; the first is the reference, which does if no other one does.

    The fastest one that, with 95% certainty, loses at most the share `loss` of the reference's
    detections and has at most as many extra ones, and whose lead is more than its spread. Of those
    that cannot be told from it in speed, the one with the largest input and then the least lost.
    """
    reference, *others = entries
    refused = {id(entry): _refusal(entry, loss) for entry in others}
    fit = [entry for entry in others if refused[id(entry)] is None]
    fastest = max(fit, key=lambda entry: entry.speed.speedup, default=None)
    winner = reference
    if fastest is not None:
        near = fastest.speed.speedup - fastest.speed.spread
        alike = [entry for entry in fit if entry.speed.speedup >= near]
        winner = min(alike, key=lambda e: (-e.candidate.size, e.all.lost + e.all.extra))
    verdicts = [_of_reference(reference, winner)]
    for entry in others:
        reason = refused[id(entry)]
        if entry is winner:
            reason = _why(entry)
        elif reason is None:
            reason = f"within the loss, but {winner.candidate.name} is " + (
                "as fast and nearer to float"
                if entry.speed.speedup > winner.speed.speedup - winner.speed.spread
                else "faster"
            )
        verdicts.append(Verdict(entry, entry is winner, reason))
    return verdicts


def _refusal(entry: Entry, loss: float) -> str | None:
    """Why an entry cannot win; None if it can."""
    counted, speed = entry.all, entry.speed
    if counted.reference < enough(loss):
        return (
            f"too few detections to know: {counted.reference}, and {enough(loss)} are needed for "
            f"a loss of {loss:.1%}"
        )
    for count, what in ((counted.lost, "lost"), (counted.extra, "extra")):
        worst = at_most(count, counted.reference)
        if worst > loss:
            return (
                f"{count} of {counted.reference} {what}, so it may be {worst:.1%} of all, more "
                f"than {loss:.1%}"
            )
    for label, found in entry.labels.items():
        # A rare one may be lost whole within the loss of all.
        surely = at_least(found.lost, found.reference)
        if label and surely > loss:
            return (
                f"{found.lost} of {found.reference} lost of {label}, so it is at least "
                f"{surely:.1%} of these, more than {loss:.1%}"
            )
    if speed.speedup - speed.spread <= 1 or speed.rate <= 1:
        return f"not faster by more than the spread ({speed.speedup:.2f} ± {speed.spread:.2f})"
    return None


def _why(entry: Entry) -> str:
    counted, speed = entry.all, entry.speed
    return (
        f"{speed.speedup:.2f} times as fast (± {speed.spread:.2f}); at most "
        f"{at_most(counted.lost, counted.reference):.1%} lost and "
        f"{at_most(counted.extra, counted.reference):.1%} extra"
    )


def _of_reference(reference: Entry, winner: Entry) -> Verdict:
    if winner is reference:
        return Verdict(reference, True, "no other one is both faster and within the loss")
    return Verdict(
        reference, False, f"what the others are compared with; {winner.candidate.name} won"
    )
