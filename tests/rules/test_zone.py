from __future__ import annotations

import json

import handmade
import pytest
from handmade import times, view

from pipeline.config import ZoneRule
from pipeline.continuity import RESUME_WITHIN_S
from pipeline.rules import make_rule
from pipeline.types import Finding, Zone

LAWN = Zone("lawn", "the lawn", ((0.2, 0.5), (0.8, 0.5), (0.8, 1.0), (0.2, 1.0)))
ZONES = {"lawn": LAWN}
INSIDE, OUTSIDE = (500, 800), (500, 300)


def rule(**keys: object):
    config = ZoneRule.model_validate({"type": "zone", "zone": "lawn", **keys})
    return make_rule("lawn", config, ZONES)


def found(rule, at: float, *places: tuple[float, float], **keys) -> list[Finding]:
    tracks = [handmade.track(i, x, y, at=at, **keys) for i, (x, y) in enumerate(places, 1)]
    return rule.update(view(at, tracks))


def test_who_is_in_the_zone_is_found_in_every_view_while_it_lasts():
    watching = rule()
    counts = [len(found(watching, at, INSIDE)) for at in times(0, 2)]
    assert counts[:2] == [0, 0]
    assert counts[2:] == [1] * 9


def test_who_is_outside_is_not_found():
    watching = rule()
    assert not any(found(watching, at, OUTSIDE) for at in times(0, 2))


def test_each_is_found_for_itself():
    watching = rule()
    for at in times(0, 1):
        findings = found(watching, at, INSIDE, (300, 700), OUTSIDE)
    assert [[track.id for track in finding.tracks] for finding in findings] == [[1], [2]]


def test_a_ghost_of_one_look_is_not_found():
    watching = rule()
    assert not any(found(watching, at, *([INSIDE] if at == 1.0 else [])) for at in times(0, 3))


@pytest.mark.parametrize("step", [0.5, 0.2, 0.04])
def test_a_presence_is_certain_after_the_same_time_at_any_number_of_looks(step):
    watching = rule()
    first = next(at for at in times(0, 3, step) if found(watching, at, INSIDE))
    assert 0.35 <= first <= 0.5


def test_other_labels_do_not_count():
    watching = rule(labels=("dog",))
    assert not any(found(watching, at, INSIDE) for at in times(0, 1))
    assert any(found(watching, at, INSIDE, label="dog") for at in times(2, 3))


def test_a_foot_that_trembles_on_the_edge_does_not_flicker():
    watching = rule()
    for at in times(0, 1):
        found(watching, at, (500, 510))
    assert all(
        found(watching, at, (500, 492 if round(at * 5) % 2 else 510)) for at in times(1.2, 3)
    )


def test_who_walks_out_is_no_longer_found():
    watching = rule()
    for at in times(0, 1):
        found(watching, at, INSIDE)
    assert not found(watching, 1.2, OUTSIDE)


def test_who_trembles_outside_the_edge_never_was_inside():
    watching = rule()
    assert not any(found(watching, at, (500, 492)) for at in times(0, 2))


def test_who_is_cut_off_by_the_pictures_lower_edge_is_inside():
    watching = rule()
    assert [len(found(watching, at, (500, 1000))) for at in times(0, 1)][-1] == 1


def test_without_a_zone_the_whole_picture_counts():
    watching = rule(zone=None)
    for at in times(0, 1):
        findings = found(watching, at, OUTSIDE)
    (finding,) = findings
    assert finding.zone is None
    assert finding.rule_reason == "A person is at the back door, 02:14."
    assert finding.question == "Is a person at the back door?"


def test_a_finding_says_what_where_and_when():
    watching = rule()
    for at in times(0, 5):
        findings = found(watching, at, INSIDE)
    (finding,) = findings
    assert finding.rule == "lawn"
    assert finding.zone == "lawn"
    assert finding.rule_reason == "A person is on the lawn, 02:14."
    assert finding.question == "Is a person on the lawn?"
    assert finding.started == pytest.approx(5000.0)
    assert finding.evidence == pytest.approx({"inside_s": 5.0, "confidence": 0.8})
    assert finding.strength == pytest.approx(0.75)


def test_strength_rises_from_a_half_to_one_and_stays():
    watching = rule()
    strengths = [f.strength for at in times(0, 20) for f in found(watching, at, INSIDE)]
    assert strengths[0] == pytest.approx(0.52)
    assert strengths == sorted(strengths)
    assert strengths[-1] == 1.0


def test_confidence_is_the_mean_over_the_looks_inside():
    watching = rule()
    for at in times(0, 1.8):
        findings = found(watching, at, INSIDE, confidence=0.9 if at < 0.9 else 0.5)
    assert findings[0].evidence["confidence"] == pytest.approx(0.7)


def test_the_users_own_question_is_asked():
    watching = rule(question="Is a gardener at work?")
    for at in times(0, 1):
        findings = found(watching, at, INSIDE)
    assert findings[0].question == "Is a gardener at work?"


def test_after_a_restart_who_was_inside_is_found_at_once_and_since_then():
    before = rule()
    for at in times(0, 5):
        found(before, at, INSIDE)
    after = rule()
    after.restore(json.loads(json.dumps(before.state())))
    assert not any(after.update(view(at)) for at in times(100, 113.8))
    (finding,) = found(after, 114.0, INSIDE)
    assert finding.evidence["inside_s"] == pytest.approx(19.0)


def test_after_a_restart_who_does_not_come_back_soon_is_forgotten():
    before = rule()
    for at in times(0, 5):
        found(before, at, INSIDE)
    after = rule()
    after.restore(json.loads(json.dumps(before.state())))
    assert not any(after.update(view(at)) for at in times(100, 100 + RESUME_WITHIN_S + 1))
    assert not found(after, 100 + RESUME_WITHIN_S + 1.2, INSIDE)
    assert "1" in after.state()
    assert after.state()["1"]["entered_s"] == 0
