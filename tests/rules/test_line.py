from __future__ import annotations

import json
from dataclasses import replace

import handmade
import pytest
from handmade import times

from pipeline.config import LineRule
from pipeline.protocols import Rule
from pipeline.rules import make_rule
from pipeline.types import Finding, Line, PathPoint, Track, Zone

UPWARDS = ((0.5, 0.9), (0.5, 0.3))
"""Somebody who goes along it goes up in the picture: what is left of it is left in the picture."""
GATE = Line("gate", "the gate", UPWARDS, left="the street", right="the yard")
LEFT, RIGHT = 300.0, 700.0


def rule(line: Line = GATE, zones: dict[str, Zone] | None = None, **keys: object) -> Rule:
    config = LineRule.model_validate({"type": "line", "line": "gate", **keys})
    return make_rule("gate", config, zones or {}, {"gate": line})


def told(
    watching: Rule, where, begin: float = 0, end: float = 10, step: float = 0.2
) -> list[tuple[float, Finding]]:
    found = []
    for at in times(begin, end, step):
        place = where(at)
        tracks = [handmade.track(7, *place, at=at)] if place else []
        seen = replace(handmade.view(at, tracks), period_s=step)
        found += [(at, finding) for finding in watching.update(seen)]
    return found


def walk(begin: float, end: float, y: float = 600.0):
    """From one column to another within ten seconds."""
    return lambda at: (begin + (end - begin) * at / 10, y)


def sentences(found: list[tuple[float, Finding]]) -> set[str]:
    return {finding.rule_reason for _, finding in found}


@pytest.mark.parametrize("step", [1.0, 0.5, 0.2, 0.04])
def test_who_walks_across_has_crossed_at_that_time(step):
    found = told(rule(), walk(LEFT, RIGHT), step=step)
    assert sentences(found) == {"A person crossed the gate from the street to the yard, 02:14."}
    assert found[0][1].started == pytest.approx(5005.0, abs=0.01)
    assert found[0][1].evidence["to_left"] == 0.0
    assert found[-1][0] - found[0][0] <= 2.0


def test_the_way_back_is_named_too():
    found = told(rule(), walk(RIGHT, LEFT))
    assert sentences(found) == {"A person crossed the gate from the yard to the street, 02:14."}


@pytest.mark.parametrize(
    ("direction", "rightwards", "leftwards"),
    [("both", True, True), ("to_right", True, False), ("to_left", False, True)],
)
def test_only_the_directions_that_are_asked_for_count(direction, rightwards, leftwards):
    assert bool(told(rule(direction=direction), walk(LEFT, RIGHT))) is rightwards
    assert bool(told(rule(direction=direction), walk(RIGHT, LEFT))) is leftwards


def test_a_line_that_is_drawn_the_other_way_turns_its_sides():
    turned = replace(GATE, points=UPWARDS[::-1])
    assert told(rule(turned, direction="to_left"), walk(LEFT, RIGHT))
    assert not told(rule(turned, direction="to_right"), walk(LEFT, RIGHT))


def test_two_looks_far_apart_are_enough_of_a_way():
    found = told(rule(), lambda at: (LEFT if at < 5 else RIGHT, 600), step=0.5)
    assert found[0][0] == 5.5


def test_who_turns_back_before_the_line_has_not_crossed():
    assert not told(rule(), lambda at: (480 - 20 * abs(at - 5), 600))


def test_who_passes_beyond_its_end_has_not_crossed():
    assert not told(rule(), walk(LEFT, RIGHT, y=250))
    assert not told(rule(), walk(LEFT, RIGHT, y=950))


def test_going_back_round_the_end_is_no_crossing():
    path = [(300, 600), (700, 600), (700, 200), (300, 200), (300, 600)]

    def around(at: float) -> tuple[float, float]:
        leg, part = divmod(at / 5, 1)
        (x1, y1), (x2, y2) = path[int(leg)], path[min(int(leg) + 1, 4)]
        return x1 + part * (x2 - x1), y1 + part * (y2 - y1)

    assert sentences(told(rule(), around, end=19.8)) == {
        "A person crossed the gate from the street to the yard, 02:14."
    }


def test_trembling_on_the_line_is_no_crossing():
    assert not told(rule(), lambda at: (515 if round(at * 5) % 2 else 485, 600))


def test_a_single_look_beyond_is_no_crossing():
    assert not told(rule(), lambda at: (RIGHT if at == 5.0 else LEFT, 600))


def test_who_crosses_and_is_lost_right_then_has_crossed():
    watching = rule()
    places = {0.0: 400.0, 0.2: 460.0, 0.4: 540.0}
    for at, x in places.items():
        assert not watching.update(handmade.view(at, [handmade.track(7, x, 600, at=at)]))
    gone = replace(handmade.track(7, 540, 600, at=0.4), lost=True)
    (finding,) = watching.update(replace(handmade.view(2.6), lost=(gone,)))
    assert finding.started == pytest.approx(5000.3)


def test_the_first_look_of_a_track_which_rules_do_not_see_counts():
    watching = rule()
    found = []
    for at in times(0, 2):
        track = handmade.track(7, 560 + 40 * at, 600, at=at)
        before = track.path[0]._replace(monotonic=4999.5, x=430)
        found += watching.update(handmade.view(at, [replace(track, path=(before, *track.path))]))
    assert found


def test_crossing_and_coming_back_are_two_crossings():
    found = told(rule(), lambda at: (LEFT if at < 3 or at >= 9 else RIGHT, 600), end=15)
    assert len({finding.started for _, finding in found}) == 2
    assert len(sentences(found)) == 2


def test_a_corner_of_a_line_is_crossed_once():
    bent = replace(GATE, points=((0.5, 0.9), (0.5, 0.6), (0.6, 0.3)))
    found = told(rule(bent), walk(LEFT, RIGHT, y=600.0))
    assert len({finding.started for _, finding in found}) == 1


@pytest.mark.parametrize(
    ("left", "right", "said"),
    [
        (None, None, "towards the right of the picture"),
        (None, "the yard", "to the yard"),
        ("the street", None, "from the street"),
    ],
)
def test_sides_without_a_name_are_told_by_the_picture(left, right, said):
    found = told(rule(replace(GATE, left=left, right=right)), walk(LEFT, RIGHT))
    assert f"crossed the gate {said}, " in found[0][1].rule_reason


def test_a_line_across_is_crossed_upwards_and_downwards():
    across = Line("gate", "the gate", ((0.2, 0.5), (0.8, 0.5)))
    up = told(rule(across, direction="to_left"), lambda at: (500, 700 - 40 * at))
    down = told(rule(across, direction="to_right"), lambda at: (500, 300 + 40 * at))
    assert "towards the top of the picture" in up[0][1].rule_reason
    assert "towards the bottom of the picture" in down[0][1].rule_reason


def test_where_the_rule_has_a_zone_the_line_must_be_crossed_in_it():
    upper = {"top": Zone("top", "the top", ((0, 0), (1, 0), (1, 0.5), (0, 0.5)))}
    assert told(rule(zones=upper, zone="top"), walk(LEFT, RIGHT, y=450))
    assert not told(rule(zones=upper, zone="top"), walk(LEFT, RIGHT, y=600))


@pytest.mark.parametrize("stopped", [4.0, 5.2])
def test_a_restart_forgets_nobodys_side(stopped):
    before, after = rule(), rule()
    assert not told(before, walk(LEFT, RIGHT), end=stopped)
    after.restore(json.loads(json.dumps(before.state())))
    found = told(after, walk(LEFT, RIGHT), begin=6.0)
    assert found
    assert found[0][1].rule_reason.startswith("A person crossed the gate from the street")


def test_other_labels_and_settled_things_do_not_count():
    watching = rule()
    for at in times(0, 10):
        x, y = walk(LEFT, RIGHT)(at)
        dog: Track = handmade.track(7, x, y, at=at, label="dog")
        settled = replace(handmade.track(8, x, y, at=at), settled=True)
        assert not watching.update(handmade.view(at, [dog, settled]))


@pytest.mark.parametrize("begin", [0, 9])
def test_what_was_settled_and_drives_off_crossed_when_it_did(begin):
    def car(at: float) -> Track:
        path = tuple(
            PathPoint(5000 + then, 480.0 + 100 * max(0.0, then - 10), 600.0)
            for then in times(max(0, at - 12), at)
        )
        track = handmade.track(7, path[-1].x, 600, at=at)
        return replace(track, path=path, settled=2 < at < 11.5)

    watching = rule()
    found = [f for at in times(begin, 14) for f in watching.update(handmade.view(at, [car(at)]))]
    assert {round(finding.started, 2) for finding in found} == {5010.2}


def test_a_crossing_is_not_told_of_anew_after_the_stream_broke_off():
    watching = rule()
    assert told(watching, walk(LEFT, RIGHT), end=6.4)
    assert not watching.update(replace(handmade.view(6.6), broken_off=True))
    assert not told(watching, lambda at: None, begin=6.8)
