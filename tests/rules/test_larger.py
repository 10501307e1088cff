"""How probable a figure so large is, also beyond all that was ever counted."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.rules.larger import middles, of_farther, of_larger

BINS = 24


def counted(*figures: np.ndarray) -> np.ndarray:
    """One row of counts for the figures of each place, in bins."""
    return np.array([np.histogram(f, np.arange(BINS + 1))[0] for f in figures], dtype=float)


def walkers(number: int, middle: float = 8.0, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(middle, 1.0, number)


def bits(counts: np.ndarray) -> np.ndarray:
    return -np.log2(of_larger(counts))


def test_what_lies_far_beyond_all_is_less_probable_than_what_lies_just_beyond() -> None:
    told = bits(counted(walkers(300)))[0]
    assert told[13] > 8
    assert (np.diff(told[13:]) >= 0.5).all()
    assert (np.diff(told[13:]) < 1.01).all()


@pytest.mark.parametrize("figure", [8, 9, 10])
def test_what_was_seen_often_is_as_probable_as_it_was(figure: int) -> None:
    seen = walkers(5000)
    assert of_larger(counted(seen))[0, figure] == pytest.approx((seen >= figure).mean(), rel=0.02)


def test_the_fewer_there_were_the_less_surprising_is_what_lies_beyond() -> None:
    few, some, many = (bits(counted(walkers(number)))[0, 16] for number in (25, 300, 5000))
    assert few < some < many


def test_of_hardly_any_nothing_is_told() -> None:
    assert (of_larger(counted(walkers(12))) == 1).all()


def test_one_stray_does_not_make_another_usual() -> None:
    seen = walkers(1000)
    told = bits(counted(np.append(seen, 20.0)))[0]
    assert told[20] > 9
    assert told[16] > 9


def test_a_place_has_its_own_middle_and_the_tail_of_all() -> None:
    across, along = walkers(1000, 12.0), walkers(25, 6.0, seed=2)
    told = bits(counted(across, along))
    # What is slow across the picture is fast along it.
    assert told[0, 11] < 1
    assert told[1, 11] > 6
    assert told[1, 9] < told[1, 11] < told[1, 13]


def test_a_place_that_hardly_anybody_passed_is_told_from_all() -> None:
    told = bits(counted(walkers(1000), walkers(3, 3.0)))
    assert told[1] == pytest.approx(told[0], abs=1.0)


def test_what_is_far_on_either_side_is_improbable() -> None:
    both = of_farther(counted(walkers(1000, 12.0)))[0]
    assert both[4] < 0.01
    assert both[20] < 0.01
    assert both[11:13].max() > 0.8


def test_the_middle_of_a_place_that_nobody_passed_is_that_of_all() -> None:
    seen = counted(walkers(100, 12.0), np.array([]))
    assert middles(seen)[1] == middles(seen)[0]
