"""Whatever rules find of one visitor is one happening, led by the most severe of them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace

import handmade
import pytest
from handmade import times, view
from playing import finding, kinds, play

from pipeline.config import LoiterRule, ZoneRule
from pipeline.incidents import MOST_TRACKS, UPDATE_EVERY_S, Action, Close, Incidents, Open, Update
from pipeline.types import Finding, Severity

RULES = {
    "lawn": ZoneRule(severity=Severity.INFO),
    "lingers": LoiterRule(type="loiter", severity=Severity.NOTICE),
    "falls": ZoneRule(severity=Severity.ALERT),
    "crowd": ZoneRule(severity=Severity.NOTICE),
}


def incidents() -> Incidents:
    numbers = itertools.count(1)
    return Incidents(RULES, new_id=lambda: f"incident-{next(numbers)}")


def said(rule: str, *findings: Finding) -> list[Finding]:
    """As another rule would say it."""
    return [
        replace(each, rule=rule, rule_reason=f"{rule}.", question=f"{rule}?") for each in findings
    ]


def crowd(at: float, *tracks: int) -> Finding:
    each = [finding(number, at, x=100 + 40 * number).tracks[0] for number in tracks]
    one = finding(tracks[0], at, rule="crowd")
    return replace(one, tracks=tuple(each), group=True)


def told(happened: list[tuple[float, Action]]) -> list[Open | Update]:
    return [action for _, action in happened if isinstance(action, Open | Update)]


def test_nine_findings_of_three_rules_on_one_visitor_are_one_event_with_the_highest_severity():
    def found(at: float) -> list[Finding]:
        one = finding(1, at, x=300 + 40 * at)
        rules = ["lawn"] + ["lingers"] * (at >= 4) + ["falls"] * (at >= 8)
        return [*itertools.chain.from_iterable(said(rule, one) for rule in rules)]

    happened = play(incidents(), times(0, 10, 1.0), found)
    assert len([action for action in told(happened) if isinstance(action, Open)]) == 1
    assert [(at, told_of.severity, told_of.finding.rule_reason) for at, told_of in happened] == [
        (0.0, Severity.INFO, "lawn."),
        (4.0, Severity.NOTICE, "lingers."),
        (8.0, Severity.ALERT, "falls."),
    ]
    last = told(happened)[-1]
    assert [(part.rule, part.severity.value) for part in last.rules] == [
        ("lawn", "info"),
        ("lingers", "notice"),
        ("falls", "alert"),
    ]
    assert (last.rules[1].started - handmade.BEGIN).total_seconds() == 0.0
    assert last.finding.question == "falls?"


def test_rules_that_find_somebody_in_the_same_view_open_one_event_of_the_most_severe():
    one = finding(1, 0)
    happened = play(
        incidents(), [0.0], lambda at: said("lawn", one) + said("falls", one) + said("lingers", one)
    )
    (opened,) = told(happened)
    assert isinstance(opened, Open)
    assert (opened.finding.rule, opened.severity) == ("falls", Severity.ALERT)
    assert [part.rule for part in opened.rules] == ["lawn", "falls", "lingers"]


def test_a_more_severe_rule_is_told_of_at_once_and_one_that_is_not_waits_its_turn():
    def found(at: float) -> list[Finding]:
        one = finding(1, at)
        rules = ["lingers"] + ["lawn"] * (at >= 0.2) + ["falls"] * (at >= 0.6)
        return [*itertools.chain.from_iterable(said(rule, one) for rule in rules)]

    happened = play(incidents(), times(0, 5), found)
    assert kinds(happened) == [(0.0, "Open", "incident-1"), (0.6, "Update", "incident-1")]
    later = play(incidents(), times(0, 5), lambda at: found(min(at, 0.5)))
    assert [at for at, _ in later] == [0.0, UPDATE_EVERY_S]


def test_of_equally_severe_rules_the_first_leads_and_the_other_is_named():
    def found(at: float) -> list[Finding]:
        return said("lingers", finding(1, at)) + said("crowd", finding(1, at))[: at >= 3]

    opened, updated = told(play(incidents(), times(0, 5), found))
    assert (opened.finding.rule, updated.finding.rule) == ("lingers", "lingers")
    assert not updated.anew  # type: ignore[union-attr]
    assert [part.rule for part in updated.rules] == ["lingers", "crowd"]


def test_the_most_severe_leads_on_though_it_was_over_in_a_moment():
    def found(at: float) -> list[Finding]:
        one = finding(1, at, strength=min(0.2 + at / 10, 1.0))
        return said("lawn", one) + said("falls", one)[: at == 0]

    updates = told(play(incidents(), times(0, 6), found))[1:]
    assert updates
    assert {(each.severity, each.finding.rule_reason) for each in updates} == {
        (Severity.ALERT, "falls.")
    }


def test_what_was_not_told_yet_is_told_before_the_end():
    def found(at: float) -> list[Finding]:
        if at > 0.7:
            return []
        return (
            said("lingers", finding(1, at, x=985))
            + said("lawn", finding(1, at, x=985))[: at >= 0.6]
        )

    happened = play(incidents(), times(0, 1.0) + times(1.2, 9), found)
    assert [type(action) for _, action in happened] == [Open, Update, Close]
    broken_off = incidents()
    play(broken_off, times(0, 0.7), found)
    update, close = broken_off.close_all("discontinuity")
    assert isinstance(update, Update)
    assert [part.rule for part in update.rules] == ["lingers", "lawn"]
    assert isinstance(close, Close)


def test_two_visitors_at_once_are_two_whatever_rules_find_them():
    happened = play(
        incidents(),
        times(0, 6),
        lambda at: (
            said("lawn", finding(1, at))
            + said("lingers", finding(2, at, x=560))
            + said("falls", finding(1, at))
            + said("lawn", finding(2, at, x=560))
        ),
    )
    opened = [action for action in told(happened) if isinstance(action, Open)]
    assert [(act.finding.rule, act.finding.tracks[0].id) for act in opened] == [
        ("falls", 1),
        ("lingers", 2),
    ]


def test_who_was_lost_for_three_seconds_and_is_found_again_is_one():
    happened = play(
        incidents(),
        times(0, 14),
        lambda at: [] if 4 < at < 7.5 else said("lawn", finding(1, at, x=300 + 20 * at)),
    )
    assert [type(action) for action in told(happened)] == [Open]


def test_who_has_left_by_the_edge_is_not_waited_for_so_long():
    def ends(x: float) -> float:
        happened = play(
            incidents(), times(0, 20), lambda at: [finding(1, at, x=x)] if at <= 1 else []
        )
        return next(at for at, action in happened if isinstance(action, Close))

    assert (ends(500), ends(985)) == (11.0, 4.0)


def test_who_leaves_the_zone_and_is_still_seen_has_not_vanished():
    happening = incidents()
    happened = [
        (at, action)
        for at in times(0, 20)
        for action in happening.update(
            view(at, [finding(1, at).tracks[0]]), [finding(1, at)] if at <= 1 else []
        )
    ]
    assert [(at, type(action)) for at, action in happened] == [(0, Open), (4.0, Close)]


def test_a_crowd_beside_a_visitor_is_an_event_of_its_own():
    def found(at: float) -> list[Finding]:
        return [*said("lawn", finding(1, at)), crowd(at, 1, 2, 3)]

    happened = play(incidents(), times(0, 6), found)
    assert [type(action) for action in told(happened)] == [Open, Open]
    visitor, many = told(happened)
    assert ([part.rule for part in visitor.rules], [part.rule for part in many.rules]) == (
        ["lawn"],
        ["crowd"],
    )
    assert [track.id for track in many.finding.tracks] == [1, 2, 3]


def test_a_crowd_stays_one_event_however_its_people_change_and_does_not_grow_without_end():
    happened = play(incidents(), times(0, 60), lambda at: [crowd(at, *range(int(at), int(at) + 5))])
    assert [type(action) for action in told(happened)] == [Open]
    growing = play(
        incidents(),
        times(0, 60),
        lambda at: [replace(crowd(at, *range(int(at), int(at) + 5)), strength=at / 60)],
    )
    ids = {track.id for action in told(growing) for track in action.finding.tracks}
    assert len(ids) == MOST_TRACKS


def test_what_is_taken_for_two_things_at_once_is_one_and_a_person_is_never_a_thing():
    def found(label: str) -> Callable[[float], list[Finding]]:
        def both(at: float) -> list[Finding]:
            car = handmade.track(1, 500, 800, at=at, label="car")
            other = handmade.track(2, 505, 805, at=at, since=1.0, label=label)
            return [replace(finding(1, at), tracks=(car,))] + [
                replace(finding(2, at), tracks=(other,))
            ] * (at >= 1.4)

        return both

    def opened(label: str) -> int:
        happened = play(incidents(), times(0, 5), found(label))
        return sum(isinstance(action, Open) for _, action in happened)

    assert [opened(label) for label in ("truck", "car", "person")] == [1, 2, 2]


@pytest.mark.parametrize("later", [["lawn"], ["falls", "lawn"], []])
def test_after_a_restart_the_event_still_knows_its_rules(later: list[str]):
    before = incidents()
    play(
        before,
        times(0, 5),
        lambda at: said("lawn", finding(1, at)) + said("lingers", finding(1, at)),
    )
    after = incidents()
    after.restore(json.loads(json.dumps(before.state())))
    happened = play(
        after,
        times(100, 104),
        lambda at: [each for rule in later for each in said(rule, finding(1, at, strength=0.9))],
    )
    rules = [part.rule for action in told(happened)[-1:] for part in action.rules]
    expected = {"lawn": ["lawn", "lingers"], "falls": ["lawn", "lingers", "falls"]}
    assert rules == (expected[later[0]] if later else [])
    assert not any(isinstance(action, Open) for _, action in happened)
    if later == ["lawn"]:
        assert {action.finding.rule_reason for action in told(happened)} == {"lingers."}
