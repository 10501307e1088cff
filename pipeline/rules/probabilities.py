"""From counts to probabilities: with a prior where little was counted (Dirichlet), neighbours
smoothed in, and what holds everywhere where a place alone says too little."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64]

PRIOR = 0.5
"""So much is counted of what was never seen (Jeffreys) right beside what is seen most..."""
STEPS = 8
"""...and half as much with each step farther from it, up to so many: an hour, a cell or an eighth
of the compass. So what is far from all that was ever seen is less probable than what is beside it,
as with figures (`larger`)."""
PULL = 1.0
"""A part at a place or hour is told from all of them as if so many had been expected there, and had
come."""

_DAYS = np.array([[5.0], [2.0]])


def of_hours(hours: Counts, watched: Counts) -> Counts:
    """That a passage falls into an hour in which so few pass or fewer. Of hours that were not
    watched nothing is known: they are taken to be as others.

    Args:
        hours: how many passed; kind of day (working days, weekends) x hour.
        watched: for how long it was watched then, in hours.
    """
    passed, watched = near(hours, 1, around=True), near(watched, 1, around=True)
    by_hour, long = passed.sum(axis=0), watched.sum(axis=0)
    mean = by_hour.sum() / max(float(long.sum()), 1.0)
    prior = PRIOR * fading(by_hour / np.maximum(long, 1.0), 0, around=True)
    rates = mean * (prior + by_hour) / (prior + mean * long)
    expected = (watched * rates).sum(axis=1, keepdims=True)
    rates = rates * (PRIOR + passed.sum(axis=1, keepdims=True)) / (PRIOR + expected)
    rates = rates * (PULL + passed) / (PULL + watched * rates)
    flat = rates.reshape(-1)
    order = np.argsort(flat, kind="stable")
    summed = np.cumsum((rates * _DAYS).reshape(-1)[order])
    # Of equals, each is as rare as the last of them.
    last = np.searchsorted(flat[order], flat, side="right") - 1
    return np.asarray((summed[last] / summed[-1]).reshape(rates.shape))


def of_visits(visits: Counts, hours: Counts) -> Counts:
    """That a passage comes by a cell, in each part of the day.

    Args:
        visits: part of the day x row x column.
        hours: how many passed in each part of the day.
    """
    visits = np.maximum(visits, near(near(visits, 1), 2))
    ever = visits.sum(axis=0)
    always = (ever + PRIOR * fading(fading(ever, 0), 1)) / (hours.sum() + PRIOR)
    visits, hours = near(visits, 0, around=True), near(hours, 0, around=True)
    return np.asarray(np.minimum(_here(visits, hours[:, None, None], always), 1.0))


def of_ways(ways: Counts, passages: float) -> Counts:
    """The probability of each direction in a cell.

    Args:
        ways: row x column x direction.
        passages: how many there were; each is counted in all cells that it came by.
    """
    ways = near(near(near(ways, 0), 1), 2, around=True)
    ever = ways.sum(axis=(0, 1))
    one = max(float(ever.sum()) / max(passages, 1.0), 1.0)
    always = ever + PRIOR * one * fading(ever, 0, around=True)
    here = _here(ways, ways.sum(axis=2, keepdims=True), always / always.sum())
    return np.asarray(here / here.sum(axis=2, keepdims=True))


def _here(counts: Counts, passed: Counts, always: Counts) -> Counts:
    """What of so many that passed here is to be expected, if `always` is what holds everywhere."""
    return always * (PULL + counts) / (PULL + passed * always)


def fading(counts: Counts, axis: int, *, around: bool = False) -> Counts:
    """How near each is to what is counted most along an axis: 1 for that, and for others no less
    than half of what a neighbour has, down to 0.5 ** `STEPS`; `around` as in `near`."""
    found = np.moveaxis(counts / max(float(counts.max()), 1e-9), axis, 0)
    for _ in range(STEPS):
        padded = (
            np.concatenate([found[-1:], found, found[:1]])
            if around
            else np.concatenate([found[:1], found, found[-1:]])
        )
        found = np.maximum(found, np.maximum(padded[:-2], padded[2:]) / 2)
    return np.asarray(np.moveaxis(np.maximum(found, 0.5**STEPS), 0, axis))


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
    # Not -log2: what is certain has 0 bits, and not -0.
    return np.asarray(0.0 - np.log2(probability))
