"""One passage is one event, in films of people and of cars, with the real detector.

Passages were counted by eye: six people come to a table one after the other and leave; four cars
pass below a camera that looks straight down, two of them side by side.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from films import shared

from pipeline.workers.inline import watch

PEOPLE = 6
CARS = 4
ROOM = [[0.02, 0.02], [0.98, 0.02], [0.98, 0.98], [0.02, 0.98]]


def passages(film: Path, rules: dict[str, Any], fps: float) -> tuple[int, list[set[str]]]:
    """How many events began, and which rules took part in each in the end."""
    ended = {}
    begun = 0
    for event in watch(str(film), rules, zones={"room": ROOM}, fps=fps):
        begun += event.version == 1
        ended[event.id] = {part.rule for part in event.rules}
    return begun, list(ended.values())


@pytest.mark.slow
@pytest.mark.parametrize("fps", [2, 5])
def test_everybody_who_comes_to_the_table_is_one_event_for_two_rules(fps: float) -> None:
    film = shared("intel/one-by-one-person-detection.mp4")
    rules = {
        "there": {"type": "zone", "zone": "room"},
        "lingers": {"type": "loiter", "zone": "room", "seconds": 4, "severity": "alert"},
    }
    begun, took_part = passages(film, rules, fps)
    assert begun == PEOPLE
    assert took_part == [{"there", "lingers"}] * PEOPLE


@pytest.mark.slow
@pytest.mark.parametrize("fps", [5, 12])
def test_every_car_is_one_event_whatever_it_is_taken_for(fps: float) -> None:
    film = shared("intel/car-detection.mp4")
    # From straight above a small detector takes most cars for something else, and changes its mind.
    taken_for = ["car", "truck", "bus", "cell phone", "suitcase"]
    begun, _ = passages(film, {"passes": {"type": "zone", "labels": taken_for}}, fps)
    assert begun == CARS
