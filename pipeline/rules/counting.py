"""What is counted of the passages of one label, and the surprise of whatever one may do."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

import numpy as np

from pipeline.rules import tails
from pipeline.rules.larger import KNOWN_FROM, middles, of_farther, of_larger
from pipeline.rules.passages import (
    CELLS,
    COLUMNS,
    DIRECTIONS,
    HEIGHTS,
    HOURS,
    ROWS,
    SPEEDS,
    STAYS,
    Passage,
    hardly_exceeded,
)
from pipeline.rules.probabilities import (
    Counts,
    bits_of,
    of_hours,
    of_visits,
    of_ways,
)

DAY_PARTS = 8
"""Places are told apart by parts of the day, of three hours."""
PARTS = ("hour", "place", "direction", "size", "speed", "stay")
"""What of a passage of one label may be unusual."""
MOST_SURPRISING = 3
"""A place is as surprising as so many of the most surprising cells of a way, taken together: a
single one may be a box that slipped."""
BITS = 64
PART_BIT = 0.5
"""Past surprises of parts are counted in `BITS` bins of so many bits."""
USUAL = 0.95
"""This share of the passages is what `usually` means."""
RARER = ("hour", "size", "speed", "stay")
"""Of these the bits tell how seldom it is so, or more so; of the others, how seldom just so."""
SELDOM_BITS = -math.log2(1 - USUAL)
"""What more than one in twenty do is not beyond the usual, also where hardly any differ."""
LEAST_HALVING, MOST_HALVING = 1.0, 2.0
"""Bounds of `Usual.halving`, in bits."""
_SHAPES: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "hours": (2, HOURS),
        "visits": (DAY_PARTS, ROWS, COLUMNS),
        "ways": (ROWS, COLUMNS, DIRECTIONS),
        "heights": (ROWS, HEIGHTS),
        "speeds": (DIRECTIONS, SPEEDS),
        "stays": (STAYS,),
        "bits": (len(PARTS), BITS),
    }
)
SIZE = sum(int(np.prod(shape)) for shape in _SHAPES.values())


@dataclass(frozen=True, slots=True)
class Usual:
    """What a part's bits usually stay `below`, and by how many the larger ones go beyond, each
    further one of which half of them have."""

    below: float
    halving: float

    @classmethod
    def of(cls, counts: Counts, least: float = 0.0) -> Usual:
        """From counts of bits; it is never below `least`."""
        # Before some were counted, none is beyond.
        if counts.sum() < KNOWN_FROM:
            return cls(float(BITS), 1.0)
        below = max(tails.quantile(counts, USUAL, PART_BIT), least)
        halving = tails.quantile(counts, (1 + USUAL) / 2, PART_BIT) - below
        return cls(below, min(max(halving, LEAST_HALVING), MOST_HALVING))

    def beyond(self, bits: float) -> float:
        """A bit of what is less probable than this means that half as many have so much."""
        return max(0.0, bits - self.below) / self.halving


class LabelCounts:
    """What is counted of the passages of one label, in one row of numbers."""

    def __init__(self, counts: Counts | None = None) -> None:
        self.counts = np.zeros(SIZE) if counts is None else counts
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in _SHAPES.values())])
        parts = {
            name: self.counts[begin:end].reshape(shape)
            for (name, shape), (begin, end) in zip(_SHAPES.items(), pairwise(ends), strict=True)
        }
        self.hours, self.visits, self.ways = parts["hours"], parts["visits"], parts["ways"]
        self.heights, self.speeds, self.stays = parts["heights"], parts["speeds"], parts["stays"]
        self.bits = parts["bits"]
        self._table: Table | None = None
        self.weight = float(self.hours.sum())

    def learn(self, passage: Passage) -> None:
        part = _day_part(passage.hour)
        self.hours[int(passage.weekend), int(passage.hour)] += 1
        self.visits[part].reshape(-1)[list(passage.cells)] += 1
        for cell, direction in passage.directions():
            self.ways.reshape(CELLS, DIRECTIONS)[cell, direction] += 1
        for row, height in passage.sizes():
            self.heights[row, height] += 1
        for direction, speed in passage.paces():
            self.speeds[direction, speed] += 1
        self.stays[passage.stay_bin] += 1
        self.weight += 1
        self._table = None

    def remember(self, bits: Mapping[str, float]) -> None:
        """How surprising the parts of a passage were."""
        for index, part in enumerate(PARTS):
            if part in bits:
                self.bits[index, bits_bin(bits[part])] += 1

    def forget(self, left: float) -> None:
        self.counts *= left
        self.weight = float(self.hours.sum())

    def table(self, watched: Counts) -> Table:
        """What is known now; `watched` are hours, by kind of day and hour of the day."""
        if self._table is None:
            self._table = Table(self, watched)
        return self._table


class Table:
    """The bits of everything that a passage of one label may do, ready to be looked up."""

    def __init__(self, known: LabelCounts, watched: Counts) -> None:
        self._hours = bits_of(of_hours(known.hours, watched))
        hourly = known.hours.sum(axis=0).reshape(DAY_PARTS, -1).sum(axis=1)
        self._places = bits_of(of_visits(known.visits, hourly)).reshape(DAY_PARTS, CELLS).tolist()
        self._ways = bits_of(of_ways(known.ways, known.weight)).reshape(CELLS, DIRECTIONS).tolist()
        self._heights = bits_of(of_farther(known.heights)).tolist()
        self._middles: list[int] = middles(known.heights).tolist()
        self._speeds = bits_of(of_larger(known.speeds)).tolist()
        self._stays = bits_of(of_larger(known.stays[None]))[0].tolist()
        self.usual = {
            part: Usual.of(counts, SELDOM_BITS if part in RARER else 0.0)
            for part, counts in zip(PARTS, known.bits, strict=True)
        }

    def bits(self, passage: Passage) -> dict[str, float]:
        places = self._places[_day_part(passage.hour)]
        rarest = sorted((places[cell] for cell in passage.cells), reverse=True)[:MOST_SURPRISING]
        ways = [self._ways[cell][direction] for cell, direction in passage.directions()]
        sizes = [self._heights[row][height] for row, height in passage.sizes()]
        paces = [(self._speeds[way][bin_], looks) for (way, bin_), looks in passage.speeds.items()]
        return {
            "hour": self._hour(passage.hour, int(passage.weekend)),
            "place": _mean(rarest),
            "direction": _mean(ways),
            "size": _mean(sizes),
            "speed": hardly_exceeded(paces) or 0.0,
            "stay": self._stays[passage.stay_bin],
        }

    def is_large(self, passage: Passage) -> bool:
        return sum(height - self._middles[row] for row, height in passage.sizes()) > 0.0

    def _hour(self, hour: float, weekend: int) -> float:
        """Between the middles of two hours."""
        before = int(hour - 0.5) if hour >= 0.5 else HOURS - 1
        share = (hour - 0.5) % 1.0
        first, second = self._hours[weekend, before], self._hours[weekend, (before + 1) % HOURS]
        return float((1 - share) * first + share * second)


def bits_bin(bits: float) -> int:
    return min(int(bits / PART_BIT), BITS - 1)


def _day_part(hour: float) -> int:
    return int(hour) * DAY_PARTS // HOURS


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
