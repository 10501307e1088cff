"""Which tracks are one visit, and so one happening."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import handmade
import pytest
from handmade import times, view
from playing import finding, incidents, kinds, play

from pipeline.incidents import MOST_TRACKS, VANISHED_S, Action, Close, Open, Update
from pipeline.types import Finding


def visits(count: int, stay_s: float, pause_s: float) -> list[tuple[float, Action]]:
    """One after the other at the same spot, each another track."""

    def found(at: float) -> list[Finding]:
        number, into = divmod(at + 1e-6, stay_s + pause_s)
        here = number < count and into <= stay_s + 1e-3
        return [finding(int(number) + 1, at, since=number * (stay_s + pause_s))] if here else []

    return play(incidents(), times(0, count * (stay_s + pause_s) + VANISHED_S), found)


def test_visitors_one_after_the_other_at_one_spot_are_one_happening_each():
    happened = visits(30, stay_s=1.6, pause_s=1.8)
    assert [type(action) for _, action in happened].count(Open) == 30
    assert [type(action) for _, action in happened].count(Close) == 30


def test_a_crowd_that_hands_over_without_a_pause_is_split_before_it_grows_too_large():
    happened = visits(3 * MOST_TRACKS, stay_s=2.2, pause_s=0.4)
    told: dict[str, set[int]] = {}
    for _, action in happened:
        if isinstance(action, Open | Update):
            ids = {track.id for track in action.finding.tracks}
            told.setdefault(action.incident_id, set()).update(ids)
    assert [len(ids) for ids in told.values()] == [MOST_TRACKS] * 3


@pytest.mark.parametrize("leaves_at", [(960, 800), (40, 800), (500, 995), (500, 215)])
def test_who_comes_when_another_has_left_by_the_pictures_edge_is_another_visitor(leaves_at):
    left, y = leaves_at

    def found(at: float) -> list[Finding]:
        if at < 3.1:
            return [finding(1, at, x=left, y=y)]
        into = 150 if left == 40 else -150
        return [finding(2, at, x=left + into, y=y, since=3.4)] if at > 3.7 else []

    opened = [a for _, a in play(incidents(), times(0, 5), found) if isinstance(a, Open)]
    assert len(opened) == 2


def test_who_is_always_cut_off_by_the_edge_and_flickers_is_one_visitor():
    def found(at: float) -> list[Finding]:
        if at < 3.1:
            return [finding(1, at, y=1000, height=600)]
        return [finding(2, at, x=520, y=1000, height=600, since=3.6)] if at > 3.9 else []

    opened = [a for _, a in play(incidents(), times(0, 5), found) if isinstance(a, Open)]
    assert len(opened) == 1


def test_a_new_track_goes_on_with_the_nearest_of_two_that_were_lost():
    def found(at: float) -> list[Finding]:
        if at < 3.1:
            return [finding(1, at, x=300), finding(2, at, x=520), finding(3, at, x=740)]
        return [finding(4, at, x=540, since=3.4)]

    happened = play(incidents(), times(0, 5), found)
    assert (3.2, "Update", "incident-2") in kinds(happened)
    assert len([act for _, act in happened if isinstance(act, Open)]) == 3


@pytest.mark.parametrize(("before", "after"), [(200, 60), (60, 200)])
def test_a_box_that_is_half_hidden_before_or_after_reaches_as_far_as_the_whole(before, after):
    def found(at: float) -> list[Finding]:
        if at < 3.1:
            return [finding(1, at, x=300, height=before)]
        return [finding(2, at, x=580, height=after, since=3.4)]

    opened = [a for _, a in play(incidents(), times(0, 5), found) if isinstance(a, Open)]
    assert len(opened) == 1


def test_who_was_still_seen_outside_the_zone_when_another_came_is_another():
    happening = incidents()
    happened = []
    for at in times(0, 5):
        inside = finding(1, at) if at < 2.1 else finding(2, at, x=560, since=2.4)
        outside = handmade.track(1, 520, 700, at=at)
        seen = [*inside.tracks, *([outside] if 2.1 < at < 2.5 else [])]
        findings = [] if 2.1 < at < 2.5 else [inside]
        happened += happening.update(view(at, seen), findings)
    assert [type(action) for action in happened].count(Open) == 2


def rarely(found: Callable[[float], list[Finding]], end: float = 60.0) -> list[Action]:
    """What happens where there is a look every five seconds."""
    happening = incidents()
    return [
        action
        for at in times(0, end, 5.0)
        for findings in [found(at)]
        for action in happening.update(
            replace(view(at, [t for f in findings for t in f.tracks]), period_s=5.0), findings
        )
    ]


def test_where_looks_are_rare_one_missed_look_ends_nothing_and_three_do():
    once = rarely(lambda at: [] if at == 20 else [finding(1, at)])
    assert [type(action) for action in once] == [Open]
    thrice = rarely(lambda at: [] if 20 <= at <= 30 else [finding(1, at)])
    assert [type(action) for action in thrice] == [Open, Close, Open]


def test_where_looks_are_rare_a_new_track_at_the_same_place_still_goes_on():
    happened = rarely(lambda at: [finding(1, at)] if at < 22 else [finding(2, at, since=30.0)])
    assert [type(action) for action in happened] == [Open, Update]


def test_who_stands_still_and_is_found_only_now_and_then_is_one_visitor():
    def found(at: float) -> list[Finding]:
        number, into = divmod(at + 1e-6, 12.0)
        if into < 3:
            return []
        begun = number * 12 + 3
        seen = finding(int(number) + 1, at, since=begun)
        (track,) = seen.tracks
        still = 5000 + begun if into > 5 else None
        return [replace(seen, tracks=(replace(track, stationary_since=still),))]

    happened = [type(action) for _, action in play(incidents(), times(0, 120), found)]
    assert happened.count(Open) == 1
    assert Close not in happened
