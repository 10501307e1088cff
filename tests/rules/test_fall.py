from __future__ import annotations

import json
import math
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from films import shared
from handmade import SIZE, times, view

from pipeline.bench.falls import measure_falls
from pipeline.config import FallRule
from pipeline.configfile import validate
from pipeline.detectors import load_detector
from pipeline.incidents import Open
from pipeline.rules import make_rule
from pipeline.sources import open_source
from pipeline.types import Box, Detection, Finding, Track, Zone
from pipeline.workers.analysis import Analysis, looks
from pipeline.workers.choosing import Pacer

STANDING = Box(400, 300, 480, 500)
SITTING = Box(400, 350, 478, 500)
BENT = Box(390, 390, 500, 500)
SQUATTING = Box(400, 390, 480, 500)
KNEELING = Box(395, 355, 475, 500)
SITTING_ON_THE_GROUND = Box(380, 396, 485, 500)
LYING = Box(340, 440, 540, 500)
BESIDE = Box(560, 300, 640, 500)
LYING_ON_A_BED = Box(340, 410, 540, 460)
AWAY = None

Moments = list[tuple[float, Box | None]]
"""Where somebody is when; between two moments on the way from the one to the other, and not to be
seen from one without a box on."""


def at(moments: Moments, now: float) -> Box | None:
    before = [moment for moment in moments if moment[0] <= now]
    after = [moment for moment in moments if moment[0] > now]
    (began, old), (ends, new) = before[-1], (after or before[-1:])[0]
    if old is None or new is None:
        return old
    share = (now - began) / (ends - began) if ends > began else 0.0
    # A box is never quite the same twice.
    tremble = math.sin(40 * now) / 10
    return Box(*(a + (b - a) * share + tremble for a, b in zip(old, new, strict=True)))


def track(box: Box, now: float, number: int = 7, **fields: object) -> Track:
    seen = Track(number, "person", Detection("person", 0.8, box), 5000.0, 5000.0 + now)
    return replace(seen, **fields)


def rule(zones: dict[str, Zone] | None = None, **keys: object):
    return make_rule("fall", FallRule.model_validate({"type": "fall", **keys}), zones or {})


def watch(
    moments: Moments, *, watching=None, until: float | None = None, every: float = 0.2, begin=0.0
) -> list[tuple[float, Finding]]:
    """What is found, and when, of one person."""
    watching = watching or rule()
    found = []
    for now in times(begin, until or moments[-1][0] + 4.0, every):
        box = at(moments, now)
        seen = [track(box, now)] if box else []
        moment = replace(view(now, seen), period_s=every)
        found += [(now, finding) for finding in watching.update(moment)]
    return found


def going(*stages: Box | None, took_s: float = 0.8, pause_s: float = 2.0) -> Moments:
    """Each stage for `pause_s`, and `took_s` from one to the next."""
    moments: Moments = []
    now = 0.0
    for stage in stages:
        moments += [(now, stage), (now + pause_s, stage)]
        now += pause_s + took_s
    return moments


FALL = going(STANDING, LYING)


def test_who_falls_and_stays_down_is_found_a_second_later_and_as_long_as_it_lasts():
    found = [now for now, _ in watch(FALL)]
    assert found[0] == pytest.approx(2.8 + 1.0, abs=0.41)
    assert found == pytest.approx(times(found[0], 8.8))


def test_the_sentence_and_the_evidence_tell_the_numbers():
    _, finding = next(one for one in watch(FALL, until=20) if one[1].evidence["down_s"] >= 5)
    assert finding.rule_reason == "A person fell at the back door and has been down for 5 s, 02:14."
    assert finding.question == "Has a person fallen at the back door?"
    assert finding.rule == "fall"
    assert finding.started == pytest.approx(5002.2, abs=0.21)
    assert finding.strength == pytest.approx(1.0)
    assert finding.evidence["drop_heights"] == pytest.approx(0.7, abs=0.01)
    assert finding.evidence["speed"] == pytest.approx(0.7 / 0.8, abs=0.1)
    assert finding.evidence["limit_s"] == 1.0
    assert finding.evidence["found_down"] == 1.0


def test_strength_is_a_half_at_the_limit_and_rises():
    strengths = [finding.strength for _, finding in watch(FALL)]
    assert strengths[0] == pytest.approx(0.5, abs=0.05)
    assert strengths == sorted(strengths)


@pytest.mark.parametrize("every", [1 / 15, 1 / 8, 1 / 5, 1 / 3])
@pytest.mark.parametrize("phase", [0.0, 0.25, 0.5, 0.75])
def test_it_does_not_matter_how_often_and_when_one_looks(every: float, phase: float):
    found = watch(FALL, every=every, begin=phase * every)
    assert found[0][0] <= 2.8 + 2.0


@pytest.mark.parametrize("scale", [0.2, 0.5, 1.8])
def test_it_does_not_matter_how_large_somebody_is(scale: float):
    small: Moments = [(when, Box(*(v * scale for v in box or ()))) for when, box in FALL]
    assert watch(small)


def test_who_falls_from_a_chair_is_found():
    assert watch(going(SITTING, LYING))


@pytest.mark.parametrize(
    "daily",
    [
        going(STANDING, SITTING),
        going(STANDING, SITTING, took_s=0.4),
        going(STANDING, BENT, STANDING, took_s=0.5),
        going(STANDING, SQUATTING, STANDING, took_s=0.5),
        going(STANDING, KNEELING, took_s=0.5),
        going(STANDING, SITTING_ON_THE_GROUND, took_s=1.0),
        going(STANDING, LYING_ON_A_BED, took_s=1.0),
        going(SITTING, LYING_ON_A_BED, took_s=0.8),
        going(SITTING_ON_THE_GROUND, LYING),
        going(STANDING, LYING, took_s=4.0),
        going(LYING, STANDING),
        going(LYING, AWAY),
    ],
    ids=[
        "sits down",
        "drops into a chair",
        "bends",
        "squats",
        "kneels",
        "sits down on the ground",
        "goes to bed",
        "lies down on a bed",
        "lies down from the ground",
        "lies down slowly",
        "gets up",
        "is lost lying",
    ],
)
def test_daily_life_is_no_fall(daily: Moments):
    assert not watch(daily)


def test_who_is_up_again_at_once_is_not_found():
    assert not watch([(0, STANDING), (2, STANDING), (2.8, LYING), (3.2, LYING), (3.8, STANDING)])


def test_how_long_somebody_must_stay_down_is_set_by_seconds():
    found = watch(FALL, watching=rule(seconds=3))
    assert found[0][0] == pytest.approx(2.8 + 3.0, abs=0.41)


def test_who_gets_up_is_found_no_longer_and_a_second_fall_is_a_new_one():
    found = watch(going(STANDING, LYING, STANDING, LYING, pause_s=3.0))
    held = [finding.started for _, finding in found]
    assert len(set(held)) == 2
    assert not [now for now, _ in found if 7.2 < now < 11.0]


def test_who_walks_out_below_the_camera_has_not_fallen():
    far, near = Box(470, 300, 530, 470), Box(430, 420, 570, 820)
    cut, head = Box(400, 640, 600, 1000), Box(400, 930, 600, 1000)
    walk: Moments = [(0, far), (3, near), (4, cut), (5, head), (5.4, AWAY)]
    assert not watch(walk)


def test_who_leaves_by_the_side_has_not_fallen():
    shoe = Box(960, 440, 1000, 500)
    assert not watch([(0, STANDING), (3, Box(900, 300, 980, 500)), (3.6, shoe), (3.8, AWAY)])


def test_looks_in_which_the_lying_are_not_found_change_nothing():
    watching = rule()
    found = []
    for look, now in enumerate(times(0, 9)):
        box = at(FALL, now)
        assert box is not None
        there = now < 2.9 or look % 5 == 0
        found += watching.update(view(now, [track(box, now)] if there else []))
    assert found[0].evidence["down_s"] == pytest.approx(1.0, abs=0.21)
    assert len(found) > 20


GOING = Box(395, 370, 485, 500)


def test_who_is_lost_on_the_way_down_is_found():
    found = watch([(0, STANDING), (2, STANDING), (2.4, GOING), (2.5, AWAY)])
    now, finding = found[0]
    assert now == pytest.approx(2.4 + 1.0, abs=0.21)
    said = "A person went down at the back door and has not been seen for 1 s, 02:14."
    assert finding.rule_reason == said
    assert finding.strength == 0.5
    assert finding.evidence["found_down"] == 0.0
    assert finding.tracks[0].id == 7


@pytest.mark.parametrize(
    "lost",
    [
        [(0, STANDING), (2, STANDING), (2.1, AWAY)],
        [(0, STANDING), (2, STANDING), (2.8, SITTING), (5, SITTING), (5.1, AWAY)],
        [(0, STANDING), (2, STANDING), (2.4, Box(400, 370, 480, 570)), (2.5, AWAY)],
    ],
    ids=["standing", "sitting", "with a box that slips as a whole"],
)
def test_who_is_lost_otherwise_has_not_fallen(lost: Moments):
    assert not watch(lost)


def test_who_is_lost_on_the_way_down_at_the_edge_has_left():
    moments: Moments = [(0, STANDING), (2, STANDING), (2.4, GOING), (2.5, AWAY)]
    aside: Moments = [
        (when, box and Box(box.x1 + 515, box.y1, box.x2 + 515, box.y2)) for when, box in moments
    ]
    assert not watch(aside)


def test_who_is_found_again_upright_under_another_number_has_not_fallen():
    watching = rule()
    for now in times(0, 8):
        moments: Moments = [
            (0, STANDING),
            (2, STANDING),
            (2.4, GOING),
            (3.0, SITTING),
            (9, SITTING),
        ]
        box = at(moments, now)
        assert box is not None
        seen = [] if 2.5 < now < 3.0 else [track(box, now, 7 if now < 2.5 else 8)]
        assert not watching.update(view(now, seen))


def test_a_track_that_breaks_in_the_fall_is_joined_to_the_one_before():
    watching = rule()
    found = []
    for now in times(0, 6):
        box = at(FALL, now)
        assert box is not None
        seen = [] if 2.3 < now < 2.9 else [track(box, now, 7 if now < 2.5 else 8)]
        found += watching.update(view(now, seen))
    assert {finding.tracks[0].id for finding in found} == {8}
    assert found[0].evidence["drop_heights"] == pytest.approx(0.7, abs=0.01)


@pytest.mark.parametrize("stopped", [None, 4.2], ids=["", "over a restart"])
def test_who_comes_to_help_is_not_taken_for_the_fallen(stopped: float | None):
    watching = rule(seconds=5)
    found = []
    for now in times(0, 12):
        lies, helps = at(FALL, now), at([(0, BESIDE), (20, BESIDE)], now)
        assert lies is not None
        assert helps is not None
        # The fallen is overlooked once, just when the helper is first seen.
        seen = [track(lies, now)] if not 3.9 < now < 4.1 else []
        seen += [track(helps, now, 8)] if now > 3.9 else []
        found += [(now, finding) for finding in watching.update(view(now, seen))]
        if stopped is not None and now == pytest.approx(stopped - 0.2):
            state = json.loads(json.dumps(watching.state()))
            watching = rule(seconds=5)
            watching.restore(state)
    assert {finding.tracks[0].id for _, finding in found} == {7}
    assert found[0][0] == pytest.approx(2.8 + 5.0, abs=0.41)
    assert set(watching.state()) == {"7", "8"}


def test_two_frames_of_one_moment_are_no_fault():
    watching = rule(seconds=0)
    assert not watching.update(view(0, [track(STANDING, 0)]))
    assert watching.update(view(0, [track(LYING, 0)]))


def test_somebody_who_lies_where_another_one_stands_has_not_fallen():
    watching = rule()
    for now in times(0, 6):
        stands, lies = at([(0, STANDING), (9, STANDING)], now), at([(0, LYING), (9, LYING)], now)
        assert stands is not None
        assert lies is not None
        seen = [track(stands, now)] + ([track(lies, now, 8)] if now > 2 else [])
        assert not watching.update(view(now, seen))


def test_a_box_that_is_only_taken_to_be_there_still_is_neither_lost_nor_new():
    watching = rule()
    for now in times(0, 9):
        box = at([(0, STANDING), (2, STANDING), (2.4, GOING), (9, GOING)], min(now, 2.4))
        assert box is not None
        assert not watching.update(view(now, [track(box, now)]))


def test_who_falls_after_standing_still_unlooked_at_is_found():
    watching = rule()
    found = []
    for now in times(0, 20):
        box = STANDING if now < 10 else at(going(STANDING, LYING), now - 8)
        assert box is not None
        found += watching.update(view(now, [track(box, now)]))
    assert found


def test_who_is_settled_may_fall_too():
    watching = rule()
    found = []
    for now in times(0, 8):
        box = at(FALL, now)
        assert box is not None
        found += watching.update(view(now, [track(box, now, settled=True)]))
    assert found


def test_only_who_stood_or_lies_in_the_zone_counts():
    beside = Zone("hall", "the hall", ((0.6, 0.0), (1.0, 0.0), (1.0, 1.0), (0.6, 1.0)))
    around = Zone("hall", "the hall", ((0.2, 0.2), (0.6, 0.2), (0.6, 0.6), (0.2, 0.6)))
    assert not watch(FALL, watching=rule({"hall": beside}, zone="hall"))
    found = watch(FALL, watching=rule({"hall": around}, zone="hall"))
    assert "fell in the hall" in found[0][1].rule_reason
    assert found[0][1].zone == "hall"


def test_people_who_are_long_gone_are_forgotten():
    watching = rule()
    watch(going(STANDING, LYING, AWAY), watching=watching, until=30)
    assert watching.state() == {}


@pytest.mark.parametrize("stopped", [2.0, 2.4, 3.4, 5.0])
def test_after_a_restart_a_fall_goes_on(stopped: float):
    before = rule()
    watch(FALL, watching=before, until=stopped)
    after = rule()
    after.restore(json.loads(json.dumps(before.state())))
    found = watch(FALL, watching=after, begin=stopped + 0.2)
    assert found[0][0] == pytest.approx(max(3.8, stopped + 0.2), abs=0.41)
    assert found[0][1].started == pytest.approx(5002.2, abs=0.21)


def watch_broken(
    before: Moments, broken_at: float, after: Moments, *, watching=None, size=SIZE, away_s=0.0
) -> list[tuple[float, Finding]]:
    """What is found after the stream broke off, for so long, of whom is seen under a new number
    then."""
    watching = watching or rule()
    watch(before, watching=watching, until=broken_at - 0.2)
    found = []
    again = broken_at + away_s
    for now in times(again, again + 12):
        box = at(after, now)
        seen = [track(box, now, 8)] if box else []
        moment = replace(view(now, seen), broken_off=now == again, size=size)
        found += [(now, finding) for finding in watching.update(moment)]
    return found


@pytest.mark.parametrize("limit_s", [0, 1])
@pytest.mark.parametrize(
    ("before", "broken_at", "after"),
    [
        (going(STANDING), 2.0, [(0, LYING)]),
        ([(0, STANDING), (2, STANDING), (2.4, GOING)], 2.6, [(0, AWAY)]),
        ([(0, STANDING), (2, STANDING), (2.4, GOING)], 2.6, [(0, LYING)]),
        (FALL, 5.0, [(0, BESIDE)]),
        (FALL, 5.0, [(0, AWAY)]),
        (FALL, 5.0, [(0, LYING)]),
        (FALL, 3.2, [(0, BESIDE)]),
        (FALL, 3.2, [(0, STANDING)]),
    ],
    ids=[
        "one stood and another lies there",
        "one was going down",
        "one was going down and another lies there",
        "a fall was told of and somebody stands beside",
        "a fall was told of and nobody is there",
        "a fall was told of and somebody lies there still",
        "a fall was not told of yet and somebody stands beside",
        "a fall was not told of yet and somebody stands there",
    ],
)
def test_where_the_stream_breaks_off_nobody_falls_into_the_next_scene(
    before: Moments, broken_at: float, after: Moments, limit_s: float
):
    assert not watch_broken(before, broken_at, after, watching=rule(seconds=limit_s))


def test_who_has_fallen_and_is_seen_lying_after_the_stream_broke_off_is_told_of_in_time():
    found = watch_broken(FALL, 4.0, [(0, LYING)], watching=rule(seconds=4))
    assert found[0][0] == pytest.approx(2.8 + 4.0, abs=0.41)
    assert found[0][1].tracks[0].id == 8
    assert found[0][1].started == pytest.approx(5002.2, abs=0.21)


def test_who_lies_there_long_after_the_stream_broke_off_has_not_been_down_all_the_while():
    assert not watch_broken(FALL, 4.0, [(0, LYING)], watching=rule(seconds=4), away_s=3600.0)


def test_in_a_picture_of_another_size_nobody_goes_on_lying():
    smaller = (SIZE[0] // 2, SIZE[1] // 2)
    assert not watch_broken(FALL, 4.0, [(0, LYING)], watching=rule(seconds=4), size=smaller)


def test_a_real_fall_is_found_and_a_phone_picked_up_from_a_chair_is_none(tmp_path: Path):
    subject = tmp_path / "subject-1"
    for name in ("Fall/14.mp4", "ADL/16.mp4", "Fall.csv"):
        (subject / name).parent.mkdir(parents=True, exist_ok=True)
        (subject / name).symlink_to(shared(f"gmdcsa24/subject-1/{name}"))
    measured = measure_falls(tmp_path, fps=5, seconds=None, phases=1)
    assert (measured["falls"], measured["found"], measured["daily"]) == (1, 1, 1)
    assert measured["after_begin_s"]["most"] < 1.5 + 2.0
    assert measured["false_alarms"] == 0


def test_a_real_fall_that_is_shown_twice_is_told_of_twice_and_not_at_the_seam():
    camera = {"source": "room.mp4", "detect": {"fps": 5}, "rules": {"fall": {"type": "fall"}}}
    config = validate({"cameras": {"room": camera}}, where="test", folder=Path.cwd())
    film = list(open_source("room", str(shared("gmdcsa24/subject-1/Fall/13.mp4"))).frames())
    length_s = 4.4
    twice = [
        replace(frame, monotonic=frame.monotonic + later_s, pts=frame.pts + later_s)
        for later_s in (0.0, length_s)
        for frame in film
    ]
    with (
        closing(load_detector(config.detector)) as loaded,
        closing(loaded.for_camera("room", config.cameras["room"])) as detector,
    ):
        watched = looks(Analysis(config, "room", detector), filter(Pacer(5).due, twice))
        told = [look.pts for look in watched for one in look.actions if isinstance(one, Open)]
    assert [at // length_s for at in told] == [0, 1]
    # In its first second somebody still stands, or is going down.
    assert all(at % length_s > 1.0 for at in told)
