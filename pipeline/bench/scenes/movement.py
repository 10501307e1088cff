"""Scenes about how somebody moves: running, going the wrong way, falling."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.bench.scenes.actors import (
    BENDING,
    CROUCHING,
    LYING_ASLANT,
    RUN,
    SITTING,
    STANDING,
    Lens,
    bicycle,
    dog,
    person,
)
from pipeline.bench.scenes.case import Case
from pipeline.bench.scenes.places import BEFORE, BEYOND, LEFT, MIDDLE, RIGHT, through, yard
from pipeline.bench.scenes.scene import Scene

DEEP = Lens(near=680, horizon=120)
"""Of a camera that hangs high: people shrink as they go away."""


def movement_cases() -> Iterator[Case]:
    yield from _running()
    yield from _wrong_way()
    yield from _falling()
    yield from _not_falling()


def _running() -> Iterator[Case]:
    def case(name: str, scene: Scene, happens: int = 0, **settings: Any) -> Case:
        return Case(name, "speed running", {"type": "speed", **settings}, scene, happens)

    runs = person("Ann", LEFT, start=1).goes(RIGHT, speed=RUN)
    yield case("somebody runs through", yard(8, runs), 1)
    begins = person("Ann", LEFT, start=1).goes(BEFORE).goes(RIGHT, speed=RUN)
    yield case("somebody begins to run", yard(10, begins), 1)
    yield case("one runs past one who walks", yard(13, through("Bob"), runs), 1)
    towards = person("Ann", (500.0, 240.0), start=1, lens=DEEP).goes((760, 690), speed=RUN).stays(3)
    yield case("somebody runs towards the camera", yard(12, towards), 1)
    away = person("Ann", (760.0, 690.0), start=1, lens=DEEP).stays(1).goes((500, 240), speed=RUN)
    yield case("somebody runs away from the camera", yard(12, away.stays(3)), 1)
    rides = bicycle("bike", LEFT, start=1).goes(RIGHT, speed=3)
    yield case("a bicycle is fast", yard(9, rides), 1, labels=["bicycle"], above=2.0)
    yield case("somebody walks through", yard(13, through("Ann")))
    brisk = person("Ann", LEFT, start=1).goes(RIGHT, speed=1.15)
    yield case("somebody walks briskly", yard(11, brisk))
    near = person("Ann", (500.0, 240.0), start=1, lens=DEEP).goes((760, 690)).stays(2)
    yield case("somebody walks towards the camera", yard(14, near))
    leaps = person("Ann", LEFT, start=1).goes((500, 600)).goes((590, 600), speed=RUN).goes(RIGHT)
    yield case("somebody leaps over a puddle", yard(13, leaps))
    yield case("a dog runs", yard(8, dog("Rex", LEFT, start=1).goes(RIGHT, speed=4)))
    sits = person("Ann", LEFT, start=1).goes(MIDDLE).turns_into(SITTING, 0.8).stays(4)
    yield case("somebody sits down quickly", yard(12, sits))


def _wrong_way() -> Iterator[Case]:
    rule = {"type": "speed", "way": 90}

    def case(name: str, scene: Scene, happens: int = 0) -> Case:
        return Case(name, "speed wrong way", rule, scene, happens)

    against = person("Bob", RIGHT, start=1).goes(LEFT)
    yield case("somebody goes against the way", yard(13, against), 1)
    yield case("one of two goes against the way", yard(13, through("Ann"), against), 1)
    slanting = person("Bob", (1340.0, 450.0), start=1).goes((-60, 700))
    yield case("somebody goes against it at a slant", yard(13, slanting), 1)
    back = person("Ann", LEFT, start=1).goes(BEYOND).stays(2).goes(LEFT)
    yield case("somebody turns round", yard(24, back), 1)
    yield case("somebody goes the right way", yard(13, through("Ann")))
    across = person("Ann", (640.0, 430.0), start=1).goes((640, 700)).stays(2)
    yield case("somebody goes across", yard(10, across))
    stands = person("Ann", LEFT, start=1).goes(MIDDLE).stays(6).goes(RIGHT)
    yield case("somebody stops and goes on", yard(20, stands))
    step = person("Ann", LEFT, start=1).goes(MIDDLE).goes((590, 600)).goes(RIGHT)
    yield case("somebody takes a step back", yard(14, step))


def _falling() -> Iterator[Case]:
    def case(name: str, scene: Scene, happens: int = 1) -> Case:
        return Case(name, "fall", {"type": "fall"}, scene, happens)

    comes = person("Ann", LEFT, start=1).goes(MIDDLE)
    yield case("somebody stands and falls", yard(18, comes.stays(2).falls().stays(8)))
    yield case("somebody falls while walking", yard(16, comes.falls().stays(9)))
    yield case("somebody sinks down", yard(18, comes.stays(2).falls(1.5).stays(8)))
    up = comes.falls().stays(4).turns_into(STANDING, 2).goes(RIGHT)
    yield case("somebody falls and gets up after a while", yard(18, up))
    aslant = comes.stays(1).falls(0.7, LYING_ASLANT).stays(8)
    yield case("somebody falls aslant", yard(16, aslant))
    lost = comes.stays(2).falls(0.5).unseen(9)
    yield case("somebody falls and is not found any more", yard(18, lost))
    yield case("one of two falls", yard(16, comes.falls().stays(8), through("Bob", 2)))
    sits = comes.turns_into(SITTING, 1.5).stays(4).falls(0.6).stays(7)
    yield case("somebody slips off a chair", yard(20, sits))


def _not_falling() -> Iterator[Case]:
    def case(name: str, scene: Scene) -> Case:
        return Case(name, "fall", {"type": "fall"}, scene)

    comes = person("Ann", LEFT, start=1).goes(MIDDLE)
    yield case("somebody walks through", yard(13, through("Ann")))
    yield case("somebody sits down", yard(20, comes.turns_into(SITTING, 1.2).stays(10)))
    bends = comes.turns_into(BENDING, 0.8).stays(1.5).turns_into(STANDING, 0.8).goes(RIGHT)
    yield case("somebody picks something up", yard(16, bends))
    ties = comes.turns_into(CROUCHING, 1.0).stays(5).turns_into(STANDING, 1.0).goes(RIGHT)
    yield case("somebody ties a shoe", yard(20, ties))
    stumbles = comes.falls(0.5).stays(0.3).turns_into(STANDING, 0.7).goes(RIGHT)
    yield case("somebody stumbles and is up at once", yard(14, stumbles))
    below = person("Ann", LEFT, start=1).goes(MIDDLE).goes((700, 950), speed=1.2)
    yield case("somebody leaves below", yard(10, below))
    yield case("somebody leaves by a door", yard(14, comes.stays(1)))
    away = person("Ann", (640.0, 690.0), start=1, lens=DEEP).goes((640, 230)).stays(3)
    yield case("somebody walks away from the camera", yard(16, away))
    runs = person("Ann", LEFT, start=1).goes(RIGHT, speed=RUN)
    yield case("somebody runs", yard(8, runs))
