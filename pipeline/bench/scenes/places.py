"""Scenes about places: who is where, since when, and across which line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pipeline.bench.scenes.actors import SITTING, Actor, bicycle, car, dog, person
from pipeline.bench.scenes.case import Case
from pipeline.bench.scenes.scene import NIGHT, Scene

YARD = ((0.4, 0.6), (0.6, 0.6), (0.6, 0.95), (0.4, 0.95))
"""A zone in the middle, from column 512 to 768 and row 432 to 684."""
GATE = ((0.5, 0.95), (0.5, 0.6))
"""A line in the middle, upwards: to the right is to_right. From row 684 to 432 in column 640."""
LEFT, RIGHT = (-60.0, 600.0), (1340.0, 600.0)
"""Outside of the picture."""
MIDDLE = (640.0, 600.0)
BEFORE, BEYOND = (300.0, 600.0), (980.0, 600.0)
"""In the picture, to the left and to the right of the yard and the gate."""


def yard(seconds: float, *actors: Actor, **scene: Any) -> Scene:
    return Scene(seconds, actors, zones={"yard": YARD}, lines={"gate": GATE}, **scene)


def through(name: str, start: float = 1.0, **actor: Any) -> Actor:
    """Walks through from the left to the right."""
    return person(name, LEFT, start=start, **actor).goes(RIGHT)


def passes_by(name: str, start: float = 1.0) -> Actor:
    """Walks behind the yard: its feet are a third of its height above it, its body before it."""
    return person(name, (-60.0, 370.0), start=start).goes((1340.0, 370.0))


def place_cases() -> Iterator[Case]:
    yield from _inside()
    yield from _coming_and_going()
    yield from _lines()
    yield from _loitering()
    yield from _out_of_hours()


def _inside() -> Iterator[Case]:
    kind, rule = "zone inside", {"type": "zone", "zone": "yard"}

    def case(name: str, scene: Scene, happens: int = 0, **settings: Any) -> Case:
        return Case(name, kind, rule | settings, scene, happens)

    yield case("somebody walks through", yard(13, through("Ann")), 1)
    stands = person("Ann", LEFT, start=1).goes(MIDDLE).stays(12).goes(LEFT)
    yield case("somebody comes, stands and goes back", yard(26, stands), 1)
    yield case(
        "two walk through one after the other", yard(20, through("Ann"), through("Bob", 8)), 2
    )
    back = person("Bob", RIGHT, start=1).goes(LEFT)
    yield case("two meet in the yard", yard(13, through("Ann"), back), 2)
    twice = stands.stays(6).goes(RIGHT)
    yield case("somebody comes back after half a minute", yard(45, twice), 2)
    arrives = car("van", (-160.0, 640.0), start=1).goes((640, 640), speed=1.5).stays(150)
    yield case("a car parks and stays", yard(150, arrives), 1, labels=["car"])
    hidden = car("van", (-160.0, 640.0), start=1).goes((640, 640), speed=1.5)
    hidden = hidden.stays(80).unseen(20).stays(45)
    yield case("a parked car is hidden for a while", yard(150, hidden), 1, labels=["car"])
    leaves = car("van", (-160.0, 640.0), start=1).goes((640, 640), speed=1.5).stays(30)
    leaves = leaves.goes((1440, 640), speed=1.5)
    yield case("a car parks and drives off", yard(50, leaves), 1, labels=["car"])
    yield case("somebody passes behind the yard", yard(13, passes_by("Ann")))
    near = person("Ann", LEFT, start=1).goes((470, 600)).stays(8).goes(LEFT)
    yield case("somebody stops just before the yard", yard(18, near))
    yield case("a dog runs through", yard(13, dog("Rex", LEFT, start=1).goes(RIGHT, speed=2.5)))
    yield case("nobody is there", yard(10))


def _coming_and_going() -> Iterator[Case]:
    inside = person("Ann", MIDDLE).stays(8)
    for on, happens in (("enter", 1), ("leave", 1)):
        kind, rule = f"zone {on}", {"type": "zone", "zone": "yard", "on": on}
        yield Case("somebody walks through", kind, rule, yard(13, through("Ann")), happens)
        pair = yard(20, through("Ann"), through("Bob", 8))
        yield Case("two walk through one after the other", kind, rule, pair, 2 * happens)
        there = yard(22, inside.goes(RIGHT))
        yield Case("somebody who was there leaves", kind, rule, there, int(on == "leave"))
        comes = yard(26, person("Ann", LEFT, start=1).goes(MIDDLE).stays(20))
        yield Case("somebody comes and stays", kind, rule, comes, int(on == "enter"))
        stays = yard(15, inside.goes((560, 560)).stays(2).goes((720, 640)).stays(3))
        yield Case("somebody moves about within", kind, rule, stays)
        yield Case("somebody passes behind the yard", kind, rule, yard(13, passes_by("Ann")))
        near = person("Ann", LEFT, start=1).goes((470, 600)).stays(5).goes(LEFT)
        yield Case("somebody turns back before the yard", kind, rule, yard(15, near))


def _lines() -> Iterator[Case]:
    rule = {"type": "line", "line": "gate"}

    def case(name: str, scene: Scene, happens: int = 0, **settings: Any) -> Case:
        return Case(name, "line", rule | settings, scene, happens)

    back = person("Bob", RIGHT, start=1).goes(LEFT)
    yield case("somebody crosses to the right", yard(13, through("Ann")), 1)
    yield case("somebody crosses to the left", yard(13, back), 1)
    yield case("two cross against each other", yard(13, through("Ann"), back), 2)
    yield case(
        "only one of two goes the way", yard(13, through("Ann"), back), 1, direction="to_left"
    )
    fro = person("Ann", LEFT, start=1).goes(BEYOND).stays(10).goes(LEFT)
    yield case("somebody crosses and comes back", yard(30, fro), 2)
    yield case("the way back only", yard(30, fro), 1, direction="to_left")
    rides = bicycle("bike", LEFT, start=1).goes(RIGHT, speed=2.5)
    yield case("a bicycle crosses", yard(10, rides), 1, labels=["bicycle"])
    yield case("somebody crosses the other way", yard(13, back), direction="to_right")
    turns = person("Ann", LEFT, start=1).goes((590, 600)).stays(2).goes(LEFT)
    yield case("somebody turns back before it", yard(14, turns))
    along = person("Ann", (570.0, 760.0), start=1, height=140).goes((570, 420)).stays(1)
    yield case("somebody walks along it", yard(8, along))
    yield case("somebody passes beyond its end", yard(13, passes_by("Ann")))
    yield case("a dog crosses", yard(13, dog("Rex", LEFT, start=1).goes(RIGHT, speed=2.5)))


def _loitering() -> Iterator[Case]:
    rule = {"type": "loiter", "zone": "yard", "seconds": 10}

    def case(name: str, scene: Scene, happens: int = 0) -> Case:
        return Case(name, "loiter", rule, scene, happens)

    comes = person("Ann", LEFT, start=1).goes(MIDDLE)
    yield case("somebody stands about", yard(28, comes.stays(15).goes(RIGHT)), 1)
    paces = comes
    for _ in range(6):
        paces = paces.goes((560, 560)).goes((720, 640))
    yield case("somebody walks to and fro", yard(32, paces.goes(RIGHT)), 1)
    other = person("Bob", RIGHT, start=3).goes((700, 640)).stays(14).goes(LEFT)
    yield case("two stand about", yard(30, comes.goes((560, 560)).stays(15).goes(LEFT), other), 2)
    sits = comes.turns_into(SITTING, 1.5).stays(15)
    yield case("somebody sits down and stays", yard(24, sits), 1)
    yield case("somebody walks through", yard(13, through("Ann")))
    yield case("somebody stands for a moment", yard(20, comes.stays(7).goes(RIGHT)))
    outside = person("Ann", LEFT, start=1).goes((450, 600)).stays(16).goes(LEFT)
    yield case("somebody stands about outside", yard(24, outside))
    row = yard(
        40, *(through(name, 1 + 6 * n) for n, name in enumerate(("Ann", "Bob", "Cid", "Dan")))
    )
    yield case("one after the other walks through", row)


def _out_of_hours() -> Iterator[Case]:
    rule = {"type": "presence", "zone": "yard", "open": {"days": "mon-fri", "hours": "08:00-18:00"}}

    def case(name: str, begins: datetime, happens: int, start: float = 1.0) -> Case:
        stays = person("Ann", LEFT, start=start).goes(MIDDLE).stays(8).goes(RIGHT)
        return Case(name, "presence", rule, yard(22, stays, begins=begins), happens)

    def at(hour: int, minute: int, second: int = 0, day: int = NIGHT.day) -> datetime:
        return NIGHT.replace(day=day, hour=hour, minute=minute, second=second)

    yield case("somebody is there at night", NIGHT, 1)
    yield case("somebody comes after closing", at(18, 0, 1), 1)
    yield case("somebody is there on Sunday", at(12, 0, day=1), 1)
    yield case("somebody is still there at closing", at(17, 59, 50), 1)
    yield case("somebody is there by day", at(12, 0), 0)
    yield case("somebody comes at opening", at(7, 59, 58), 0)
    yield case("somebody leaves before closing", at(17, 59, 30), 0)
    passes = yard(13, passes_by("Ann"))
    yield Case("somebody passes behind the yard at night", "presence", rule, passes)
