"""Who wins, and what is said of it."""

from __future__ import annotations

import threading
from dataclasses import replace

import handmade
import pytest

from pipeline.bench import contest
from pipeline.bench.agreement import Agreement
from pipeline.bench.contest import Candidate, Entrant, Entry, Speed, judge, race
from pipeline.choices import Arithmetic
from pipeline.detectors.pool import Answer, Asked, PooledDetector
from pipeline.types import Frame


def entry(
    arithmetic: Arithmetic,
    size: int = 640,
    *,
    speedup: float = 1.0,
    spread: float = 0.05,
    lost: int = 0,
    extra: int = 0,
    reference: int = 400,
    rate: float | None = None,
) -> Entry:
    speed = Speed(50, 30, 20, speedup, spread, speedup if rate is None else rate)
    return Entry(Candidate(arithmetic, size), {"": Agreement(reference, lost, extra)}, speed)


def outcome(*others: Entry, loss: float = 0.03, reference: int = 400) -> tuple[str, list[str]]:
    """Who won, and the reasons, those of the reference first."""
    verdicts = judge([entry("float32", reference=reference), *others], loss)
    (winner,) = (verdict for verdict in verdicts if verdict.won)
    return winner.entry.candidate.name, [verdict.reason for verdict in verdicts]


def test_the_fastest_within_the_loss_wins_and_it_is_said_why():
    name, (first, slower, faster) = outcome(
        entry("bfloat16", speedup=1.5), entry("int8", speedup=2.1, lost=2, extra=1)
    )
    assert name == "INT8, 640 pixels"
    assert first == "what the others are compared with; INT8, 640 pixels won"
    assert slower == "within the loss, but INT8, 640 pixels is faster"
    assert faster == "2.10 times as fast (± 0.05); at most 1.5% lost and 1.1% extra"


def test_what_loses_too_much_does_not_win_however_fast_it_is():
    name, reasons = outcome(entry("int8", 320, speedup=5, lost=20))
    assert name == "float, 640 pixels"
    assert reasons[0] == "no other one is both faster and within the loss"
    assert reasons[1] == "20 of 400 lost, so it may be 7.1% of all, more than 3.0%"


def test_what_finds_too_much_does_not_win_either():
    name, reasons = outcome(entry("int8", speedup=2, extra=20))
    assert name == "float, 640 pixels"
    assert "20 of 400 extra" in reasons[1]


def test_a_rare_label_may_not_be_lost_for_a_frequent_one():
    all_, cars, people = Agreement(1000, 20), Agreement(980, 0), Agreement(20, 20)
    blind = entry("int8", speedup=2, lost=20, reference=1000)
    blind = replace(blind, labels={"": all_, "car": cars, "person": people})
    name, reasons = outcome(blind, reference=1000)
    assert name == "float, 640 pixels"
    assert reasons[1].startswith("20 of 20 lost of person, so it is at least 88")
    seeing = {"": all_, "car": Agreement(980, 19), "person": Agreement(20, 1)}
    assert outcome(replace(blind, labels=seeing), reference=1000)[0] == "INT8, 640 pixels"


def test_a_loss_that_may_be_too_large_by_chance_is_too_large():
    assert outcome(entry("int8", speedup=2, lost=10, reference=400))[0] == "float, 640 pixels"
    assert outcome(entry("int8", speedup=2, lost=10, reference=4000))[0] == "INT8, 640 pixels"


def test_a_larger_loss_may_be_allowed():
    assert outcome(entry("int8", speedup=2, lost=10), loss=0.05)[0] == "INT8, 640 pixels"


def test_with_too_few_detections_nothing_is_chosen_by_luck():
    name, reasons = outcome(entry("int8", speedup=3, reference=29), reference=29)
    assert name == "float, 640 pixels"
    assert reasons[1] == ("too few detections to know: 29, and 88 are needed for a loss of 3.0%")


@pytest.mark.parametrize(
    ("speedup", "spread", "rate"), [(0.9, 0.01, 0.9), (1.04, 0.05, 1.04), (1.3, 0.05, 0.95)]
)
def test_what_is_not_clearly_faster_does_not_win(speedup, spread, rate):
    slow = entry("int8", speedup=speedup, spread=spread, rate=rate)
    name, reasons = outcome(slow)
    assert name == "float, 640 pixels"
    assert "not faster by more than the spread" in reasons[1]


def test_of_those_alike_in_speed_the_largest_input_wins_and_then_the_one_that_loses_least():
    name, reasons = outcome(
        entry("int8", 512, speedup=2.1, spread=0.2),
        entry("bfloat16", 640, speedup=2.0, lost=2),
        entry("int8", 640, speedup=1.95, lost=1),
        entry("float32", 512, speedup=1.5),
    )
    assert name == "INT8, 640 pixels"
    assert "as fast and nearer to float" in reasons[1]
    assert "as fast and nearer to float" in reasons[2]
    assert reasons[4].endswith("is faster")


class Busy:
    """A model that computes for so long, and notes how many pictures it had at once."""

    labels = ("person",)
    description = "busy"
    streams = 2

    def __init__(self, rounds: int) -> None:
        self.rounds, self.most = rounds, 0
        self._now = 0
        self._lock = threading.Lock()

    def look(self, frame: Frame, asked: Asked) -> Answer:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        sum(range(self.rounds))
        with self._lock:
            self._now -= 1
        return Answer([], 0.001)

    def close(self) -> None:
        """Nothing is open."""


def test_all_are_timed_in_turn_and_the_one_with_half_of_the_work_is_twice_as_fast(monkeypatch):
    monkeypatch.setattr(contest, "ROUNDS", 5)
    models = [Busy(400_000), Busy(200_000)]
    pools = [PooledDetector(model) for model in models]
    entrants = [
        Entrant(Candidate("float32", size), pool, Asked(size, 0.3, frozenset({0})))
        for pool, size in zip(pools, (640, 320), strict=True)
    ]
    reference, other = race(entrants, [handmade.frame(size=(64, 48))])
    for pool in pools:
        pool.close()
    assert (reference.speedup, reference.spread, reference.rate) == (1, 0, 1)
    assert 1.5 < other.speedup < 2.5
    assert other.processor_ms < reference.processor_ms
    assert models[0].most > 1  # as the camera's detector is used


def test_what_is_found_comes_in_the_order_of_the_frames():
    frames = [handmade.frame(float(number), size=(64, 48)) for number in range(9)]

    class Named(Busy):
        def look(self, frame: Frame, asked: Asked) -> Answer:
            return Answer([frame.index], 0.001)  # type: ignore[list-item]

    pool = PooledDetector(Named(0))
    entrant = Entrant(Candidate("float32", 64), pool, Asked(64, 0.3, frozenset()))
    assert entrant.look(frames) == [[frame.index] for frame in frames]
    pool.close()
