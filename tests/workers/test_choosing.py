"""Which frames are looked at, and why the others are not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from handmade import frame

from pipeline.workers.choosing import Pace, Pacer, Skipped, choose


@pytest.mark.parametrize(
    ("camera_fps", "wanted", "looks"),
    [(10, 5, 50), (25, 5, 50), (30, 30, 300), (15, 5, 50), (5, 10, 50), (12, 5, 40)],
)
def test_frames_are_looked_at_as_often_as_wanted_where_they_come_often_enough(
    camera_fps: int, wanted: int, looks: int
) -> None:
    pace = Pacer(wanted)
    due = sum(pace.due(frame(i / camera_fps)) for i in range(10 * camera_fps))
    assert due == pytest.approx(looks, abs=max(2, 0.25 * looks if looks == 40 else 2))


def test_arrivals_that_jitter_do_not_lower_the_rate() -> None:
    pace = Pacer(5)
    jitter = (0.0, 0.012, -0.009, 0.004, -0.012)
    due = sum(pace.due(frame(i / 10 + jitter[i % 5])) for i in range(200))
    assert due >= 95


def test_a_frame_that_comes_a_little_early_is_the_one_that_is_due() -> None:
    pace = Pacer(5)
    assert [pace.due(frame(at)) for at in (0.0, 0.19, 0.37, 0.4)] == [True, True, False, True]


def test_after_a_pause_the_missed_looks_are_not_made_up_for() -> None:
    pace = Pacer(5)
    assert pace.due(frame(0.0))
    assert pace.due(frame(60.0))
    assert not pace.due(frame(60.1))


def test_a_frame_after_a_jump_in_time_is_always_looked_at() -> None:
    pace = Pacer(1)
    assert pace.due(frame(10.0))
    assert pace.due(replace(frame(3.0), discontinuity=True))


def test_a_film_that_is_gone_on_with_is_not_looked_at_twice() -> None:
    pace = Pace(0.2, seen_until=3.0)
    skipped = []
    for number in range(40):
        why, pace = choose(pace, number / 10, number / 10, discontinuity=False, frozen=False)
        skipped.append(why)
    assert set(skipped[:31]) == {Skipped.SEEN_BEFORE}
    assert skipped[31:34] == [None, Skipped.NOT_DUE, None]


def test_frozen_frames_are_not_looked_at_and_the_first_new_one_is() -> None:
    pace = Pace(0.2)
    why, pace = choose(pace, 1.0, 1.0, discontinuity=False, frozen=True)
    assert why is Skipped.FROZEN
    assert choose(pace, 1.1, 1.1, discontinuity=False, frozen=False)[0] is None
