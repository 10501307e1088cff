"""A limit that only a given share of the values exceeds, from counts of few or many."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.rules.tails import limit, quantile

WIDTH = 0.25


def counted(values: np.ndarray) -> np.ndarray:
    return np.histogram(values, np.arange(0, 130, WIDTH))[0].astype(float)


def test_a_quantile_lies_where_so_many_values_are_below() -> None:
    values = np.random.default_rng(1).exponential(4, 20_000)
    for share in (0.1, 0.5, 0.95):
        found = quantile(counted(values), share, WIDTH)
        assert found == pytest.approx(np.quantile(values, share), abs=WIDTH)


@pytest.mark.parametrize("number", [60, 300, 2000])
def test_what_was_never_seen_is_extrapolated_rather_too_far_than_too_near(number: int) -> None:
    share = 1 / 1000
    true = 2 * math.log(1 / share)
    found = [
        limit(counted(np.random.default_rng(seed).exponential(2, number)), share, WIDTH)
        for seed in range(40)
    ]
    assert np.mean(np.array(found) > true) > 0.7
    assert np.median(found) < 3 * true


def test_two_anomalies_among_forty_values_do_not_raise_the_limit_beyond_reach() -> None:
    values = np.random.default_rng(2).exponential(1, 40)
    without = limit(counted(values), 0.002, WIDTH)
    found = limit(counted(np.concatenate([values, [20.0, 60.0]])), 0.002, WIDTH)
    assert found < 2 * without


def test_where_enough_lie_beyond_they_are_counted() -> None:
    values = np.random.default_rng(3).uniform(0, 10, 20_000)
    assert limit(counted(values), 0.01, WIDTH) == pytest.approx(9.9, abs=WIDTH)


def test_of_nothing_there_is_no_limit() -> None:
    assert limit(np.zeros(8), 0.01, WIDTH) == math.inf
