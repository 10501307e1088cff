"""An event and an amendment become the next version."""

from __future__ import annotations

import math

import pytest
from happenings import NOW, after, asked, created, ended, judged, track, updated
from hypothesis import given
from hypothesis import strategies as st

from pipeline.amendment import Amendment
from pipeline.errors import AmendmentError
from pipeline.store.fold import fold
from pipeline.types import Event, EventType, Outcome, State, combined_score


def folded(*amendments: Amendment) -> Event:
    event = None
    for seconds, amendment in enumerate(amendments):
        event = fold(event, "e1", amendment, after(seconds))
    assert event is not None
    return event


def test_a_new_event_holds_what_it_was_created_with() -> None:
    event = folded(asked())
    amendment = asked()
    assert (event.id, event.version, event.type) == ("e1", 1, EventType.CREATED)
    assert event.updated_at == NOW
    for field in ("camera", "site", "rule", "severity", "tracks", "zone", "images", "described_by"):
        assert getattr(event, field) == getattr(amendment, field)


def test_an_update_joins_tracks_by_id_and_keeps_their_newest_box() -> None:
    event = folded(created(), updated(tracks=(track(2), track(1, left=0.375))))
    assert event.tracks == (track(1, left=0.375), track(2))
    assert event.rule_reason == updated().rule_reason
    assert (event.version, event.type, event.updated_at) == (2, EventType.UPDATED, after(1))


def test_an_update_that_says_nothing_new_makes_no_version() -> None:
    once = folded(created(), updated())
    assert fold(once, "e1", updated(), after(9)) is once


def test_contributions_are_merged_and_make_the_score() -> None:
    event = folded(asked(), updated(), judged())
    assert event.scores == {"rule": 0.5, "detector": 0.75, "model": 1.25}
    assert event.score == combined_score(event.scores)


def test_an_answer_brings_its_probability_reason_and_description() -> None:
    event = folded(asked(), judged(judge_reason="He stands still.", question="Is anyone there?"))
    assert (event.state, event.state_reason) == (State.CONFIRMED, None)
    assert (event.probability, event.judge_reason) == (0.9, "He stands still.")
    assert event.question == "Is anyone there?"
    assert (event.description, event.described_by) == ("A man in a red coat waits.", "local tiny")


def test_an_answer_without_a_description_leaves_the_template_s() -> None:
    event = folded(asked(), judged(description=None))
    assert (event.description, event.described_by) == (created().description, "template")


def test_a_silence_says_why_and_looks_like_no_answer() -> None:
    event = folded(asked(), judged(Outcome.UNAVAILABLE))
    assert (event.state, event.state_reason) == (State.UNVERIFIED, "model_unavailable")
    assert event.judge_reason == "The model did not answer."
    assert event.probability is None
    assert event.description == created().description


def test_a_late_answer_takes_the_reason_of_the_silence_away() -> None:
    event = folded(asked(), judged(Outcome.UNAVAILABLE), judged(Outcome.NO))
    assert (event.state, event.state_reason, event.judge_reason) == (State.REJECTED, None, None)
    assert event.version == 3


def test_a_no_hides_nothing() -> None:
    before = folded(asked(), updated())
    after_no = fold(before, "e1", judged(Outcome.NO, scores={"model": -2.0}), NOW)
    for field in ("severity", "tracks", "images", "rule_reason", "started", "ended"):
        assert getattr(after_no, field) == getattr(before, field)
    assert after_no.score < before.score


def test_the_first_end_stands() -> None:
    event = folded(created(), ended(90), ended(120))
    assert (event.version, event.ended) == (2, after(90))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_contribution_that_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(AmendmentError, match="'rule'.*not a finite number"):
        folded(created(scores={"rule": value}))


contributions = st.dictionaries(
    st.sampled_from(["rule", "detector", "model", "motion"]), st.floats(-50, 50), max_size=4
)
amendments: st.SearchStrategy[Amendment] = st.one_of(
    st.builds(lambda scores: asked(scores=scores), contributions),
    st.builds(
        lambda scores, numbers: updated(scores=scores, tracks=tuple(map(track, numbers))),
        contributions,
        st.lists(st.integers(1, 5), max_size=3),
    ),
    st.builds(
        lambda outcome, scores: judged(outcome, scores=scores),
        st.sampled_from(Outcome),
        contributions,
    ),
    st.builds(ended, st.floats(0, 1000)),
)


@given(st.lists(amendments, max_size=12))
def test_whatever_happens_versions_have_no_gaps_and_the_score_adds_up(
    happenings: list[Amendment],
) -> None:
    event = fold(None, "e1", asked(), NOW)
    tracks, ended_at = set(event.tracks), None
    for seconds, amendment in enumerate(happenings):
        before, event = event, fold(event, "e1", amendment, after(seconds))
        assert event is before or event.version == before.version + 1
        assert event.score == combined_score(event.scores)
        assert {t.id for t in event.tracks} >= {t.id for t in tracks}
        assert ended_at is None or event.ended == ended_at
        assert before.state is State.DETECTED or event.state is not State.DETECTED
        tracks, ended_at = set(event.tracks), event.ended
        assert Event.model_validate_json(event.model_dump_json()) == event
