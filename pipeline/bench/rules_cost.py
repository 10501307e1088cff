"""What all rules together cost in one look, beside tracking."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline import config
from pipeline.bench.scenes.actors import SIZE, Actor, bag, car, person
from pipeline.bench.scenes.case import watched_by
from pipeline.bench.scenes.feeding import analysed
from pipeline.bench.scenes.places import yard
from pipeline.bench.scenes.scene import CAMERA, FPS, Scene
from pipeline.bench.stages import figures
from pipeline.rules import RULES, make_rule
from pipeline.types import View

PEOPLE, CARS, CASES = 16, 2, 2
TRACKS = PEOPLE + CARS + CASES
WARM_UP = 100
"""Looks that do not count: by then everybody is there, and the rules know them."""
_THINGS = ["person", "car", "suitcase"]
_SETTINGS: Mapping[str, tuple[type[config.RuleBase], Mapping[str, Any]]] = {
    "inside": (config.ZoneRule, {"type": "zone", "zone": "yard", "labels": _THINGS}),
    "enter": (config.ZoneRule, {"type": "zone", "zone": "yard", "on": "enter", "labels": _THINGS}),
    "leave": (config.ZoneRule, {"type": "zone", "zone": "yard", "on": "leave", "labels": _THINGS}),
    "line": (config.LineRule, {"type": "line", "line": "gate", "labels": _THINGS}),
    "loiter": (config.LoiterRule, {"type": "loiter", "zone": "yard"}),
    "crowd": (config.CrowdRule, {"type": "crowd", "growing_by": 3}),
    "running": (config.SpeedRule, {"type": "speed"}),
    "wrong-way": (config.SpeedRule, {"type": "speed", "way": 90}),
    "fall": (config.FallRule, {"type": "fall"}),
    "abandoned": (config.AbandonedRule, {"type": "abandoned"}),
    "presence": (config.PresenceRule, {"type": "presence", "open": {"hours": "08:00-18:00"}}),
    "novelty": (config.NoveltyRule, {"type": "novelty", "labels": _THINGS}),
}
"""One rule of each kind, as a camera of a busy place would have them."""


def busy_place(seconds: float) -> Scene:
    """20 things at once: people who walk about, cars and cases that stand there."""
    random = np.random.default_rng(1)
    width, height = SIZE

    def spot() -> tuple[float, float]:
        return float(random.uniform(0.05, 0.95) * width), float(random.uniform(0.3, 0.98) * height)

    people = []
    for number in range(PEOPLE):
        walker: Actor = person(f"person {number}", spot(), height=110)
        while walker.now < seconds:
            walker = walker.goes(spot())
        people.append(walker)
    cars = [car(f"car {number}", spot()).stays(seconds) for number in range(CARS)]
    cases = [bag(f"case {number}", spot()).stays(seconds) for number in range(CASES)]
    return yard(seconds, *people, *cars, *cases)


def measure_cost(views: int) -> dict[str, Any]:
    """The milliseconds that tracking and all rules there are, with the incidents made of what they
    find, take in each of so many looks at 20 tracks, after `WARM_UP` looks; and each rule alone on
    the same views."""
    scene = busy_place((WARM_UP + views) / FPS)
    rules = {name: rule for name, (kind, rule) in _SETTINGS.items() if kind in RULES}
    settings = watched_by(scene, rules)
    spent: dict[str, list[float]] = {"track": [], "rules": []}
    seen: list[View] = []
    gc.collect()
    for number, look in enumerate(analysed(scene, settings)):
        seen.append(look.view)
        if number >= WARM_UP:
            for stage, taken in spent.items():
                taken.append(look.spent[stage])
    each = {name: _alone(name, settings, seen) for name in rules}
    tracks = sum(len(view.tracks) for view in seen[WARM_UP:]) / max(len(seen) - WARM_UP, 1)
    return {
        "tracks": round(tracks, 1),
        "looks": len(spent["rules"]),
        **figures(spent),
        "each": figures(each),
    }


def _alone(name: str, settings: config.Config, views: list[View]) -> list[float]:
    camera = settings.cameras[CAMERA]
    rule = make_rule(name, camera.rules[name], camera.named_zones(), camera.named_lines())
    spent = []
    for view in views:
        began = time.perf_counter()
        rule.update(view)
        spent.append(time.perf_counter() - began)
    return spent[WARM_UP:]
