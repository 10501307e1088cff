"""How patient a supervisor is with a worker that ends."""

from __future__ import annotations

from pipeline.restarts import PATIENT, WARY, Policy, Restarts


def test_the_first_restarts_are_quick_and_become_slower() -> None:
    history = Restarts(PATIENT)
    waits = [history.ended(float(now)) for now in range(5)]
    assert [wait.delay_s for wait in waits] == [0.0, 0.25, 0.5, 1.0, 2.0]
    assert not any(wait.rest for wait in waits)
    assert not history.hopeless


def test_one_that_ends_too_often_within_a_minute_is_given_a_rest_and_has_failed() -> None:
    history = Restarts(PATIENT)
    *_, wait = [history.ended(float(now)) for now in range(6)]
    assert wait.rest
    assert wait.delay_s == 60.0
    assert wait.often == " 6 times within 5 s, at last"
    assert history.hopeless


def test_one_that_ends_now_and_then_is_started_at_once_each_time() -> None:
    history = Restarts(PATIENT)
    assert {history.ended(now * 61.0).delay_s for now in range(50)} == {0.0}


def test_rests_grow_up_to_the_longest() -> None:
    history = Restarts(Policy(quick=0, rest_s=5.0, longest_s=60.0))
    assert [history.ended(float(now)).delay_s for now in range(6)] == [5, 10, 20, 40, 60, 60]
    assert history.ended(1e6).delay_s == 5


def test_a_known_offender_rests_from_the_first_crash_and_is_not_given_up_soon() -> None:
    history = Restarts(WARY)
    first = history.ended(0.0)
    assert first.rest
    assert first.often == ""
    assert not history.hopeless
    for now in range(5):
        history.ended(float(now))
    assert history.hopeless
