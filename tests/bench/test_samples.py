"""Which pictures are taken of many."""

from __future__ import annotations

import handmade
import pytest

from pipeline.bench.optimize import sizes
from pipeline.bench.samples import Sample, choose, divided, spread


def sample(at: float, found: int = 0, light: float = 100.0, *, moved: bool = False) -> Sample:
    return Sample(handmade.frame(at, size=(64, 48)), found, light, moved)


def test_things_are_spread_evenly_and_stay_in_order():
    assert spread(range(100), 4) == [12, 37, 62, 87]
    assert spread(range(3), 4) == [0, 1, 2]
    assert spread(range(3), 0) == []


def test_of_few_pictures_all_are_taken():
    samples = [sample(number) for number in range(5)]
    assert choose(samples, 5) == samples


def test_most_pictures_have_something_in_them_and_some_have_nothing():
    samples = [sample(number, found=int(number % 4 == 0)) for number in range(200)]
    chosen = choose(samples, 40)
    assert len(chosen) == 40
    assert 27 <= sum(one.found for one in chosen) <= 33
    assert chosen == sorted(chosen, key=lambda one: one.frame.pts)


def test_where_little_is_found_pictures_with_motion_are_preferred_and_some_are_still():
    samples = [sample(number, moved=number % 10 == 0) for number in range(200)]
    chosen = choose(samples, 40)
    moved = sum(one.moved for one in chosen)
    assert len(chosen) == 40
    assert moved == 20  # all that there are


def test_the_dark_has_its_share_though_little_of_the_video_is_dark_and_nothing_is_found_there():
    day = [sample(number, found=1, light=120 + number % 7) for number in range(180)]
    night = [sample(number, light=10) for number in range(180, 200)]
    chosen = choose(day + night, 60)
    assert len(chosen) == 60
    assert sum(one.light < 50 for one in chosen) >= 5


def test_a_picture_is_for_calibration_or_for_comparing_and_never_for_both():
    samples = [sample(number, found=1) for number in range(100)]
    pictures = divided(samples, 40, needed=20)
    calibration = {one.frame.pts for one in pictures.calibration}
    compared = {one.frame.pts for one in pictures.compared}
    assert (len(calibration), len(compared)) == (20, 20)
    assert not calibration & compared


def test_where_little_is_found_more_pictures_are_compared():
    samples = [sample(number, found=int(number % 2)) for number in range(100)]
    pictures = divided(samples, 40, needed=30)
    assert len(pictures.calibration) == 20
    assert 30 <= sum(one.found for one in pictures.compared) <= 31
    assert len({id(one) for one in (*pictures.calibration, *pictures.compared)}) == len(
        pictures.calibration
    ) + len(pictures.compared)


@pytest.mark.parametrize(
    ("size", "tried"),
    [(640, [640, 512, 416, 320]), (320, [320, 256, 192, 160]), (96, [96, 64]), (64, [64])],
)
def test_smaller_inputs_are_whole_strides(size, tried):
    assert sizes(size) == tried
