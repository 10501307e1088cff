from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace

import handmade
import pytest
from handmade import SIZE, times

from pipeline.config import SpeedRule
from pipeline.protocols import Rule
from pipeline.rules import make_rule
from pipeline.types import Box, Detection, Finding, PathPoint, Track, Zone

Place = tuple[float, float]
HEIGHT = 60.0


def rule(zones: dict[str, Zone] | None = None, **keys: object) -> Rule:
    return make_rule("fast", SpeedRule.model_validate({"type": "speed", **keys}), zones or {})


def goes(speed: float, towards: float = 90.0, start: Place = (100.0, 500.0)):
    """A way at so many heights a second, in degrees clockwise from up in the picture."""
    right, down = math.sin(math.radians(towards)), -math.cos(math.radians(towards))
    way = speed * HEIGHT
    return lambda at: (start[0] + right * way * at, start[1] + down * way * at)


def seen(where: Callable[[float], Place], at: float, step: float, label: str) -> Track:
    """As tracking would have it: the velocity is that over the last second."""
    moments = [m for m in times(0, 30, step) if m <= at + 1e-9][-64:]
    (x, y), since = where(at), max(at - 1.0, 0.0)
    (x0, y0), over = where(since), max(at - since, 1e-9) * HEIGHT
    known = at - since >= 0.35
    return Track(
        id=7,
        label=label,
        detection=Detection(label, 0.8, handmade.standing(x, y, HEIGHT)),
        first_seen=5000.0,
        last_seen=5000.0 + at,
        path=tuple(PathPoint(5000.0 + m, *where(m)) for m in moments),
        velocity=((x - x0) / over, (y - y0) / over) if known else (0.0, 0.0),
    )


def told(
    watching: Rule,
    where: Callable[[float], Place],
    begin: float = 0,
    end: float = 5,
    step: float = 0.2,
    label: str = "person",
    missed: tuple[float, float] = (99, 99),
) -> list[tuple[float, Finding]]:
    found = []
    for at in times(begin, end, step):
        there = not missed[0] < at < missed[1]
        tracks = [seen(where, at, step, label)] if there else []
        view = replace(handmade.view(at, tracks), period_s=step)
        found += [(at, finding) for finding in watching.update(view)]
    return found


@pytest.mark.parametrize("step", [0.5, 0.2, 0.04])
def test_who_runs_for_a_second_is_found_at_any_number_of_looks(step):
    found = told(rule(), goes(2.2), step=step)
    assert found[0][0] == pytest.approx(1.5, abs=0.26)
    at, finding = found[-1]
    assert at == pytest.approx(5.0)
    assert finding.rule_reason.startswith(
        "A person runs at the back door at 2.2 times their height a second (limit 1.4) for "
    )
    assert finding.question == "Is a person running at the back door?"
    assert finding.evidence["speed"] == pytest.approx(2.2)
    assert finding.strength == pytest.approx(0.5 * 2.2 / 1.4)


@pytest.mark.parametrize("speed", [0.0, 0.8, 1.2])
def test_who_walks_is_not_found(speed):
    assert not told(rule(), goes(speed))


def test_who_begins_to_run_is_found_a_second_later():
    def begins(at: float) -> Place:
        return (100 + HEIGHT * (0.8 * at + 1.4 * max(at - 3, 0)), 500)

    assert told(rule(), begins)[0][0] == pytest.approx(4.2, abs=0.21)


def test_a_few_quick_steps_are_no_running():
    def leaps(at: float) -> Place:
        return (100 + HEIGHT * (0.8 * at + 2.0 * min(max(at - 3, 0), 0.5)), 500)

    assert not told(rule(), leaps, end=8)


def test_one_missed_look_does_not_begin_it_anew():
    found = told(rule(), goes(2.2), missed=(0.9, 1.1))
    assert found[0][0] == pytest.approx(1.6, abs=0.21)


def test_a_box_that_trembles_does_not_run():
    def trembles(at: float) -> Place:
        return (500 + 0.06 * HEIGHT * math.sin(77 * at), 500 + 0.06 * HEIGHT * math.cos(91 * at))

    assert not told(rule(), trembles, step=0.04)


def test_the_limit_may_be_another_one():
    assert not told(rule(above=2.5), goes(2.2))
    assert told(rule(above=0.5), goes(0.8))


def test_other_labels_go_fast_and_are_only_found_if_asked_for():
    assert not told(rule(), goes(3.0), label="dog")
    found = told(rule(labels=("car",)), goes(3.0), label="car")
    assert found[0][1].rule_reason.startswith("A car goes fast at the back door at 3.0 times its")


def test_what_the_picture_cuts_off_is_not_judged():
    watching = rule()
    for at in times(0, 5):
        track = seen(goes(2.2), at, 0.2, "person")
        box = track.detection.box
        cut = Box(box.x1, SIZE[1] - 20.0, box.x2, float(SIZE[1]))
        detection = replace(track.detection, box=cut)
        assert not watching.update(handmade.view(at, [replace(track, detection=detection)]))


def test_right_after_the_feet_were_cut_off_speeds_are_not_judged():
    up = goes(2.2, towards=0.0, start=(500.0, 990.0))
    first = told(rule(), up)[0][0]
    assert first == pytest.approx(0.2 + 1.0 + 1.0, abs=0.41)
    assert first > told(rule(), goes(2.2, towards=0.0, start=(500.0, 900.0)))[0][0]


@pytest.mark.parametrize(
    ("towards", "against"), [(270, True), (320, True), (220, True), (90, False), (0, False)]
)
def test_against_the_way_is_within_sixty_degrees(towards, against):
    found = told(rule(way=90), goes(0.8, towards, start=(500, 600)))
    assert bool(found) is against


def test_the_wrong_way_is_told_with_its_speed():
    found = told(rule(way=90, labels=("car",)), goes(0.8, 270, start=(500, 500)), label="car")
    assert found[-1][1].rule_reason == (
        "A car goes the wrong way at the back door at 0.8 times its height a second for 4 s, 02:14."
    )
    assert found[-1][1].question == "Is a car going the wrong way at the back door?"
    assert found[-1][1].evidence["direction"] == pytest.approx(270.0)
    assert found[0][1].strength == pytest.approx(0.5, abs=0.03)


def test_who_hardly_moves_goes_no_way():
    assert not told(rule(way=90), goes(0.2, 270, start=(500, 500)))


def test_where_both_are_asked_for_both_are_needed():
    both = {"way": 90, "above": 1.4}
    assert told(rule(**both), goes(2.2, 270, start=(900, 500)))
    assert not told(rule(**both), goes(0.8, 270, start=(900, 500)))
    assert not told(rule(**both), goes(2.2, 90))


def test_only_in_the_zone():
    lower = {"low": Zone("low", "the road", ((0, 0.7), (1, 0.7), (1, 1), (0, 1)))}
    assert not told(rule(lower, zone="low"), goes(2.2))
    found = told(rule(lower, zone="low"), goes(2.2, start=(100, 800)))
    assert "runs on the road" in found[0][1].rule_reason


def test_settled_things_do_not_run():
    watching = rule()
    for at in times(0, 5):
        track = replace(seen(goes(2.2), at, 0.2, "person"), settled=True)
        assert not watching.update(handmade.view(at, [track]))


def test_after_a_restart_it_goes_on():
    before, after = rule(seconds=3), rule(seconds=3)
    assert not told(before, goes(2.2), end=2.4)
    after.restore(json.loads(json.dumps(before.state())))
    found = told(after, goes(2.2), begin=2.6)
    assert found[0][0] == pytest.approx(3.5, abs=0.31)
