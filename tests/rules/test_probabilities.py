"""From counts to probabilities, where little or nothing was counted."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.rules.probabilities import bits_of, fading, of_hours, of_visits, of_ways


def watched(days: tuple[float, float]) -> np.ndarray:
    """Hours watched on so many working days and days of weekends."""
    return np.repeat(np.array(days)[:, None], 24, axis=1)


def by_day(working: float, weekend: float = 0.0) -> np.ndarray:
    """So many passages in each hour from 8 to 18."""
    hours = np.zeros((2, 24))
    hours[0, 8:18], hours[1, 8:18] = working, weekend
    return hours


def test_an_hour_far_from_all_that_are_usual_is_less_probable_than_one_beside_them() -> None:
    told = of_hours(by_day(40), watched((10, 4)))[0]
    assert told[12] > 0.1 > told[19] > told[21] > told[0] > 0
    assert told[0] < 1 / 400


def test_days_that_were_never_watched_are_taken_to_be_as_others() -> None:
    first_weekend = of_hours(by_day(40), watched((5, 0)))
    assert first_weekend[1, 12] > 0.05
    assert first_weekend[1, 2] < 0.01


def test_days_that_were_watched_in_vain_are_unusual() -> None:
    assert of_hours(by_day(40), watched((10, 4)))[1, 12] < 0.005


def test_hours_that_were_never_watched_are_taken_to_be_as_others() -> None:
    by_day_only = watched((10, 4))
    by_day_only[:, :7] = by_day_only[:, 19:] = 0
    assert of_hours(by_day(40, 40), by_day_only)[0, 2] > 0.05


def test_quiet_hours_are_as_rare_as_all_that_are_as_quiet() -> None:
    hours = np.full((2, 24), [[10.0], [4.0]])
    hours[:, 12] *= 100
    told = of_hours(hours, watched((10, 4)))[0]
    # One of them alone has 1 in 170 of the passages.
    assert told[3] > 0.05


def visited(part: int, passages: float) -> tuple[np.ndarray, np.ndarray]:
    """So many passages along the row 10, in one part of the day."""
    visits, hours = np.zeros((8, 14, 24)), np.zeros(8)
    visits[part, 10], hours[part] = passages, passages
    return visits, hours


def test_a_place_far_from_all_that_are_usual_is_less_probable_than_one_beside_them() -> None:
    told = of_visits(*visited(4, 300.0))[4]
    assert told[10, 5] > 0.9
    assert told[7, 5] > told[5, 5] > told[3, 5] > 2.0**-20


def test_no_more_than_passed_is_told_of_a_place_where_nobody_was() -> None:
    visits, hours = visited(4, 300.0)
    told = of_visits(visits, hours)
    # Neither is it rarer in a part of the day in which many passed elsewhere.
    assert told[4, 7, 5] == pytest.approx(told[0, 7, 5], rel=0.1)
    assert told[4, 7, 5] > 0.5 / 300 / 2**4


def test_a_way_that_nobody_took_is_as_rare_as_many_passed_not_as_many_cells_were_crossed() -> None:
    ways = np.zeros((14, 24, 8))
    ways[10, :, 2] = 300.0
    told = of_ways(ways, 300.0)
    assert told[10, 5, 2] > 0.4
    assert 0.5 / 300 / 2**4 / 2 < told[10, 5, 6] < 0.5 / 300
    assert told.sum(axis=2) == pytest.approx(1.0)


def test_where_nothing_moved_any_direction_is_as_probable() -> None:
    assert of_ways(np.zeros((14, 24, 8)), 0.0) == pytest.approx(1 / 8)


def test_what_is_near_fades_by_half_a_step_around_the_clock() -> None:
    counts = np.zeros(24)
    counts[23] = 8.0
    near = fading(counts, 0, around=True)
    assert near[[23, 0, 1, 21]] == pytest.approx([1, 0.5, 0.25, 0.25])
    assert near.min() == 0.5**8
    assert fading(counts, 0)[0] == 0.5**8


def test_what_is_certain_has_no_bits_and_no_sign() -> None:
    assert [str(bits) for bits in bits_of(np.array([1.0, 0.5]))] == ["0.0", "1.0"]
