from __future__ import annotations

import json
from dataclasses import replace

import handmade
import pytest
from handmade import times, view

from pipeline.config import LoiterRule
from pipeline.rules import make_rule
from pipeline.types import Zone

STEP = Zone("step", "the front step", ((0.2, 0.5), (0.8, 0.5), (0.8, 1.0), (0.2, 1.0)))
INSIDE, OUTSIDE = (500, 800), (500, 300)


def rule(**keys: object):
    config = LoiterRule.model_validate({"type": "loiter", "zone": "step", "seconds": 10, **keys})
    return make_rule("lingers", config, {"step": STEP})


def holds(rule, at: float, place: tuple[float, float] | None = INSIDE):
    tracks = [handmade.track(7, *place, at=at)] if place else []
    return rule.update(view(at, tracks))


def test_who_stays_longer_than_the_limit_is_found_from_then_on():
    watching = rule()
    held = [at for at in times(0, 15) if holds(watching, at)]
    assert held[0] == pytest.approx(10.0)
    assert len(held) == 26


def test_who_passes_is_not_found():
    watching = rule()
    assert not any(holds(watching, at, INSIDE if at < 9 else OUTSIDE) for at in times(0, 20))


@pytest.mark.parametrize("gap_place", [None, OUTSIDE])
def test_a_short_absence_does_not_begin_the_stay_anew(gap_place):
    watching = rule()
    held = [at for at in times(0, 11) if holds(watching, at, gap_place if 4 < at < 5.7 else INSIDE)]
    assert held[0] == pytest.approx(10.0)


@pytest.mark.parametrize(("gap_place", "back"), [(OUTSIDE, 7.0), (None, 10.0)])
def test_a_long_absence_begins_the_stay_anew(gap_place, back):
    watching = rule()
    held = [
        at for at in times(0, 24) if holds(watching, at, gap_place if 4 < at < back else INSIDE)
    ]
    assert held[0] == pytest.approx(back + 10.0, abs=0.21)


def test_the_stay_of_whoever_is_found_again_under_the_same_number_goes_on():
    watching = rule()
    held = [at for at in times(0, 12) if holds(watching, at, None if 4 < at < 8 else INSIDE)]
    assert held[0] == pytest.approx(10.0)


def test_what_is_settled_does_not_loiter():
    watching = rule()
    for at in times(0, 20):
        settled = replace(handmade.track(7, *INSIDE, at=at), settled=True)
        assert not watching.update(view(at, [settled]))


def test_where_looks_are_rare_one_missed_look_does_not_begin_the_stay_anew():
    watching = rule(seconds=30)
    held = []
    for at in times(0, 60, 5.0):
        tracks = [] if at == 20 else [handmade.track(7, *INSIDE, at=at)]
        if watching.update(replace(view(at, tracks), period_s=5.0)):
            held.append(at)
    assert held == times(30, 60, 5.0)


def test_who_stays_outside_does_not_loiter_here():
    watching = rule()
    assert not any(holds(watching, at, OUTSIDE) for at in times(0, 30))


def test_the_sentence_tells_how_long_and_what_the_limit_is():
    watching = rule(seconds=30)
    for at in times(0, 42):
        findings = holds(watching, at)
    (finding,) = findings
    said = "A person has stayed on the front step for 42 s (limit 30 s), 02:14."
    assert finding.rule_reason == said
    assert finding.question == "Is a person staying on the front step?"
    assert finding.started == pytest.approx(5000.0)
    expected = {"dwell_s": 42.0, "limit_s": 30.0, "confidence": 0.8}
    assert finding.evidence == pytest.approx(expected)
    assert finding.strength == pytest.approx(0.7)


def test_strength_is_a_half_at_the_limit_and_one_at_twice_the_limit():
    watching = rule()
    strengths = [finding.strength for at in times(0, 30) for finding in holds(watching, at)]
    assert strengths[0] == pytest.approx(0.5)
    assert strengths[50] == pytest.approx(1.0)
    assert strengths[-1] == 1.0


def test_without_a_zone_staying_in_the_picture_counts():
    watching = rule(zone=None)
    for at in times(0, 12):
        findings = holds(watching, at, OUTSIDE)
    assert "stayed at the back door for 12 s (limit 10 s)" in findings[0].rule_reason


def test_after_a_restart_the_stay_goes_on():
    before = rule()
    assert not any(holds(before, at) for at in times(0, 8))
    after = rule()
    after.restore(json.loads(json.dumps(before.state())))
    held = [at for at in times(100, 110) if holds(after, at, None if at < 101 else INSIDE)]
    assert held[0] == pytest.approx(102.0, abs=0.21)
