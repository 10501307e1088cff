"""Days before one camera: what usually passes, and what never did before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

import numpy as np

from pipeline.bench.scenes.actors import RUN, Actor, bicycle, person
from pipeline.bench.scenes.case import Case
from pipeline.bench.scenes.scene import NIGHT, Scene

DAY_S = 86_400.0
HOUR_S = 3600.0
MIDNIGHT = NIGHT.replace(hour=0, minute=0) - timedelta(days=1)
"""A Monday's."""
OPENS_H, CLOSES_H = 7.0, 19.0
"""Hours of the day between which people pass."""
APART_S = 60.0
"""Two passages begin so far apart at least."""
BEFORE_S, AFTER_S = 1.0, 4.0
"""There are looks from so long before a passage until so long after it."""
LEARNS_DAYS = 10
PASSAGES = 30
"""A day."""


def usual(days: int, *, a_day: int = PASSAGES, seed: int = 1) -> list[Actor]:
    """People who walk along a path in either direction by day, each a little different."""
    random = np.random.default_rng(seed)
    found = []
    for day in range(days):
        hours = np.sort(random.uniform(OPENS_H, CLOSES_H, a_day)) * HOUR_S
        starts = np.maximum.accumulate(hours - APART_S * np.arange(a_day))
        starts = starts + APART_S * np.arange(a_day) + day * DAY_S
        for number, start in enumerate(starts):
            row, height = random.normal(600, 8), random.normal(200, 6)
            ways = [(-60.0, row), (1340.0, row)]
            here, there = ways if random.random() < 0.5 else ways[::-1]
            walker = person(f"{day}.{number}", here, start=float(start), height=height)
            found.append(walker.goes(there, speed=float(np.clip(random.normal(0.8, 0.05), 0.6, 1))))
    return found


def days_scene(
    days: int, others: Sequence[Actor] = (), *, a_day: int = PASSAGES, seed: int = 1
) -> Scene:
    """So many usual days, in which the others pass, too, as never anybody did before; looked at
    only while somebody is there."""
    actors = [*usual(days, a_day=a_day, seed=seed), *others]
    spans: list[tuple[float, float]] = []
    for actor in sorted(actors, key=lambda actor: actor.begins):
        begin, end = actor.begins - BEFORE_S, actor.ends + AFTER_S
        if spans and begin <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((begin, end))
    return Scene(
        seconds=days * DAY_S,
        actors=tuple(actors),
        begins=MIDNIGHT,
        eventful=tuple(spans),
        unusual=tuple(actor.name for actor in others),
    )


def novelty_cases() -> Iterator[Case]:
    rule = {
        "type": "novelty",
        "labels": ["person", "bicycle"],
        "warm_up_hours": 24 * LEARNS_DAYS - 12,
        "warm_up_passages": 2 * PASSAGES,
    }

    def moment(hour: float) -> float:
        return LEARNS_DAYS * DAY_S + hour * HOUR_S

    left, right = (-60.0, 600.0), (1340.0, 600.0)
    unusual = [
        person("at night", left, start=moment(3)).goes(right),
        person("on the lawn", (-60.0, 330.0), start=moment(10.2), height=120).goes((1340.0, 330.0)),
        person("running", left, start=moment(12.3)).goes(right, speed=RUN + 0.8),
        bicycle("bicycle", left, start=moment(14.1)).goes(right, speed=3),
    ]
    days = LEARNS_DAYS + 1
    yield Case("usual days", "novelty", rule, days_scene(days))
    yield Case("usual days with four unusual ones", "novelty", rule, days_scene(days, unusual), 4)
