from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.fusion.score import log_odds, model_contribution, rule_contributions
from pipeline.types import Box, Detection, Finding, Outcome, Track, Verdict, combined_score

fractions = st.floats(0, 1)


def finding(strength: float, *confidences: float) -> Finding:
    tracks = tuple(
        Track(n, "person", Detection("person", confidence, Box(0, 0, 10, 20)), 0.0, 1.0)
        for n, confidence in enumerate(confidences)
    )
    return Finding("person", tracks, None, 0.0, "A person is there.", strength, {}, "Is it?")


def verdict(probability: float | None, mass: float | None = 1.0) -> Verdict:
    outcome = Outcome.UNAVAILABLE if probability is None else Outcome.UNSURE
    return Verdict(
        outcome=outcome,
        question="Is it?",
        probability=probability,
        mass=mass,
        model="m",
        prompt_version="1",
    )


def score(rule: Finding, answer: Verdict | None = None) -> float:
    model = model_contribution(answer) if answer else {}
    return combined_score(rule_contributions(rule) | model)


@given(fractions, st.lists(fractions, max_size=3), fractions, fractions)
def test_a_score_is_never_certain(strength, confidences, probability, mass):
    assert 0 < score(finding(strength, *confidences), verdict(probability, mass)) < 1


@given(fractions, fractions, fractions, fractions)
def test_contributions_add_up_to_the_log_odds_of_the_score(strength, confidence, p, mass):
    parts = rule_contributions(finding(strength, confidence)) | model_contribution(verdict(p, mass))
    assert set(parts) == {"prior", "rule", "detector", "model"}
    total = combined_score(parts)
    assert math.log(total / (1 - total)) == pytest.approx(sum(parts.values()), abs=1e-9)


@given(fractions, fractions, fractions)
def test_more_of_any_evidence_never_lowers_the_score(low, high, other):
    low, high = sorted((low, high))
    assert score(finding(low, other)) <= score(finding(high, other))
    assert score(finding(other, low)) <= score(finding(other, high))
    rule = finding(other, other)
    assert score(rule, verdict(low)) <= score(rule, verdict(high))


@given(fractions, fractions, st.floats(0, 0.4), st.floats(0.05, 1))
def test_a_no_lowers_the_score_and_never_to_nothing(strength, confidence, probability, mass):
    rule = finding(strength, confidence)
    assert 0.001 < score(rule, verdict(probability, mass)) < score(rule)


@given(fractions, fractions)
def test_a_model_without_an_answer_changes_nothing(strength, confidence):
    rule = finding(strength, confidence)
    assert model_contribution(verdict(None, None)) == {}
    assert score(rule, verdict(None, None)) == score(rule)


@given(fractions, fractions, fractions)
def test_a_model_that_hardly_answered_counts_less(probability, low, high):
    low, high = sorted((low, high))
    weak = model_contribution(verdict(probability, low))["model"]
    strong = model_contribution(verdict(probability, high))["model"]
    assert abs(weak) <= abs(strong)
    assert weak * strong >= 0


def test_half_an_answer_counts_half():
    whole, half = (model_contribution(verdict(0.9, mass))["model"] for mass in (1.0, 0.5))
    assert half == pytest.approx(whole / 2)


def test_an_undecided_model_adds_nothing():
    assert model_contribution(verdict(0.5)) == {"model": 0.0}


def test_the_surest_detection_counts():
    assert rule_contributions(finding(0.5, 0.3, 0.9)) == rule_contributions(finding(0.5, 0.9, 0.2))


def test_a_finding_without_tracks_has_no_detector_in_it():
    assert set(rule_contributions(finding(0.5))) == {"prior", "rule"}


def test_log_odds_stay_finite_for_certainty():
    assert log_odds(1.0) == pytest.approx(-log_odds(0.0))
    assert log_odds(1.0) < 4


def test_a_plain_visit_lies_above_one_half_and_a_clear_no_well_below():
    visit = finding(0.3, 0.85)
    assert 0.5 < score(visit) < 0.85
    assert score(visit, verdict(0.03)) < 0.25
    assert score(visit, verdict(0.97)) > 0.9
