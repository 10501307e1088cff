"""Who is who by looks: crossings, losses, and what must never be joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import handmade
import numpy as np
import pytest
from handmade import standing, times

from pipeline.continuity import FOUND_AGAIN_WITHIN_S
from pipeline.tracking import LOST_AFTER_S, Tracking
from pipeline.types import Detection, Track

RED, BLUE = np.eye(8, dtype=np.float32)[:2]


def like(look: np.ndarray, cosine: float) -> np.ndarray:
    """Another look that has this cosine with one."""
    return (cosine * look + np.sqrt(1 - cosine**2) * np.eye(8)[7]).astype(np.float32)


def person(x: float, look: np.ndarray | None, y: float = 700.0, *, height: float = 200.0):
    return replace(Detection("person", 0.8, standing(x, y, height)), embedding=look)


def walk(
    moments: Sequence[float], found: Callable[[float], list[Detection]]
) -> tuple[list[tuple[Track, ...]], list[Track]]:
    tracker = Tracking()
    seen, lost = [], []
    for at in moments:
        now, gone = tracker.update(handmade.frame(at), found(at))
        seen.append(now)
        lost += gone
    return seen, lost


@pytest.mark.parametrize("fps", [3.0, 5.0, 15.0])
def test_two_who_meet_and_turn_back_are_told_apart_by_their_looks(fps: float):
    def meet(at: float) -> list[Detection]:
        apart = 15 + 80 * abs(at - 4)
        met = [person(500 - apart, RED), person(500 + apart, BLUE)]
        return met if abs(at - 4) > 0.4 else [person(500, like(RED, 0.7))]

    seen, _ = walk(times(0, 8, 1 / fps), meet)
    looks = {
        (track.id, int(np.argmax(track.detection.embedding)))
        for tracks in seen
        if len(tracks) == 2
        for track in tracks
    }
    assert looks == {(1, 0), (2, 1)}


def behind_a_wall(
    seconds: float, then: Detection, before: Detection
) -> tuple[list[int], list[Track]]:
    """The ids after somebody was out of sight for a time, and who was reported lost."""
    seen, lost = walk(
        times(0, 5 + seconds),
        lambda at: [before] if at < 2.1 else [then] if at > 1.9 + seconds else [],
    )
    return [track.id for track in seen[-1]], lost


def test_who_is_found_again_after_a_loss_looking_the_same_has_the_same_id():
    ids, lost = behind_a_wall(4, person(650, like(RED, 0.95)), person(500, RED))
    assert [(track.id, track.lost) for track in lost] == [(1, True)]
    assert ids == [1]


def test_who_is_found_again_elsewhere_before_being_given_up_was_not_lost():
    ids, lost = behind_a_wall(1.6, person(780, like(RED, 0.95)), person(500, RED))
    assert ids == [1]
    assert lost == []


@pytest.mark.parametrize(
    ("then", "seconds"),
    [
        (person(650, BLUE), 4.0),
        (person(650, like(RED, 0.7)), 4.0),
        (person(650, None), 4.0),
        (person(650, RED), FOUND_AGAIN_WITHIN_S + 1),
        (person(650, RED, height=350), 4.0),
        (replace(person(650, RED), label="car"), 4.0),
        (person(960, RED), 4.0),
    ],
    ids=["another look", "hardly alike", "no look", "late", "much larger", "a car", "by the edge"],
)
def test_who_may_be_another_has_another_id(then: Detection, seconds: float):
    ids, _ = behind_a_wall(seconds, then, person(500, RED))
    assert ids == [2]


def test_who_left_by_the_edge_has_left():
    ids, _ = behind_a_wall(4, person(120, RED), person(50, RED))
    assert ids == [2]


def test_no_id_jumps_across_the_picture():
    ids, _ = behind_a_wall(LOST_AFTER_S + 0.6, person(930, RED, 300), person(150, RED, 990))
    assert ids == [2]
    ids, _ = behind_a_wall(0.4, person(800, RED), person(200, RED))
    assert ids == [2]


def test_a_track_that_is_found_again_keeps_when_it_was_first_seen_and_counts_no_time_between():
    seen, _ = walk(
        times(0, 9), lambda at: [] if 2.1 < at < 5.9 else [person(500 if at < 4 else 560, RED)]
    )
    (last,) = seen[-1]
    assert last.id == 1
    assert last.first_seen == pytest.approx(5000.2)
    assert last.stationary_since == pytest.approx(5006.2)


def test_a_part_that_is_taken_for_a_second_person_begins_no_track():
    seen, _ = walk(
        times(0, 4),
        lambda at: [
            person(500, RED),
            replace(person(510, RED, 690, height=100), confidence=0.35),
        ],
    )
    assert {len(tracks) for tracks in seen[1:]} == {1}


def test_the_same_looks_give_the_same_tracks():
    def crowd(at: float) -> list[Detection]:
        random = np.random.default_rng(round(at * 5))
        return [
            person(x + 40 * at + random.normal(0, 4), like(RED, random.uniform(0.3, 1)), 500 + x)
            for x in (100, 160, 300, 340)
            if random.uniform() > 0.2
        ]

    assert walk(times(0, 10), crowd) == walk(times(0, 10), crowd)
