"""Passages and days made by hand, for tests of the rule `novelty`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from handmade import BEGIN, standing, view

from pipeline.config import NoveltyRule
from pipeline.rules import make_rule
from pipeline.rules.novelty import AWAY_S, Novelty
from pipeline.types import Detection, Finding, Track, Zone

DAY_S = 86_400.0
HOUR_S = 3600.0
MIDNIGHT_S = (BEGIN.replace(hour=0, minute=0) - BEGIN).total_seconds()
"""Of the first day, which is a Sunday."""


def rule(**keys: Any) -> Novelty:
    settings = {"type": "novelty", "labels": ["person", "dog"], "warm_up_hours": 48, **keys}
    made = make_rule("novelty", NoveltyRule.model_validate(settings), {"step": STEP})
    assert isinstance(made, Novelty)
    return made


STEP = Zone("step", "the front step", ((0.0, 0.7), (1.0, 0.7), (1.0, 1.0), (0.0, 1.0)))


def passing(
    number: int,
    begins: float,
    *,
    y: float = 800.0,
    pace: float = 0.8,
    height: float = 200.0,
    label: str = "person",
    back: bool = False,
    stays: float = 0.0,
) -> Iterator[tuple[float, Track]]:
    """Somebody walks through the picture from left to right, twice a second seen."""
    at, x, stood = begins, 100.0, 0.0
    while x < 900:
        stands = stood < stays and x > 500
        speed = 0.0 if stands else pace
        track = Track(
            id=number,
            label=label,
            detection=Detection(label, 0.8, standing(1000 - x if back else x, y, height)),
            first_seen=5000.0 + begins,
            last_seen=5000.0 + at,
            velocity=(-speed if back else speed, 0.0),
        )
        yield at, track
        at += 0.5
        stood += 0.5 if stands else 0.0
        x += speed * height * 0.5


def watch(novelty: Novelty, *passages: Iterator[tuple[float, Track]]) -> list[Finding]:
    """What is found while these pass, one after the other, and until they are forgotten."""
    found = []
    for passage in passages:
        looks = list(passage)
        for at, track in looks:
            found += novelty.update(view(at, [track]))
        at, track = looks[-1]
        found += novelty.update(replace(view(at + 2), lost=(replace(track, lost=True),)))
        novelty.update(view(at + AWAY_S + 1))
    return found


def wavering(looks: Iterator[tuple[float, Track]]) -> Iterator[tuple[float, Track]]:
    """The same, but with a direction that changes from look to look."""
    for index, (at, track) in enumerate(looks):
        right, _ = track.velocity
        yield at, replace(track, velocity=(right, (-1) ** index * 0.7 * right))


def idle(novelty: Novelty, begin: float, end: float) -> None:
    for at in np.arange(begin, end, 50.0):
        novelty.update(view(float(at)))


def ordinary_days(novelty: Novelty, days: Sequence[int], a_day: int = 40) -> list[Finding]:
    """Days with people who pass between 8 and 18 o'clock, by a way that is never quite the same."""
    found = []
    for day in days:
        random = np.random.default_rng(day)
        midnight = MIDNIGHT_S + day * DAY_S
        last = midnight
        for index in range(a_day):
            begins = midnight + (8 + 10 * index / a_day) * HOUR_S + random.uniform(0, 300)
            idle(novelty, last, begins)
            passage = passing(
                day * 1000 + index,
                begins,
                y=800 + random.normal(0, 15),
                pace=random.lognormal(np.log(0.8), 0.15),
                height=200 * random.lognormal(0, 0.06),
                stays=float(random.exponential(8) if random.uniform() < 0.2 else 0),
            )
            found += watch(novelty, passage)
            last = begins + 100
        idle(novelty, last, midnight + DAY_S)
    return found


def noon(day: int) -> float:
    return MIDNIGHT_S + day * DAY_S + 12 * HOUR_S


def knowing(learned: dict[str, Any], **keys: Any) -> Novelty:
    novelty = rule(**keys)
    novelty.recall(learned)
    return novelty
