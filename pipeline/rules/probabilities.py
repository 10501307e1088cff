"""From counts to probabilities: with a prior where little was counted (Dirichlet), neighbours
smoothed in, and what holds everywhere where a place alone says too little."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64]

PRIOR = 0.5
"""So much is counted of what was never seen (Jeffreys); of hours one in all (Perks)."""
PULL = 10.0
"""A place at an hour is told from all hours as if so many had passed there."""
PULL_NEAR = 2.0
"""The direction at a place, the size there, and the speed in a direction are told from all of them
as if of so many."""
POOLED = 2.0
"""The hours of working days, and of weekends, are told from all days as if so many had passed."""
_DAYS = np.array([[5 / 7], [2 / 7]])


def of_hours(hours: Counts) -> Counts:
    """Of each hour of working days and of weekends, as if there were as many days of both."""
    smooth = near(hours, 1, around=True) + 1 / hours.size
    all_days = smooth.sum(axis=0, keepdims=True)
    mixed = (smooth + POOLED * all_days / all_days.sum()) / _DAYS
    return np.asarray(mixed / mixed.sum())


def of_visits(visits: Counts, hours: Counts) -> Counts:
    """That a passage comes by a cell, in each part of the day.

    Args:
        visits: part of the day x row x column.
        hours: how many passed in each part of the day.
    """
    visits = np.maximum(visits, near(near(visits, 1), 2))
    always = (visits.sum(axis=0) + PRIOR) / (hours.sum() + 2 * PRIOR)
    visits, hours = near(visits, 0, around=True), near(hours, 0, around=True)
    now = (visits + PULL * always) / (hours[:, None, None] + PULL)
    return np.asarray(np.minimum(now, 1.0))


def conditional(counts: Counts, axis: int) -> Counts:
    """The probabilities along `axis`, the last one, at each place; where little was counted, those
    of all places."""
    axes = tuple(range(axis))
    everywhere = counts.sum(axis=axes) + PRIOR
    everywhere = everywhere / everywhere.sum()
    total = counts.sum(axis=axis, keepdims=True)
    return np.asarray((counts + PULL_NEAR * everywhere) / (total + PULL_NEAR))


def of_more(counts: Counts) -> Counts:
    """That a figure is so large or larger, along the last axis; where little was counted, as
    everywhere."""
    beyond = np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1]
    everywhere = beyond.reshape(-1, counts.shape[-1]).sum(axis=0) + PRIOR
    everywhere = everywhere / everywhere[0]
    return np.asarray((beyond + PULL_NEAR * everywhere) / (beyond[..., :1] + PULL_NEAR))


def near(counts: Counts, axis: int, *, around: bool = False) -> Counts:
    """Smoothed: half of each count is shared among its two neighbours on an axis; `around` if the
    last is the first's neighbour."""
    earlier, later = np.roll(counts, 1, axis), np.roll(counts, -1, axis)
    if not around:
        # What would go beyond the edge stays.
        for shifted, edge in ((earlier, 0), (later, -1)):
            index = [slice(None)] * counts.ndim
            index[axis] = slice(edge, edge + 1 or None)
            shifted[tuple(index)] = counts[tuple(index)]
    return np.asarray(0.5 * counts + 0.25 * earlier + 0.25 * later)


def bits_of(probability: Counts) -> Counts:
    return np.asarray(-np.log2(probability))
