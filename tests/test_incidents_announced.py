"""Of which events people are told: caps per camera and hour, cool-downs, over restarts."""

from __future__ import annotations

import itertools
import json

import pytest
from handmade import times, view
from playing import finding

from pipeline.config import ZoneRule
from pipeline.incidents import Action, Close, Incidents, Open, Silence, Update
from pipeline.types import Finding, Severity

RULES = {
    "lawn": ZoneRule(severity=Severity.INFO),
    "gate": ZoneRule(severity=Severity.INFO, cooldown_s=60),
    "falls": ZoneRule(severity=Severity.ALERT),
    "door": ZoneRule(severity=Severity.INFO),
}


def incidents(most: int = 60) -> Incidents:
    numbers = itertools.count(1)
    return Incidents(RULES, max_events_per_hour=most, new_id=lambda: f"incident-{next(numbers)}")


class Visits:
    """Visitors one after the other, each at the edge and so soon over; times in seconds."""

    def __init__(self, happening: Incidents) -> None:
        self.happening = happening
        self._numbers = itertools.count(1)

    def at(self, begin: float, *rules: str, later: tuple[str, ...] = ()) -> list[Action]:
        """All that happens from a visitor who comes at `begin` and stays 1 s, to its end."""
        number = next(self._numbers)

        def found(at: float) -> list[Finding]:
            if at > begin + 1.01:
                return []
            names = [*rules, *(later if at > begin + 0.5 else ())]
            return [finding(number, at, x=985, since=begin, rule=rule) for rule in names]

        return [
            action
            for at in times(begin, begin + 5)
            for findings in [found(at)]
            for action in self.happening.update(
                view(at, [track for each in findings for track in each.tracks]), findings
            )
        ]

    def silence(self, begin: float, *rules: str) -> Silence | None:
        opened = self.at(begin, *rules)[0]
        assert isinstance(opened, Open)
        return opened.silence


def test_beyond_the_cap_events_open_and_nobody_is_told_until_the_hour_is_over():
    visits = Visits(incidents(most=3))
    silences = [visits.silence(60 * minute, "lawn") for minute in range(5)]
    assert silences == [None, None, None, Silence.CAPPED, Silence.CAPPED]
    assert visits.silence(3590, "lawn") is Silence.CAPPED
    assert visits.silence(3601, "lawn") is None
    assert visits.silence(3640, "lawn") is Silence.CAPPED


def test_what_is_less_severe_never_takes_the_room_of_what_is_more_severe():
    visits = Visits(incidents(most=2))
    assert [visits.silence(60 * n, "lawn") for n in range(3)][-1] is Silence.CAPPED
    assert [visits.silence(300 + 60 * n, "falls") for n in range(3)] == [
        None,
        None,
        Silence.CAPPED,
    ]
    assert visits.silence(3605, "lawn") is Silence.CAPPED


def test_a_silent_event_that_becomes_more_severe_is_announced_with_all_that_goes_with_it():
    visits = Visits(incidents(most=1))
    visits.at(0, "lawn")
    opened, update, close = visits.at(100, "lawn", later=("falls",))
    assert isinstance(opened, Open)
    assert opened.silence is Silence.CAPPED
    assert isinstance(update, Update)
    assert update.announced
    assert update.anew
    assert update.severity is Severity.ALERT
    assert isinstance(close, Close)
    assert visits.silence(200, "falls") is Silence.CAPPED


def test_a_silent_event_stays_silent_while_it_only_grows_stronger():
    happening = incidents(most=1)
    Visits(happening).at(0, "lawn")
    happened = [
        action
        for at in times(100, 112)
        for found in [finding(99, at, rule="lawn", since=100, strength=(at - 100) / 12)]
        for action in happening.update(view(at, found.tracks), [found])
    ]
    assert [type(action) for action in happened] == [Open] + [Update] * (len(happened) - 1)
    assert len(happened) > 2
    assert not any(action.announced for action in happened if isinstance(action, Update))


def test_within_its_cool_down_a_rules_events_are_silent_and_other_rules_are_heard():
    visits = Visits(incidents())
    assert visits.silence(0, "gate") is None
    assert visits.silence(30, "gate") is Silence.COOLDOWN
    assert visits.silence(40, "lawn") is None
    # From the end of the last that was told of, at 1 s: silent ones do not lengthen it.
    assert visits.silence(60.5, "gate") is Silence.COOLDOWN
    assert visits.silence(61.5, "gate") is None


def test_a_cooling_rule_does_not_silence_another_that_joins_it():
    visits = Visits(incidents())
    visits.at(0, "gate")
    opened, *rest = visits.at(30, "gate", later=("door",))
    assert isinstance(opened, Open)
    assert opened.silence is Silence.COOLDOWN
    assert [each.announced for each in rest if isinstance(each, Update)] == [True]


@pytest.mark.parametrize("resumed", [False, True])
def test_a_restart_forgets_neither_caps_nor_cool_downs(resumed: bool):
    before = Visits(incidents(most=2))
    before.at(0, "gate")
    before.at(10, "lawn")
    after = incidents(most=2)
    saved = json.loads(json.dumps(before.happening.state()))
    if resumed:
        after.restore(saved)
    else:
        # A longer stop: what was open is over, what was told is still known.
        after.recall(json.loads(json.dumps(before.happening.memory())))
    visits = Visits(after)
    assert visits.silence(40, "gate") is Silence.COOLDOWN
    assert visits.silence(100, "lawn") is Silence.CAPPED
    assert visits.silence(3620, "gate") is None


def test_what_was_remembered_is_kept_by_one_that_saw_nothing_and_counts_once():
    before = Visits(incidents(most=2))
    before.at(0, "lawn")
    idle = incidents(most=2)
    idle.restore(before.happening.state())
    idle.recall(before.happening.memory())
    assert idle.memory() == before.happening.memory()
    assert Visits(idle).silence(60, "lawn") is None


def test_a_clock_that_was_set_back_meanwhile_makes_no_room_and_no_endless_silence():
    before = Visits(incidents(most=1))
    before.at(7000, "lawn")
    after = incidents(most=1)
    after.recall(before.happening.memory())
    visits = Visits(after)
    assert visits.silence(0, "lawn") is Silence.CAPPED
    assert visits.silence(3700, "lawn") is None


def test_a_silent_event_that_goes_on_over_a_restart_is_still_silent():
    before = incidents(most=1)
    Visits(before).at(0, "lawn")
    for at in times(50, 55):
        found = finding(99, at, rule="lawn", since=50)
        before.update(view(at, found.tracks), [found])
    after = incidents(most=1)
    after.restore(json.loads(json.dumps(before.state())))
    updates = [
        action
        for at in times(60, 64)
        for found in [finding(99, at, rule="lawn", since=50, strength=1.0)]
        for action in after.update(view(at, found.tracks), [found])
    ]
    assert [action.announced for action in updates if isinstance(action, Update)] == [False]
