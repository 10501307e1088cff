"""Parked cars and things left behind, through all the stages of a camera."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from handmade import frame, standing, times

from pipeline.configfile import validate
from pipeline.incidents import Action, Close, Open, Update
from pipeline.stubs import StubDetector
from pipeline.types import Box, Detection, Frame
from pipeline.workers.analysis import Analysis

CAR = Detection("car", 0.8, standing(500, 800))
GREY = np.full((1000, 1000, 3), 114, np.uint8)


BAY = {"bay": [[0.4, 0.6], [0.6, 0.6], [0.6, 0.9], [0.4, 0.9]]}


def analysis(rule: dict[str, Any], found: Callable[[float], Iterable[Detection]]) -> Analysis:
    keys = {
        "source": "a.mp4",
        "detect": {"motion_gate": False},
        "zones": BAY,
        "rules": {"rule": rule},
    }
    settings = validate({"cameras": {"door": keys}}, where="test", folder=Path())

    def answer(seen: Frame) -> Iterable[Detection]:
        return found(seen.monotonic - 5000.0)

    detector = StubDetector(answer)
    return Analysis(settings, "door", detector.for_camera("door", settings.cameras["door"]))


def told(watching: Analysis, moments: list[float]) -> list[tuple[float, Action]]:
    """What begins and ends."""
    return [
        (at, action)
        for at in moments
        for action in watching.look(frame(at, GREY)).actions
        if not isinstance(action, Update)
    ]


def at_night(at: float) -> list[Detection]:
    """A parked car, which the detector finds for 3 s in 40 once it is dark."""
    return [CAR] if at < 100 or at % 40 < 3 else []


def test_a_parked_car_is_told_of_once_and_its_event_ends_by_itself() -> None:
    watching = analysis({"type": "zone", "labels": ["car"]}, at_night)
    (_, opened), (ended, closed) = told(watching, times(0, 600, 0.5))
    assert isinstance(opened, Open)
    assert isinstance(closed, Close)
    assert closed.reason == "quiet"
    assert ended == pytest.approx(64, abs=2)


def test_nor_is_it_told_of_again_after_a_restart() -> None:
    rule = {"type": "zone", "labels": ["car"]}
    before, after = analysis(rule, at_night), analysis(rule, at_night)
    assert told(before, times(0, 200, 0.5))
    after.resume(json.loads(json.dumps(before.state())), 5.0)
    assert told(after, times(205, 600, 0.5)) == []


def test_a_car_that_waits_too_long_is_found_before_it_is_part_of_the_place() -> None:
    rule = {"type": "loiter", "labels": ["car"], "seconds": 300}
    (found, opened), (ended, _) = told(analysis(rule, lambda _: [CAR]), times(0, 600, 0.5))
    assert isinstance(opened, Open)
    assert found == pytest.approx(300, abs=1.5)
    assert ended == pytest.approx(333, abs=4)


def test_a_case_whose_owner_leaves_it_when_it_is_part_of_the_place_is_one_event() -> None:
    def left(at: float) -> list[Detection]:
        owner = Detection("person", 0.9, standing(560 if 10 < at < 200 else 950, 800, 300))
        # A small thing, which the detector misses in every other look, and now and then for long.
        shown = at > 12 and round(at * 2) % 4 < 2 and not at % 50 < 8
        return [owner, *([Detection("suitcase", 0.5, standing(500, 800, 90))] if shown else [])]

    rule = {"type": "abandoned", "labels": ["suitcase"], "near": 1.0}
    watching = analysis(rule, left)
    (found, opened), *others = told(watching, times(0, 900, 0.5))
    assert isinstance(opened, Open)
    assert found == pytest.approx(260, abs=3)
    assert not [action for _, action in others if isinstance(action, Open)]
    assert opened.finding.rule_reason.startswith("A suitcase has been alone")


def test_a_parked_car_that_drives_out_of_its_bay_has_left_it() -> None:
    def driving_off(at: float) -> list[Detection]:
        x = 500 + max(0.0, at - 100) * 150
        return [Detection("car", 0.8, standing(x, 800))] if x < 950 else []

    rule = {"type": "zone", "zone": "bay", "on": "leave", "labels": ["car"]}
    (found, opened), *_ = told(analysis(rule, driving_off), times(0, 120))
    assert isinstance(opened, Open)
    assert 101 < found < 103


def test_somebody_who_has_sat_there_for_long_and_falls_is_found() -> None:
    chair, floor = Box(440, 600, 540, 790), Box(410, 730, 650, 795)

    def sits_and_falls(at: float) -> list[Detection]:
        share = min(max((at - 700) / 0.6, 0.0), 1.0)
        box = Box(*(a + share * (b - a) for a, b in zip(chair, floor, strict=True)))
        return [Detection("person", 0.8, box)]

    (found, opened), *_ = told(analysis({"type": "fall"}, sits_and_falls), times(0, 710))
    assert isinstance(opened, Open)
    assert 700.6 < found < 702.6


def bag_left(at: float, scale: float = 1.0) -> list[Detection]:
    """Somebody brings a case at 8 s and goes at 15 s; another walks past it from 57 s on."""
    people = [560] if 3 < at < 15 else [100 + 180 * (at - 57)] if 57 < at < 61.5 else []
    found = [
        Detection("person", 0.8, standing(x * scale, 800 * scale, 200 * scale)) for x in people
    ]
    case = Detection("suitcase", 0.8, standing(500 * scale, 800 * scale, 90 * scale))
    return [*found, *([case] if at > 8 else [])]


@pytest.mark.parametrize("broken_at", [30.0, 60.0])
def test_a_case_that_was_left_is_one_event_though_the_stream_breaks_off(broken_at: float) -> None:
    watching = analysis({"type": "abandoned", "labels": ["suitcase"], "seconds": 20}, bag_left)
    opened = [
        at
        for at in times(0, 120)
        for action in watching.look(
            replace(frame(at, GREY), discontinuity=at == pytest.approx(broken_at))
        ).actions
        if isinstance(action, Open)
    ]
    assert opened == [pytest.approx(35, abs=0.5)]


def test_in_a_picture_of_another_size_nothing_is_left_that_stood_there_before() -> None:
    def smaller_from_60(at: float) -> list[Detection]:
        return bag_left(at, 1.0 if at < 60 else 0.5)

    rule = {"type": "abandoned", "labels": ["suitcase"], "seconds": 20}
    watching = analysis(rule, smaller_from_60)
    opened = [
        at
        for at in times(0, 120)
        for action in watching.look(frame(at, GREY if at < 60 else GREY[::2, ::2])).actions
        if isinstance(action, Open)
    ]
    assert opened == [pytest.approx(35, abs=0.5)]
