"""How often a camera is detected on, and how the detector is shared out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import handmade
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.looking import Activity, Attention, Choice, Demand, Kept, fair_fps
from pipeline.types import Box, Motion, Track

QUIET = Motion()
MOVES = Motion(regions=(Box(0, 0, 10, 10),), share=0.01)
FPS = 5.0


class Camera:
    """Attention, and what its detector would find."""

    def __init__(self, **settings: float) -> None:
        self.attention = Attention(**{"fps": FPS, "full_look_s": 10.0, **settings})
        self.at = 0.0
        self.choices: list[tuple[float, Choice]] = []

    def watch(
        self,
        seconds: float,
        motion: Motion | None = QUIET,
        tracks: Iterable[Track] = (),
        detections: int | None = None,
    ) -> list[float]:
        """Frames at 5 a second; gives the moments that were detected on."""
        seen = tuple(tracks)
        chosen = []
        for _ in range(round(seconds * FPS)):
            choice = self.attention.choose(self.at, motion, fresh=self.at == 0)
            self.choices.append((self.at, choice))
            if choice is Choice.DETECT:
                chosen.append(self.at)
                self.attention.saw(self.at, seen, len(seen) if detections is None else detections)
            self.at = round(self.at + 1 / FPS, 6)
        return chosen


def still(number: int = 1) -> Track:
    return replace(handmade.track(number, 500, 800, at=0.0), stationary_since=1.0)


def moving(number: int = 1) -> Track:
    return handmade.track(number, 500, 800, at=0.0)


def test_without_motion_there_is_a_full_look_now_and_then() -> None:
    camera = Camera()
    camera.watch(3)
    chosen = camera.watch(60)
    assert camera.attention.activity is Activity.IDLE
    assert len(chosen) == 6
    assert camera.attention.wanted_fps == pytest.approx(0.1)


def test_motion_is_looked_at_at_once_and_for_a_moment_after_it() -> None:
    camera = Camera()
    camera.watch(20)
    began = camera.at
    chosen = camera.watch(1, MOVES)
    assert chosen[0] == began
    assert len(chosen) == 5
    after = camera.watch(10)
    assert len([at for at in after if at < began + 2]) == 5
    assert camera.attention.activity is Activity.IDLE


def test_someone_who_moves_is_looked_at_at_the_full_rate_for_as_long_as_it_takes() -> None:
    camera = Camera()
    assert len(camera.watch(60, MOVES, [moving()])) == 300
    assert camera.attention.activity is Activity.TRACKED


def test_what_stands_still_is_looked_for_every_three_seconds() -> None:
    camera = Camera()
    camera.watch(10, MOVES, [moving()])
    camera.watch(5, QUIET, [still()])
    assert len(camera.watch(30, QUIET, [still()])) == 10
    assert camera.attention.activity is Activity.STILL


def test_motion_in_which_nothing_is_found_is_looked_at_less_and_less_but_once_a_second() -> None:
    camera = Camera()
    camera.watch(10, MOVES)
    assert len(camera.watch(20, MOVES)) == pytest.approx(20, abs=5)
    assert len(camera.watch(2, MOVES, [moving()])) >= 9 - 4  # found within a second
    assert len(camera.watch(5, MOVES, [moving()])) == 25


def test_where_posture_matters_a_person_who_stirs_in_one_place_is_looked_at_at_the_full_rate():
    here = Motion(regions=(still().detection.box,), share=0.1)
    camera = Camera(posture=True)
    camera.watch(10, here, [still()])
    assert len(camera.watch(20, here, [still()])) == 20 * FPS
    camera = Camera()
    camera.watch(10, here, [still()])
    assert len(camera.watch(20, here, [still()])) <= 22
    elsewhere = Motion(regions=(Box(0, 0, 40, 40),), share=0.1)
    camera = Camera(posture=True)
    camera.watch(10, elsewhere, [still()])
    assert len(camera.watch(20, elsewhere, [still()])) <= 22


def test_a_detection_that_is_no_track_yet_counts_as_found() -> None:
    camera = Camera()
    assert len(camera.watch(20, MOVES, detections=1)) == 100


def test_what_flickers_at_the_threshold_does_not_keep_the_detector_busy() -> None:
    camera = Camera()
    camera.watch(5)
    chosen = []
    for number in range(60):
        chosen += camera.watch(1, QUIET, [still()] if number % 2 else [])
    assert len(chosen) < 100


def test_a_frame_that_does_not_go_on_from_those_before_is_detected_on() -> None:
    camera = Camera()
    camera.watch(20)
    assert camera.attention.choose(camera.at, QUIET, fresh=True) is Choice.DETECT


def test_where_nobody_looks_for_motion_each_frame_is_detected_on() -> None:
    camera = Camera()
    assert len(camera.watch(60, None)) == 300


def test_what_is_over_its_allowance_is_passed_over_and_a_quiet_camera_is_not_concerned() -> None:
    camera = Camera()
    camera.attention.allowed_fps = 1.0
    camera.watch(20, MOVES, [moving()])
    passed = [at for at, choice in camera.choices if choice is Choice.PASS]
    chosen = [at for at, choice in camera.choices if choice is Choice.DETECT]
    assert len(chosen) == pytest.approx(20, abs=1)
    assert len(chosen) + len(passed) == 100
    camera.watch(5)
    camera.choices.clear()
    camera.watch(30)
    assert Choice.PASS not in {choice for _, choice in camera.choices}


@pytest.mark.parametrize("allowed", [4.9, 4.4, 3.7, 3.0, 2.0, 0.7])
def test_all_that_is_allowed_is_used_whatever_the_frames_come_at(allowed: float) -> None:
    camera = Camera()
    camera.attention.allowed_fps = allowed
    assert len(camera.watch(100, MOVES, [moving()])) == pytest.approx(100 * allowed, rel=0.02)


def test_what_stands_still_is_held_on_to_while_other_cameras_have_their_turn() -> None:
    camera = Camera()
    camera.watch(20, QUIET, [still()])
    camera.attention.allowed_fps = 0.1
    camera.choices.clear()
    assert len(camera.watch(60, QUIET, [still()])) == pytest.approx(6, abs=1)
    assert Choice.PASS not in {choice for _, choice in camera.choices}


def test_a_camera_demands_no_more_looks_than_it_has_frames() -> None:
    camera = Camera()
    for number in range(20):
        camera.attention.choose(float(number), MOVES, fresh=number == 0)
    assert camera.attention.wanted_fps == FPS
    assert camera.attention.demanded_fps == pytest.approx(1, rel=0.01)


def test_looks_that_failed_are_made_up_for() -> None:
    camera = Camera()
    for number in range(15):
        motion = QUIET if number else MOVES
        if camera.attention.choose(camera.at, motion, fresh=number == 0) is Choice.DETECT:
            camera.attention.failed()
        camera.at = round(camera.at + 1 / FPS, 6)
    assert camera.watch(0.4) == [3.0, 3.2]


def test_how_long_a_camera_has_been_idle_begins_anew_with_motion() -> None:
    camera = Camera()
    camera.watch(20)
    assert 15 < camera.attention.idle_s < 20
    camera.watch(0.2, MOVES)
    assert camera.attention.idle_s == 0


def test_what_is_missed_twice_is_kept_and_what_is_missed_thrice_is_gone() -> None:
    kept = Kept()
    kept.saw([still(1), still(2)])
    for left in (2, 2, 1):
        kept.saw([still(1)])
        assert len(kept.detections) == left


def test_after_a_break_nothing_is_kept() -> None:
    kept = Kept()
    kept.saw([still(1)])
    kept.clear()
    assert kept.detections == []


def test_who_wants_little_gets_it_and_the_others_share_the_rest_alike() -> None:
    demands = [Demand(1, 0.1), Demand(5, 0.1), Demand(10, 0.1)]
    assert fair_fps(demands, 1.1) == pytest.approx(5.0)
    assert fair_fps(demands, 0.7) == pytest.approx(3.0)
    assert fair_fps(demands, 1.6) is None


demands = st.lists(
    st.builds(Demand, st.floats(0.01, 60), st.floats(0.001, 1)), min_size=1, max_size=12
)


@given(demands, st.floats(0.01, 100))
def test_together_they_cost_what_there_is_and_no_more(wanted: list[Demand], capacity: float):
    fps = fair_fps(wanted, capacity)
    cost = sum(min(one.fps, fps if fps is not None else one.fps) * one.cost_s for one in wanted)
    assert cost <= capacity * (1 + 1e-9)
    if fps is not None:
        assert cost == pytest.approx(capacity)
