from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable
from dataclasses import replace

import av
import handmade
import numpy as np
import pytest
from films import shared
from handmade import standing, times
from trackers.eval.clear import compute_clear_metrics
from trackers.eval.identity import compute_identity_metrics

from pipeline.config import Camera, DetectorSection
from pipeline.detectors import load_detector
from pipeline.geometry import iou
from pipeline.tracking import LOST_AFTER_S, PATH_POINTS, Tracking
from pipeline.types import Box, Detection, Track


def person(x: float, y: float = 900.0, *, confidence: float = 0.8, label: str = "person"):
    return Detection(label, confidence, standing(x, y))


def walk(
    tracker: Tracking,
    moments: Iterable[float],
    found: Callable[[float], list[Detection]],
) -> tuple[list[tuple[Track, ...]], list[Track]]:
    """What was seen at each moment, and all that was lost."""
    seen, lost = [], []
    for at in moments:
        now, gone = tracker.update(handmade.frame(at), found(at))
        seen.append(now)
        lost += gone
    return seen, lost


def test_somebody_who_walks_by_is_one_track():
    seen, lost = walk(Tracking(), times(0, 6), lambda at: [person(100 + 100 * at)])
    assert {track.id for tracks in seen for track in tracks} == {1}
    assert [len(tracks) for tracks in seen[1:]] == [1] * 30
    assert lost == []


def test_a_track_begins_at_its_second_look_not_at_a_single_flicker():
    seen, _ = walk(Tracking(), times(0, 2), lambda at: [person(500)] if at == 0.4 else [])
    assert not any(seen)


def test_a_track_knows_when_it_was_first_and_last_seen_and_where_it_went():
    seen, _ = walk(Tracking(), times(0, 1), lambda at: [person(100 + 100 * at)])
    (track,) = seen[-1]
    assert track.first_seen == pytest.approx(5000.2)
    assert track.last_seen == pytest.approx(5001.0)
    assert [(round(p.monotonic - 5000, 1), round(p.x)) for p in track.path] == [
        (0.2, 120),
        (0.4, 140),
        (0.6, 160),
        (0.8, 180),
        (1.0, 200),
    ]
    assert {p.y for p in track.path} == {900}


def test_the_path_keeps_only_the_newest_points():
    seen, _ = walk(Tracking(), times(0, 20), lambda _: [person(500)])
    (track,) = seen[-1]
    assert len(track.path) == PATH_POINTS
    assert track.path[-1].monotonic == pytest.approx(5020.0)
    assert track.first_seen == pytest.approx(5000.2)


def test_only_who_is_found_in_this_frame_is_seen():
    seen, lost = walk(Tracking(), times(0, 1.4), lambda at: [person(500)] if at < 1.1 else [])
    assert [len(tracks) for tracks in seen[-3:]] == [1, 0, 0]
    assert lost == []


def test_a_gap_shorter_than_the_limit_keeps_the_track():
    gone = (1.1, 1.0 + LOST_AFTER_S - 0.1)
    seen, lost = walk(
        Tracking(), times(0, 5), lambda at: [] if gone[0] < at < gone[1] else [person(500)]
    )
    assert {track.id for tracks in seen for track in tracks} == {1}
    assert lost == []


def test_where_looks_are_rare_a_missed_look_keeps_the_track_two_lose_it():
    def ids(missed: tuple[float, ...]) -> set[int]:
        tracker = Tracking()
        return {
            track.id
            for at in times(0, 60, 5.0)
            for track in tracker.update(
                handmade.frame(at), [] if at in missed else [person(500)], 5.0
            )[0]
        }

    assert ids(missed=(20.0,)) == {1}
    assert ids(missed=(20.0, 25.0, 30.0)) == {1, 2}


def test_who_stays_away_is_lost_once_and_another_who_comes_has_another_id():
    seen, lost = walk(Tracking(), times(0, 12), lambda at: [] if 1.1 < at < 6 else [person(500)])
    assert [(track.id, track.lost) for track in lost] == [(1, True)]
    assert lost[0].last_seen == pytest.approx(5001.0)
    assert [track.id for track in seen[-1]] == [2]


def test_a_person_who_passes_a_car_stays_a_person():
    def found(at: float) -> list[Detection]:
        car = Detection("car", 0.9, Box(300, 700, 700, 920))
        return [car, person(100 + 150 * at)]

    seen, _ = walk(Tracking(), times(0, 5), found)
    assert {(track.id, track.label) for tracks in seen for track in tracks} == {
        (1, "car"),
        (2, "person"),
    }


def test_a_car_that_is_now_and_then_called_a_truck_is_one_car():
    def found(at: float) -> list[Detection]:
        label = "truck" if int(at) % 3 == 2 else "car"
        return [Detection(label, 0.8, Box(300, 700, 700, 920))]

    seen, _ = walk(Tracking(), times(0, 5), found)
    assert {track.id for tracks in seen for track in tracks} == {1}
    assert seen[-1][0].label == "car"


def test_who_stands_is_stationary_since_coming_there_and_no_longer_on_leaving():
    def x(at: float) -> float:
        return 100 + 150 * min(at, 2.0) + 150 * max(at - 8.0, 0.0)

    seen, _ = walk(Tracking(), times(0, 10), lambda at: [person(x(at) + (3 if at % 0.4 else 0))])
    since = {round(t.last_seen - 5000, 1): t.stationary_since for tracks in seen for t in tracks}
    assert since[1.8] is None
    assert since[3.0] is None
    assert since[6.0] == pytest.approx(5002.0, abs=0.5)
    assert since[10.0] is None


@pytest.mark.parametrize("fps", [2.0, 5.0, 15.0, 30.0])
def test_two_who_cross_keep_their_ids_at_any_number_of_looks_a_second(fps):
    def found(at: float) -> list[Detection]:
        return [person(100 + 80 * at, 900), person(900 - 80 * at, 820)]

    seen, _ = walk(Tracking(), times(0, 10, 1 / fps), found)
    assert {track.id for tracks in seen for track in tracks} == {1, 2}
    assert {track.id: track.detection.box.foot[1] for track in seen[-1]} == {1: 900, 2: 820}


def test_who_walks_more_than_the_own_width_between_two_looks_is_followed():
    step = 1.15 * person(0).box.width
    seen, _ = walk(Tracking(), times(0, 5, 0.5), lambda at: [person(40 + step * at * 2)])
    assert [[track.id for track in tracks] for tracks in seen[1:]] == [[1]] * 10


def look(*values: float) -> np.ndarray:
    return (np.array(values) / np.linalg.norm(values)).astype(np.float32)


@pytest.mark.parametrize("embedding", [None, look(1, 0.2)])
def test_who_runs_one_and_a_half_widths_between_two_looks_is_followed_from_the_second_on(embedding):
    width = person(0).box.width
    seen, _ = walk(
        Tracking(),
        times(0, 1),
        lambda at: [replace(person(200 + 1.5 * width * at / 0.2), embedding=embedding)],
    )
    assert [[track.id for track in tracks] for tracks in seen[1:]] == [[1]] * 5


def test_two_ghosts_that_look_different_or_of_which_there_are_three_begin_nothing():
    width = person(0).box.width
    looks = {0.0: look(1, 0), 0.2: look(0, 1)}
    different, _ = walk(
        Tracking(),
        times(0, 0.2),
        lambda at: [replace(person(500 + 7.5 * width * at), embedding=looks[at])],
    )
    assert not any(different)
    either, _ = walk(
        Tracking(),
        times(0, 0.2),
        lambda at: (
            [person(500)] if not at else [person(500 - 1.5 * width), person(500 + 1.5 * width)]
        ),
    )
    assert not any(either)


def at_the_border(x: float) -> Detection | None:
    """Somebody with the middle at `x`, as far as the picture of 1000 pixels shows them."""
    whole = standing(x, 900.0)
    shown = Box(whole.x1, whole.y1, min(whole.x2, 1000.0), whole.y2)
    return Detection("person", 0.8, shown) if shown.width > 8 else None


@pytest.mark.parametrize("fps", [5.0, 8.0, 25.0])
def test_who_comes_in_where_somebody_has_just_left_is_another(fps):
    def found(at: float) -> list[Detection]:
        leaves = at_the_border(800 + 150 * at)
        comes = at_the_border(1030 - 150 * (at - 1.7)) if at > 1.7 else None
        return [one for one in (leaves, comes) if one]

    seen, _ = walk(Tracking(), times(0, 4, 1 / fps), found)
    before = {track.id for tracks in seen[: int(1.2 * fps)] for track in tracks}
    after = {track.id for tracks in seen[-3:] for track in tracks}
    assert before == {1}
    assert len(after) == 1
    assert after != before


def test_who_stops_at_the_border_of_the_picture_or_turns_back_is_the_same():
    look = np.zeros(8, np.float32)
    look[0] = 1.0

    def ids(after: Callable[[float], float]) -> set[int]:
        def found(at: float) -> list[Detection]:
            one = at_the_border(820 + 120 * at if at <= 1.5 else after(at))
            assert one is not None
            return [replace(one, embedding=look)]

        seen, _ = walk(Tracking(), times(0, 4, 0.5), found)
        return {track.id for tracks in seen for track in tracks}

    assert ids(lambda _: 1000) == {1}
    assert ids(lambda at: 1000 - 120 * (at - 1.5)) == {1}


def test_who_leaves_by_a_side_is_one_to_the_last_bit_though_nobody_knows_the_look():
    def ids(seed: int) -> set[int]:
        random = np.random.default_rng(seed)

        def found(at: float) -> list[Detection]:
            one = at_the_border(800 + random.normal(0, 3) + 240 * at)
            return [one] if one else []

        seen, _ = walk(Tracking(), times(0, 1.2, 1 / 25), found)
        return {track.id for tracks in seen for track in tracks}

    assert [ids(seed) for seed in range(16)] == [{1}] * 16


def test_who_falls_at_the_lower_border_and_is_lost_meanwhile_has_not_left():
    """The boxes are those of a filmed fall."""
    upright, falling = Box(290, 28, 407, 389), Box(238, 72, 364, 407)
    boxes = dict.fromkeys((0.0, 0.2, 0.4, 0.6, 0.8, 1.0), upright)
    boxes |= {1.2: falling, 1.8: Box(157, 280, 358, 480), 2.8: Box(4, 301, 395, 480)}
    tracker, ids = Tracking(), set()
    for at in (round(at, 1) for at in times(0, 3)):
        found = [Detection("person", 0.6, boxes[at])] if at in boxes else []
        seen, _ = tracker.update(handmade.frame(at, size=(640, 480)), found)
        ids |= {(track.id, track.detection.box) for track in seen}
    assert (1, boxes[2.8]) in ids


def test_irregular_looks_follow_all_the_same():
    moments = [0, 0.2, 0.4, 1.1, 1.3, 2.4, 2.5, 2.6, 3.6, 3.8, 4.9]
    seen, lost = walk(Tracking(), moments, lambda at: [person(100 + 80 * at)])
    assert {track.id for tracks in seen for track in tracks} == {1}
    assert lost == []


def test_a_stall_without_any_look_ends_no_track_unless_it_is_long():
    def ids_after(gap: float) -> set[int]:
        moments = [*times(0, 3), *times(3 + gap, 4 + gap)]
        seen, _ = walk(Tracking(), moments, lambda _: [person(500)])
        return {track.id for tracks in seen for track in tracks}

    assert ids_after(8) == {1}
    assert ids_after(30) == {1, 2}


def test_two_frames_of_one_moment_are_no_fault():
    seen, _ = walk(Tracking(), [0, 0.2, 0.2, 0.4], lambda _: [person(500)])
    assert [len(tracks) for tracks in seen] == [0, 1, 1, 1]


def test_after_a_reset_all_are_lost_and_ids_go_on():
    tracker = Tracking()
    walk(tracker, times(0, 1), lambda _: [person(200), person(700)])
    assert [(track.id, track.lost) for track in tracker.reset()] == [(1, True), (2, True)]
    assert tracker.reset() == ()
    seen, lost = walk(tracker, times(1.2, 2), lambda _: [person(200)])
    assert [track.id for track in seen[-1]] == [3]
    assert lost == []


def restarted(tracker: Tracking, age_s: float) -> Tracking:
    """Another run that takes over, its state having gone through a file."""
    after = Tracking()
    after.restore(json.loads(json.dumps(tracker.state())), age_s)
    return after


def test_after_a_restart_who_is_still_there_is_the_same_track():
    before = Tracking()
    walk(before, times(0, 10), lambda _: [person(200), person(700)])
    after = restarted(before, age_s=6.0)
    seen, _ = walk(after, times(100, 101), lambda _: [person(210), person(690)])
    first, second = seen[-1]
    assert (first.id, second.id) == (1, 2)
    assert first.detection.box.foot[0] == 210
    assert 5101.0 - first.first_seen == pytest.approx(9.8 + 6.0 + 1.0, abs=0.05)
    assert first.stationary_since == pytest.approx(first.first_seen, abs=0.05)
    assert len(first.path) > 40
    assert [p.monotonic for p in first.path] == sorted(p.monotonic for p in first.path)


def test_after_a_restart_who_walked_on_is_found_again_the_farther_the_longer_it_took():
    def gone_on(age_s: float, moved: float) -> int:
        before = Tracking()
        walk(before, times(0, 3), lambda _: [person(200)])
        seen, _ = walk(restarted(before, age_s), times(100, 101), lambda _: [person(200 + moved)])
        return seen[-1][0].id

    assert gone_on(age_s=1.0, moved=250) == 1
    assert gone_on(age_s=1.0, moved=500) == 2
    assert gone_on(age_s=5.0, moved=500) == 1
    assert gone_on(age_s=9.0, moved=790) == 2


def test_after_a_long_pause_nobody_is_taken_for_somebody_from_before():
    before = Tracking()
    walk(before, times(0, 3), lambda _: [person(200)])
    seen, _ = walk(restarted(before, age_s=60.0), times(100, 101), lambda _: [person(200)])
    assert [track.id for track in seen[-1]] == [2]
    assert 5101.0 - seen[-1][0].first_seen < 1.0


def test_after_a_restart_a_wide_box_that_still_overlaps_is_the_same_though_its_foot_is_far():
    def gone_on(moved: float) -> int:
        def car(left: float) -> list[Detection]:
            return [Detection("car", 0.8, Box(left, 500, left + 400, 600))]

        before = Tracking()
        walk(before, times(0, 3), lambda _: car(100))
        seen, _ = walk(restarted(before, 0.2), times(100, 101), lambda _: car(100 + moved))
        return seen[-1][0].id

    assert gone_on(180) == 1
    assert gone_on(260) == 2


def test_after_a_restart_a_car_is_not_taken_for_the_person_who_stood_there():
    before = Tracking()
    walk(before, times(0, 3), lambda _: [person(500)])
    after = restarted(before, age_s=2.0)
    seen, _ = walk(after, times(100, 101), lambda _: [person(500, label="car")])
    assert [track.id for track in seen[-1]] == [2]


def test_a_restored_track_is_taken_over_only_once():
    before = Tracking()
    walk(before, times(0, 3), lambda _: [person(500)])
    after = restarted(before, age_s=2.0)
    seen, _ = walk(after, times(100, 101), lambda _: [person(520), person(600)])
    assert {track.id: track.detection.box.foot[0] for track in seen[-1]} == {1: 520, 2: 600}


def test_a_second_restart_before_anybody_was_found_again_forgets_nobody():
    before = Tracking()
    walk(before, times(0, 3), lambda _: [person(500)])
    between = restarted(before, age_s=2.0)
    walk(between, times(100, 101), lambda _: [])
    seen, _ = walk(restarted(between, age_s=2.0), times(200, 201), lambda _: [person(500)])
    assert [track.id for track in seen[-1]] == [1]


def test_on_a_real_street_people_keep_their_tracks(tmp_path):
    """TUD-Campus at five looks a second against its ground truth (0.67 and 3.4 were measured)."""
    film = shared("mot/TUD-Campus/TUD-Campus.mp4")
    truth: dict[int, list[tuple[int, Box]]] = {}
    for line in shared("mot/TUD-Campus/gt/gt.txt").read_text().splitlines():
        index, identity, x, y, width, height = map(float, line.split(",")[:6])
        box = Box(x, y, x + width, y + height)
        truth.setdefault(int(index) - 1, []).append((int(identity), box))
    detector = load_detector(DetectorSection(), tmp_path)
    view = detector.for_camera("street", Camera.model_validate({"source": str(film)}))
    with av.open(str(film)) as container:
        frames = [
            handmade.frame(index / 25, decoded.to_ndarray(format="bgr24"))
            for index, decoded in enumerate(container.decode(video=0))
        ]
    found = [view.submit(frame).result(30) for frame in frames]
    detector.close()
    identified, switched = [], []
    for first in range(5):
        tracker, true, given, overlaps = Tracking(), [], [], []
        for index in range(first, len(frames), 5):
            seen, _ = tracker.update(frames[index], found[index])
            true.append(np.array([identity for identity, _ in truth[index]]))
            given.append(np.array([track.id for track in seen]))
            rows = [[iou(box, track.detection.box) for track in seen] for _, box in truth[index]]
            overlaps.append(np.array(rows).reshape(len(truth[index]), len(seen)))
        identified.append(compute_identity_metrics(true, given, overlaps)["IDF1"])
        switched.append(compute_clear_metrics(true, given, overlaps)["IDSW"])
    assert statistics.mean(identified) > 0.6
    assert statistics.mean(switched) < 5
