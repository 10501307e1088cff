from __future__ import annotations

import json
from dataclasses import replace

import handmade
import pytest
from handmade import times

from pipeline.config import ZoneRule
from pipeline.protocols import Rule
from pipeline.rules import make_rule
from pipeline.types import Finding, Track, View, Zone

LAWN = Zone("lawn", "the lawn", ((0.2, 0.5), (0.8, 0.5), (0.8, 1.0), (0.2, 1.0)))
INSIDE, OUTSIDE = (500, 800), (500, 300)


def rule(on: str, **keys: object) -> Rule:
    config = ZoneRule.model_validate({"type": "zone", "zone": "lawn", "on": on, **keys})
    return make_rule("lawn", config, {"lawn": LAWN})


def view(at: float, *tracks: Track, period_s: float = 0.2, lost: tuple[Track, ...] = ()) -> View:
    return replace(handmade.view(at, tracks), period_s=period_s, lost=lost)


def person(at: float, place: tuple[float, float], **keys) -> Track:
    return handmade.track(7, *place, at=at, **keys)


def told(
    watching: Rule, where, begin: float = 0, end: float = 10, step: float = 0.2
) -> list[tuple[float, Finding]]:
    """What is found of a person who is at `where(at)`; nowhere if that is None."""
    found = []
    for at in times(begin, end, step):
        place = where(at)
        tracks = [person(at, place)] if place else []
        found += [(at, f) for f in watching.update(view(at, *tracks, period_s=step))]
    return found


def in_at(moment: float):
    return lambda at: INSIDE if at >= moment else OUTSIDE


def out_at(moment: float):
    return lambda at: OUTSIDE if at >= moment else INSIDE


@pytest.mark.parametrize("step", [0.5, 0.2, 0.04])
@pytest.mark.parametrize(("on", "way"), [("enter", in_at), ("leave", out_at)])
def test_a_passage_is_told_of_for_two_seconds_at_any_number_of_looks(on, way, step):
    found = told(rule(on), way(4.0), step=step)
    assert 4.3 <= found[0][0] <= 4.6
    assert found[-1][0] - found[0][0] == pytest.approx(2.0, abs=step + 0.01)
    assert all(finding.started == pytest.approx(5004.0, abs=0.01) for _, finding in found)


@pytest.mark.parametrize(("on", "way"), [("enter", out_at), ("leave", in_at)])
def test_the_other_way_is_not_told_of(on, way):
    assert not told(rule(on), way(4.0))


def test_who_comes_up_in_the_midst_was_not_seen_to_enter():
    assert not told(rule("enter"), lambda at: INSIDE)


def test_who_vanishes_in_the_midst_was_not_seen_to_leave():
    watching = rule("leave")
    assert not told(watching, lambda at: INSIDE, end=3)
    gone = replace(person(3, INSIDE), lost=True)
    assert not watching.update(view(5.2, lost=(gone,)))


def test_who_comes_in_by_the_edge_of_the_picture_has_entered():
    found = told(rule("enter"), lambda at: (500, 1000 - 30 * at))
    assert found
    assert found[0][1].rule_reason == "A person has come onto the lawn, 02:14."


def test_who_stands_at_the_edge_of_the_picture_from_the_first_look_on_has_not():
    assert not told(rule("enter"), lambda at: (500, 1000))


def test_who_is_lost_at_the_edge_of_the_picture_has_left_unless_standing_there():
    for standing in (False, True):
        watching = rule("leave")
        assert not told(watching, lambda at: (500, 900 + 30 * at), end=3)
        gone = replace(person(3, (500, 990)), lost=True)
        if standing:
            gone = replace(gone, stationary_since=4990.0)
        assert bool(watching.update(view(5.2, lost=(gone,)))) is not standing


@pytest.mark.parametrize("on", ["enter", "leave"])
def test_trembling_on_the_edge_passes_nothing(on):
    def trembles(at: float) -> tuple[float, float]:
        return (500, 492 if round(at * 5) % 2 else 508)

    assert not told(rule(on), trembles)


def test_one_look_inside_is_no_entering():
    assert not told(rule("enter"), lambda at: INSIDE if at == 4.0 else OUTSIDE)


def test_a_passage_in_looks_far_apart_with_one_missed_is_found():
    def walks(at: float):
        return None if 3.9 < at < 4.6 else (OUTSIDE if at < 4 else INSIDE)

    assert told(rule("enter"), walks, step=0.5)


def test_who_goes_out_and_comes_in_again_has_entered_twice():
    found = told(rule("enter"), lambda at: OUTSIDE if at < 2 or 8 <= at < 12 else INSIDE, end=20)
    assert len({finding.started for _, finding in found}) == 2


@pytest.mark.parametrize(
    ("name", "entered", "left"),
    [
        ("the lawn", "A person has come onto the lawn", "A person has left the lawn"),
        ("the yard", "A person has come into the yard", "A person has left the yard"),
        ("the gate", "A person has come to the gate", "A person has left the gate"),
        ("behind the shed", "A person has come behind the shed", "A person that was behind the"),
    ],
)
def test_the_sentence_names_the_place(name, entered, left):
    zone = {"lawn": replace(LAWN, name=name)}
    for on, way, said in (("enter", in_at, entered), ("leave", out_at, left)):
        config = ZoneRule.model_validate({"type": "zone", "zone": "lawn", "on": on})
        _, finding = told(make_rule("r", config, zone), way(4.0))[0]
        assert finding.rule_reason.startswith(said)
        assert finding.question.endswith("?")


def test_strength_rises_with_the_way_beyond_the_edge():
    found = told(rule("enter"), lambda at: (500, 300 + 60 * at))
    strengths = [finding.strength for _, finding in found]
    assert strengths[0] < strengths[-1] < 1
    assert strengths[0] == pytest.approx(0.5 + 0.5 * found[0][1].evidence["beyond_heights"])


def test_without_a_zone_only_the_edge_of_the_picture_counts():
    watching = rule("enter", zone=None)
    found = told(watching, lambda at: (30 + 50 * at, 400))
    assert found[0][1].rule_reason == (
        "A person has come into the picture at the back door, 02:14."
    )
    assert not told(rule("enter", zone=None), lambda at: OUTSIDE)


@pytest.mark.parametrize("stopped", [2.0, 4.2])
def test_a_restart_forgets_nobodys_side(stopped):
    before, after = rule("enter"), rule("enter")
    assert not told(before, in_at(4.0), end=stopped)
    after.restore(json.loads(json.dumps(before.state())))
    found = told(after, in_at(4.0), begin=stopped + 0.2)
    assert found[0][0] == pytest.approx(max(4.4, stopped + 0.2), abs=0.21)


def test_other_labels_and_settled_things_do_not_count():
    watching = rule("enter")
    for at in times(0, 10):
        place = in_at(4.0)(at)
        others = person(at, place, label="dog"), replace(person(at, place), id=8, settled=True)
        assert not watching.update(view(at, *others))


def test_what_is_settled_leaves_from_where_it_stood_once_it_has_moved_off():
    def car(at: float) -> Track:
        # It is out of the zone before it is taken to have moved.
        return replace(person(at, (500, 800) if at < 4 else (900, 800)), settled=at < 5)

    watching = rule("leave")
    found = [at for at in times(0, 10) if watching.update(view(at, car(at)))]
    assert 5 < found[0] < 6
    assert found[-1] - found[0] == pytest.approx(2.0, abs=0.21)
    restarted = rule("leave")
    for at in times(0, 3):
        restarted.update(view(at, car(at)))
    after = rule("leave")
    after.restore(json.loads(json.dumps(restarted.state())))
    assert any(after.update(view(at, car(at))) for at in times(4, 8))


@pytest.mark.parametrize(("on", "way"), [("enter", in_at), ("leave", out_at)])
def test_a_passage_is_not_told_of_anew_after_the_stream_broke_off(on, way):
    watching = rule(on)
    assert told(watching, way(4.0), end=5.0)
    assert not watching.update(replace(view(5.2), broken_off=True))
    assert not told(watching, lambda at: None, begin=5.4)
