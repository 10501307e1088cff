from __future__ import annotations

import json
import uuid

import handmade
import pytest
from handmade import times, view
from playing import finding, incidents, kinds, play

from pipeline.continuity import RESUME_WITHIN_S
from pipeline.incidents import VANISHED_S, Close, Incidents, Open, Update, uuid7
from pipeline.types import Finding


def test_one_happening_opens_once_and_closes_when_it_has_been_quiet():
    happened = play(
        incidents(), times(0, 12), lambda at: [finding(1, at, x=985)] if 1 <= at <= 5.1 else []
    )
    assert kinds(happened) == [(1.0, "Open", "incident-1"), (8.0, "Close", "incident-1")]
    close = happened[-1][1]
    assert isinstance(close, Close)
    assert close.reason == "quiet"
    assert (close.at - handmade.BEGIN).total_seconds() == pytest.approx(5.0)


def test_a_finding_that_flickers_is_still_one_happening():
    happened = play(
        incidents(), times(0, 20), lambda at: [finding(1, at)] if round(at * 5) % 13 == 0 else []
    )
    assert [kind for _, kind, _ in kinds(happened)] == ["Open"]


def test_two_tracks_at_once_are_two_happenings_however_near():
    happened = play(
        incidents(), times(0, 1), lambda at: [finding(1, at), finding(2, at, x=540, since=0.0)]
    )
    assert kinds(happened) == [(0.0, "Open", "incident-1"), (0.0, "Open", "incident-2")]


def test_one_who_comes_up_to_another_is_a_happening_of_its_own():
    happened = play(
        incidents(),
        times(0, 4),
        lambda at: [finding(1, at)] + ([finding(2, at, x=540, since=0.4)] if at >= 2 else []),
    )
    assert kinds(happened) == [(0.0, "Open", "incident-1"), (2.0, "Open", "incident-2")]


def test_one_who_is_first_seen_in_anothers_box_has_come_with_that_one():
    happened = play(
        incidents(),
        times(0, 4),
        lambda at: [finding(1, at)] + ([finding(2, at, x=540, since=1.6)] if at >= 2 else []),
    )
    assert kinds(happened) == [(0.0, "Open", "incident-1"), (2.0, "Update", "incident-1")]


def test_a_new_track_where_the_old_one_was_lost_goes_on_with_its_happening():
    def found(at: float) -> list[Finding]:
        return [finding(1, at)] if at < 3.1 else [finding(2, at, x=600, since=4.2)][: at >= 4.6]

    happened = play(incidents(), times(0, 8), found)
    assert kinds(happened) == [(0.0, "Open", "incident-1"), (4.6, "Update", "incident-1")]


def test_a_new_track_far_away_is_a_happening_of_its_own():
    def found(at: float) -> list[Finding]:
        return [finding(1, at, x=100)] if at < 3.1 else [finding(2, at, x=500, since=3.2)]

    happened = play(incidents(), times(0, 5), found)
    assert (3.2, "Open", "incident-2") in kinds(happened)


def test_a_new_track_after_the_quiet_time_is_a_happening_of_its_own():
    def found(at: float) -> list[Finding]:
        return [finding(1, at)] if at < 1.1 else [finding(2, at, since=4.5)][: at >= 4.9]

    assert kinds(play(incidents(), times(0, 12), found)) == [
        (0.0, "Open", "incident-1"),
        (5.0, "Open", "incident-2"),
        (11.0, "Close", "incident-1"),
    ]


def test_an_update_tells_that_it_has_become_much_stronger_not_that_it_goes_on():
    happened = play(
        incidents(),
        times(0, 60),
        lambda at: [finding(1, at, strength=min(0.5 + at / 20, 1.0))],
    )
    assert kinds(happened) == [
        (0.0, "Open", "incident-1"),
        (4.0, "Update", "incident-1"),
        (8.0, "Update", "incident-1"),
    ]


def test_updates_keep_a_distance_however_fast_it_grows():
    happened = play(
        incidents(), times(0, 10), lambda at: [finding(1, at, strength=min(0.1 + at, 1.0))]
    )
    updates = [at for at, action in happened if isinstance(action, Update)]
    assert updates == [2.0]


def test_a_happening_that_goes_on_under_a_new_track_grows_no_weaker():
    def found(at: float) -> list[Finding]:
        if at < 3.1:
            return [finding(1, at, strength=0.9)]
        return [finding(2, at, since=3.2, strength=0.5)]

    *_, (_, update) = play(incidents(), times(0, 6), found)
    assert isinstance(update, Update)
    assert update.finding.strength == 0.9
    assert update.finding.tracks[0].id == 2


def test_when_the_view_breaks_off_everything_closes_with_the_reason():
    happening = incidents()
    play(happening, times(0, 2), lambda at: [finding(1, at), finding(2, at, x=100)])
    closed = happening.close_all("discontinuity")
    assert [(act.incident_id, act.reason) for act in closed if isinstance(act, Close)] == [
        ("incident-1", "discontinuity"),
        ("incident-2", "discontinuity"),
    ]
    assert happening.close_all("stopped") == []
    assert play(happening, times(2.2, 8)) == []


def restarted(before: Incidents) -> Incidents:
    after = Incidents(new_id=lambda: "incident-new")
    after.restore(json.loads(json.dumps(before.state())))
    return after


def test_after_a_restart_a_happening_that_is_found_again_goes_on_under_its_id():
    before = incidents()
    play(before, times(0, 5), lambda at: [finding(1, at)])
    happened = play(
        restarted(before), times(100, 126), lambda at: [finding(1, at)] if 113 < at < 115.1 else []
    )
    assert kinds(happened) == [(115.0 + VANISHED_S, "Close", "incident-1")]
    assert happened[0][1].reason == "quiet"


def test_after_a_restart_one_that_is_not_found_again_closes_as_of_when_it_was_last_seen():
    before = incidents()
    play(before, times(0, 5), lambda at: [finding(1, at)])
    happened = play(restarted(before), times(100, 100 + RESUME_WITHIN_S + 5))
    assert kinds(happened) == [(100 + RESUME_WITHIN_S, "Close", "incident-1")]
    close = happened[0][1]
    assert close.reason == "restarted"
    assert (close.at - handmade.BEGIN).total_seconds() == pytest.approx(5.0)


def test_after_a_restart_a_new_track_in_the_same_place_goes_on_with_the_happening():
    before = incidents()
    play(before, times(0, 5), lambda at: [finding(1, at)])
    happened = play(
        restarted(before), times(100, 103), lambda at: [finding(9, at, x=520, since=100)]
    )
    assert {incident for _, _, incident in kinds(happened)} == {"incident-1"}
    assert not any(isinstance(action, Open) for _, action in happened)


def test_stopping_before_the_first_view_after_a_restart_loses_nothing():
    before = incidents()
    play(before, times(0, 5), lambda at: [finding(1, at)])
    after = restarted(before)
    assert after.state()["open"] == before.state()["open"]
    (close,) = after.close_all("stopped")
    assert (close.incident_id, close.reason) == ("incident-1", "restarted")


def test_stopping_before_it_was_found_again_closes_it_as_restarted():
    before = incidents()
    play(before, times(0, 5), lambda at: [finding(1, at), finding(2, at, x=100)])
    after = restarted(before)
    play(after, times(100, 102), lambda at: [finding(2, at, x=100)])
    closed = {act.incident_id: act.reason for act in after.close_all("stopped")}
    assert closed == {"incident-1": "restarted", "incident-2": "stopped"}


def test_ids_are_uuids_that_sort_by_time():
    happening = Incidents()
    (opened,) = happening.update(view(0), [finding(1, 0)])
    assert uuid.UUID(opened.incident_id).version == 7
    ids = [uuid7() for _ in range(100)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 100
