"""What a track knows of how it moves, stands and stays."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

import handmade
import numpy as np
import pytest
from handmade import standing, times

from pipeline.tracking import Tracking
from pipeline.types import Box, Detection, Track, Zone

LEFT_HALF = {"left": Zone("left", "the left half", ((0, 0), (0.5, 0), (0.5, 1), (0, 1)))}


def followed(
    moments: Iterable[float],
    box: Callable[[float], Box | None],
    tracking: Tracking | None = None,
    label: str = "person",
) -> list[Track]:
    """The one track at each moment at which it was seen."""
    tracker = tracking or Tracking()
    tracks: list[Track] = []
    for at in moments:
        here = box(at)
        found = [] if here is None else [Detection(label, 0.8, here)]
        tracks += tracker.update(handmade.frame(at), found)[0]
    return tracks


@pytest.mark.parametrize("fps", [2.0, 5.0, 25.0])
@pytest.mark.parametrize(
    ("towards", "degrees"), [((1, 0), 90), ((0, 1), 180), ((-1, 0), 270), ((0.6, -0.8), 36.87)]
)
def test_the_velocity_is_that_of_the_walk_in_box_heights_a_second_at_any_rate(
    fps: float, towards: tuple[float, float], degrees: float
):
    def walks(at: float) -> Box:
        return standing(500 + 80 * at * towards[0], 600 + 80 * at * towards[1], height=100)

    last = followed(times(0, 3, 1 / fps), walks)[-1]
    assert last.velocity == pytest.approx((0.8 * towards[0], 0.8 * towards[1]), abs=0.01)
    bearing = np.degrees(np.arctan2(last.velocity[0], -last.velocity[1])) % 360
    assert bearing == pytest.approx(degrees, abs=0.5)


def test_a_velocity_is_unknown_at_first_and_that_of_the_last_second_then():
    def runs_and_stops(at: float) -> Box:
        return standing(100 + 300 * min(at, 1.5), 900)

    speeds = {
        round(t.last_seen - 5000, 1): t.velocity[0] for t in followed(times(0, 4), runs_and_stops)
    }
    assert speeds[0.2] == speeds[0.4] == 0.0
    assert speeds[1.4] == pytest.approx(1.5, abs=0.01)
    assert 0 < speeds[2.0] < 1.5
    assert speeds[4.0] == 0.0


def test_boxes_that_tremble_do_not_move():
    jitter = np.random.default_rng(1)

    def trembles(_: float) -> Box:
        return Box(*(np.array(standing(500, 900)) + jitter.normal(0, 5, 4)))

    tracks = followed(times(0, 20), trembles)
    assert tracks[-1].stationary_since == tracks[0].first_seen
    assert max(np.hypot(*track.velocity) for track in tracks) < 0.15


def test_who_is_half_hidden_for_a_while_has_not_moved():
    def hidden_legs(at: float) -> Box:
        return standing(500, 900) if not 4 < at < 7 else Box(460, 700, 540, 790)

    tracks = followed(times(0, 10), hidden_legs)
    assert tracks[-1].stationary_since == tracks[0].first_seen
    assert all(track.velocity == (0, 0) for track in tracks)


def test_who_lies_and_whose_limbs_move_has_not_moved():
    def lies(at: float) -> Box:
        out = 30 * (round(at * 5) % 2)
        return Box(300 - out, 850, 500, 910 + out / 4)

    tracks = followed(times(0, 20), lies)
    assert tracks[-1].stationary_since == tracks[0].first_seen


def test_who_falls_on_the_spot_has_not_moved_and_who_crawls_on_has():
    def falls(at: float) -> Box:
        return standing(500, 900) if at < 4 else Box(400, 830, 600, 900)

    def crawls(at: float) -> Box:
        x = 40 * max(at - 6, 0)
        box = falls(at)
        return Box(box.x1 + x, box.y1, box.x2 + x, box.y2)

    assert followed(times(0, 12), falls)[-1].stationary_since == pytest.approx(5000.2)
    assert followed(times(0, 12), crawls)[-1].stationary_since is None


def test_who_comes_straight_towards_the_camera_moves():
    def comes(at: float) -> Box:
        return standing(500, 400 + 30 * at, height=100 + 30 * at)

    assert followed(times(0, 10), comes)[-1].stationary_since is None


def test_who_is_cut_off_by_the_border_moves_as_far_as_the_free_edge_does():
    def enters(at: float) -> Box:
        right = 20 + 160 * at
        return Box(max(right - 80, 0), 700, right, 900)

    assert followed(times(0, 0.6), enters)[-1].velocity[0] == pytest.approx(0.8, abs=0.01)


def test_one_look_at_which_two_are_taken_for_one_does_not_end_a_stand():
    def box(at: float) -> Box:
        return Box(460, 700, 540, 900) if round(at, 1) != 6.0 else Box(530, 700, 620, 900)

    tracks = followed(times(0, 10), box)
    assert tracks[-1].stationary_since == tracks[0].first_seen


def test_a_walk_through_a_zone_is_counted_while_inside():
    tracks = followed(times(0, 8), lambda at: standing(100 + 100 * at, 900), Tracking(LEFT_HALF))
    before = [track for track in tracks if track.last_seen < 5003.9]
    assert before[-1].dwell["left"] == pytest.approx(3.6, abs=0.05)
    # Inside until a tenth of the height beyond the edge.
    assert tracks[-1].dwell["left"] == pytest.approx(4.0, abs=0.05)


def test_who_sways_on_the_edge_of_a_zone_stays_inside_and_who_never_entered_does_not():
    def sways(around: float) -> Callable[[float], Box]:
        return lambda at: standing(around + (8 if round(at * 5) % 2 else -8), 900)

    assert followed(times(0, 5), sways(498), Tracking(LEFT_HALF))[-1].dwell[
        "left"
    ] == pytest.approx(4.8, abs=0.25)
    assert not followed(times(0, 5), sways(515), Tracking(LEFT_HALF))[-1].dwell


def test_stays_outlive_a_restart_without_the_time_between():
    before = Tracking(LEFT_HALF)
    followed(times(0, 5), lambda _: standing(300, 900), before)
    after = Tracking(LEFT_HALF)
    after.restore(json.loads(json.dumps(before.state())), age_s=6.0)
    tracks = followed(times(100, 102), lambda _: standing(300, 900), after)
    assert tracks[-1].dwell["left"] == pytest.approx(4.8 + 1.8, abs=0.05)
