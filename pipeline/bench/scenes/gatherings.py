"""Scenes about several: crowds, and things whose owners have gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.bench.scenes.actors import Actor, bag, person
from pipeline.bench.scenes.case import Case
from pipeline.bench.scenes.places import BEYOND, LEFT, MIDDLE, RIGHT, through, yard
from pipeline.bench.scenes.scene import Scene

NAMES = ("Ann", "Bob", "Cid", "Dan", "Eve", "Fay")
SPOTS = (
    (540.0, 480.0),
    (620.0, 520.0),
    (700.0, 480.0),
    (560.0, 640.0),
    (650.0, 660.0),
    (735.0, 640.0),
)
"""In the yard, apart from each other."""


def gathering_cases() -> Iterator[Case]:
    yield from _crowds()
    yield from _growing()
    yield from _abandoned()


def group(starts: Sequence[float], stays: float) -> list[Actor]:
    """One comes at each of these seconds, stands in the yard for so long and leaves."""
    return [
        person(name, LEFT, start=start, height=130).goes(spot).stays(stays).goes(RIGHT)
        for name, spot, start in zip(NAMES, SPOTS, starts, strict=False)
    ]


def _crowds() -> Iterator[Case]:
    rule = {"type": "crowd", "zone": "yard", "count": 4, "seconds": 3}

    def case(name: str, scene: Scene, happens: int = 0) -> Case:
        return Case(name, "crowd count", rule, scene, happens)

    yield case("four stand together", yard(30, *group((1, 2, 3, 4), 12)), 1)
    yield case("six stand together", yard(32, *group((1, 2, 3, 4, 5, 6), 14)), 1)
    moving = [
        person(name, LEFT, start=1 + n, height=130).goes(spot).goes(MIDDLE, speed=0.5).stays(8)
        for n, (name, spot) in enumerate(zip(NAMES[:5], SPOTS, strict=False))
    ]
    yield case("five come and walk about", yard(24, *moving), 1)
    yield case("three stand together", yard(30, *group((1, 2, 3), 12)))
    outside = person("Dan", RIGHT, start=3, height=130).goes((860, 600)).stays(12).goes(RIGHT)
    yield case("three stand together, one aside", yard(30, *group((1, 2, 3), 12), outside))
    hurry = [through(name, 1 + 2.2 * n, height=130) for n, name in enumerate(NAMES)]
    yield case("six walk through in a row", yard(34, *hurry))
    yield case("four are together for a moment", yard(24, *group((1, 1, 1, 10), 8)))


def _growing() -> Iterator[Case]:
    rule = {
        "type": "crowd",
        "zone": "yard",
        "count": 4,
        "seconds": 3,
        "growing_by": 3,
        "growing_s": 20,
    }

    def case(name: str, scene: Scene, happens: int = 0) -> Case:
        return Case(name, "crowd growing", rule, scene, happens)

    yield case("four come within seconds", yard(34, *group((1, 2, 3, 4), 14)), 1)
    yield case("three join one", yard(60, *group((1, 26, 28, 30), 40)), 1)
    yield case("four come one by one", yard(80, *group((1, 17, 33, 49), 70)))
    yield case("three come within seconds", yard(34, *group((1, 2, 3), 14)))
    yield case("one joins three", yard(60, *group((1, 2, 3, 34), 50)))


def _abandoned() -> Iterator[Case]:
    rule = {"type": "abandoned", "labels": ["suitcase"], "seconds": 10}

    def case(name: str, scene: Scene, happens: int = 0, **settings: Any) -> Case:
        return Case(name, "abandoned", rule | settings, scene, happens)

    comes = person("Ann", LEFT, start=1).goes(MIDDLE).stays(2)
    spot = (690.0, 602.0)
    case_left = bag("case", spot, start=comes.now - 1)
    yield case(
        "somebody leaves a case and walks off", yard(34, comes.goes(RIGHT), case_left.stays(26)), 1
    )
    waits = comes.goes((100, 600)).stays(18)
    yield case("somebody leaves a case and waits far off", yard(32, waits, case_left.stays(26)), 1)
    fetched = comes.goes((100, 600)).stays(14).goes((650, 600)).stays(1)
    taken = case_left.stays(fetched.now - case_left.now)
    yield case("somebody comes back too late", yard(34, fetched.goes(LEFT), taken), 1)
    other = person("Bob", RIGHT, start=1).goes((760, 600)).stays(1).goes(RIGHT)
    yield case(
        "somebody else was there, too", yard(34, comes.goes(LEFT), other, case_left.stays(28)), 1
    )
    near = comes.stays(20)
    yield case("somebody stands by a case", yard(28, near, case_left.stays(20)))
    short = comes.goes((300, 600)).stays(2).goes((650, 600)).stays(1)
    taken = case_left.stays(short.now - case_left.now)
    yield case("somebody comes back soon", yard(22, short.goes(LEFT), taken))
    rolls = bag("case", (-10.0, 602.0), start=1).goes((1390, 602), speed=2.5)
    yield case("somebody walks through with a case", yard(12, through("Ann"), rolls))
    handed = comes.stays(3).goes(LEFT)
    partner = person("Bob", RIGHT, start=1).goes((760, 600)).stays(24)
    yield case("another one minds the case", yard(30, handed, partner, case_left.stays(22)))
    yield case(
        "somebody stands about without a case", yard(30, comes.stays(14).goes(BEYOND).stays(5))
    )
