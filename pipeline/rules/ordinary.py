"""What is ordinary before a camera: learned from passages, without labels, and slowly forgotten.

The surprise of each part of a passage is -log2 of its probability, in bits, told from counts of
what passed before: with a prior (Dirichlet) where little was counted, and neighbours smoothed in.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from pipeline.protocols import JsonObject
from pipeline.rules import tails
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
)

Counts = NDArray[np.float64]

DAY_S = 86_400.0
DAY_PARTS = 8
"""Places are told apart by parts of the day, of three hours."""
PARTS = ("label", "hour", "place", "direction", "size", "speed", "stay")
"""What of a passage may be unusual."""
KNOWN_FROM = 20.0
"""A label of which fewer have passed is rare; how it goes otherwise is not judged yet."""
MOST_SURPRISING = 3
"""A place is as surprising as so many of the most surprising cells of a way, taken together: a
single one may be a box that slipped."""
BIT = 0.25
BITS = 64
"""Past surprises are counted in quarters of a bit, those of parts in halves, up to 32 bits."""
PEAKS = 256
USUAL = 0.95
"""This share of the passages is what `usually` means."""
LEAST_HALVING, MOST_HALVING = 1.0, 2.0
"""Bounds of `_Usual.halving`, in bits."""
PRIOR = 0.5
"""So much is counted of what was never seen (Jeffreys); of hours one in all (Perks)."""
PULL = 10.0
"""A place at an hour is told from all hours as if so many had passed there."""
PULL_NEAR = 2.0
"""The direction at a place, and the size, are told from all places as if of so many."""
POOLED = 0.25
"""So much of an hour's weight is that of the hour on all days, working days and weekends alike."""
_DAYS = np.array([[5 / 7], [2 / 7]])
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
_SIZE = sum(int(np.prod(shape)) for shape in _SHAPES.values())


@dataclass(frozen=True, slots=True)
class Surprise:
    """How unusual a passage is: `bits` of each part, which of them the usual ones stay below, and
    how much of it is `beyond` the usual, measured by how far usual ones go beyond."""

    bits: Mapping[str, float]
    usual: Mapping[str, float]
    beyond: Mapping[str, float]

    @property
    def total(self) -> float:
        """The sum of what is beyond the usual, in bits."""
        return sum(self.beyond.values())

    @property
    def leading(self) -> str:
        """The part that is most unusual."""
        return max(self.beyond, key=lambda part: self.beyond[part])


@dataclass(frozen=True, slots=True)
class _Usual:
    """What a part's bits usually stay `below`, and by how many the larger ones go beyond, each
    further one of which half of them have."""

    below: float
    halving: float

    @classmethod
    def of(cls, counts: Counts) -> _Usual:
        # Before some were counted, none is beyond.
        if counts.sum() < KNOWN_FROM:
            return cls(float(BITS), 1.0)
        below = tails.quantile(counts, USUAL, 2 * BIT)
        halving = tails.quantile(counts, (1 + USUAL) / 2, 2 * BIT) - below
        return cls(below, min(max(halving, LEAST_HALVING), MOST_HALVING))

    def beyond(self, bits: float) -> float:
        """A bit of what is less probable than this means that half as many have so much."""
        return max(0.0, bits - self.below) / self.halving


class Ordinary:
    """What passed before one camera.

    Args:
        labels: those that count.
        forget_days: what was learned counts half after so many days of watching. Days on which
            nothing was watched do not count: a camera that was off has forgotten nothing.
    """

    def __init__(self, labels: Sequence[str], forget_days: float) -> None:
        self._labels = {label: _Label() for label in labels}
        self._half_life_s = forget_days * DAY_S
        self._peaks = np.zeros(PEAKS)
        self._label_bits = np.zeros(BITS)
        self._watched_s = 0.0
        self._unforgotten_s = 0.0
        self.watched_s = 0.0
        """For how long it was watched in all, nothing forgotten."""
        self.passages = 0
        """How many were learned in all, nothing forgotten."""

    def watch(self, seconds: float) -> None:
        """So much time has passed."""
        self.watched_s += seconds
        self._watched_s += seconds
        self._unforgotten_s += seconds

    @property
    def passages_per_day(self) -> float:
        """Lately."""
        passed = sum(label.weight for label in self._labels.values())
        return passed / max(self._watched_s / DAY_S, 1 / HOURS)

    def limit(self, per_day: float) -> float:
        """The surprise that fewer than `per_day` usual passages a day exceed; infinite as long as
        nothing is known of surprises. Half as many are aimed at: some days are busier."""
        share = 0.5 * per_day / max(self.passages_per_day, per_day)
        return tails.limit(self._peaks, share, BIT)

    def surprise(self, passage: Passage) -> Surprise:
        """How unusual a passage is so far."""
        weights = [known.weight for known in self._labels.values()]
        known = self._labels[passage.label]
        rare = (sum(weights) + PRIOR * len(weights)) / (known.weight + PRIOR)
        label_bits = float(np.log2(rare))
        bits = {"label": label_bits}
        usual = {"label": _Usual.of(self._label_bits)}
        if known.weight >= KNOWN_FROM:
            table = known.table()
            bits |= table.bits(passage)
            usual |= table.usual
        return Surprise(
            bits=bits,
            usual={part: known.below for part, known in usual.items()},
            beyond={part: known.beyond(bits[part]) for part, known in usual.items()},
        )

    def is_large(self, passage: Passage) -> bool:
        """Whether it is larger than most of its label, rather than smaller."""
        return self._labels[passage.label].table().is_large(passage)

    def learn(self, passage: Passage, surprise: Surprise | None) -> None:
        """A passage is over; how unusual it was counts among the surprises, if it is given."""
        self._forget()
        known = self._labels[passage.label]
        if surprise is not None:
            self._peaks[min(int(surprise.total / BIT), PEAKS - 1)] += 1
            self._label_bits[_bits_bin(surprise.bits["label"])] += 1
            known.remember(surprise.bits)
        known.learn(passage)
        self.passages += 1

    def _forget(self) -> None:
        left = 0.5 ** (self._unforgotten_s / self._half_life_s)
        self._unforgotten_s = 0.0
        self._watched_s *= left
        self._peaks *= left
        self._label_bits *= left
        for label in self._labels.values():
            label.forget(left)

    def memory(self) -> JsonObject:
        """As JSON: at most 16 kB, and 16 kB for each label."""
        self._forget()
        return {
            "watched_s": round(self.watched_s, 1),
            "lately_s": round(self._watched_s, 1),
            "passages": self.passages,
            "peaks": _packed(self._peaks),
            "label_bits": _packed(self._label_bits),
            "labels": {
                name: _packed(label.counts) for name, label in self._labels.items() if label.weight
            },
        }

    def recall(self, memory: JsonObject) -> None:
        """Take over what `memory` gave; of labels that do not count any more, nothing.

        Raises:
            KeyError, TypeError, ValueError: it is no such memory; nothing was taken over.
        """
        peaks = _unpacked(memory["peaks"], PEAKS)
        label_bits = _unpacked(memory["label_bits"], BITS)
        watched_s, lately_s = float(memory["watched_s"]), float(memory["lately_s"])
        passages = int(memory["passages"])
        labels = {
            name: _Label(_unpacked(text, _SIZE))
            for name, text in memory["labels"].items()
            if name in self._labels
        }
        self._peaks, self._label_bits = peaks, label_bits
        self.watched_s, self._watched_s, self.passages = watched_s, lately_s, passages
        self._labels |= labels


class _Label:
    """What is counted of the passages of one label, in one row of numbers."""

    def __init__(self, counts: Counts | None = None) -> None:
        self.counts = np.zeros(_SIZE) if counts is None else counts
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in _SHAPES.values())])
        parts = {
            name: self.counts[begin:end].reshape(shape)
            for (name, shape), (begin, end) in zip(_SHAPES.items(), pairwise(ends), strict=True)
        }
        self.hours, self.visits, self.ways = parts["hours"], parts["visits"], parts["ways"]
        self.heights, self.speeds, self.stays = parts["heights"], parts["speeds"], parts["stays"]
        self.bits = parts["bits"]
        self._table: _Table | None = None
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
                self.bits[index, _bits_bin(bits[part])] += 1

    def forget(self, left: float) -> None:
        self.counts *= left
        self.weight = float(self.hours.sum())

    def table(self) -> _Table:
        if self._table is None:
            self._table = _Table(self)
        return self._table


class _Table:
    """The bits of everything that a passage of one label may do, ready to be looked up."""

    def __init__(self, known: _Label) -> None:
        self._hours = _bits_of(_hour_probability(known.hours))
        self._places = _bits_of(_visit_probability(known)).reshape(DAY_PARTS, CELLS).tolist()
        ways = _near(_near(_near(known.ways, 0), 1), 2, around=True)
        self._ways = _bits_of(_conditional(ways, 2)).reshape(CELLS, DIRECTIONS).tolist()
        heights = _near(_near(known.heights, 0), 1)
        by_row = _conditional(heights, 1)
        self._heights = _bits_of(by_row).tolist()
        self._middles = (by_row @ np.arange(HEIGHTS)).tolist()
        self._speeds = _bits_of(_beyond(_near(known.speeds, 0, around=True))).tolist()
        self._stays = _bits_of(_beyond(known.stays)).tolist()
        self.usual = {
            part: _Usual.of(counts)
            for part, counts in zip(PARTS, known.bits, strict=True)
            if part != "label"
        }

    def bits(self, passage: Passage) -> dict[str, float]:
        places = self._places[_day_part(passage.hour)]
        rarest = sorted((places[cell] for cell in passage.cells), reverse=True)[:MOST_SURPRISING]
        ways = [self._ways[cell][direction] for cell, direction in passage.directions()]
        sizes = [self._heights[row][height] for row, height in passage.sizes()]
        paces = [self._speeds[direction][speed] for direction, speed in passage.paces()]
        return {
            "hour": self._hour(passage.hour, int(passage.weekend)),
            "place": _mean(rarest),
            "direction": _mean(ways),
            "size": _mean(sizes),
            "speed": max(paces, default=0.0),
            "stay": self._stays[passage.stay_bin],
        }

    def is_large(self, passage: Passage) -> bool:
        larger = sum(height - self._middles[row] for row, height in passage.sizes())
        return larger > 0

    def _hour(self, hour: float, weekend: int) -> float:
        """Between the middles of two hours."""
        before = int(hour - 0.5) if hour >= 0.5 else HOURS - 1
        share = (hour - 0.5) % 1.0
        first, second = self._hours[weekend, before], self._hours[weekend, (before + 1) % HOURS]
        return float((1 - share) * first + share * second)


def _hour_probability(hours: Counts) -> Counts:
    """Of each hour of working days and of weekends, as if there were as many days of both."""
    smooth = _near(hours, 1, around=True) + 1 / hours.size
    rates = smooth / _DAYS
    all_days = smooth.sum(axis=0, keepdims=True)
    mixed = (1 - POOLED) * rates + POOLED * all_days
    return np.asarray(mixed / mixed.sum())


def _visit_probability(known: _Label) -> Counts:
    """That a passage comes by a cell, in each part of the day."""
    hourly = known.hours.sum(axis=0).reshape(DAY_PARTS, -1).sum(axis=1)
    visits = np.maximum(known.visits, _near(_near(known.visits, 1), 2))
    always = (visits.sum(axis=0) + PRIOR) / (known.weight + 2 * PRIOR)
    visits, hourly = _near(visits, 0, around=True), _near(hourly, 0, around=True)
    now = (visits + PULL * always) / (hourly[:, None, None] + PULL)
    return np.minimum(now, 1.0)


def _conditional(counts: Counts, axis: int) -> Counts:
    """The probabilities along `axis`, the last one, at each place; where little was counted, those
    of all places."""
    axes = tuple(range(axis))
    everywhere = counts.sum(axis=axes) + PRIOR
    everywhere = everywhere / everywhere.sum()
    total = counts.sum(axis=axis, keepdims=True)
    return np.asarray((counts + PULL_NEAR * everywhere) / (total + PULL_NEAR))


def _beyond(counts: Counts) -> Counts:
    """That a figure is so large or larger, along the last axis; where little was counted, as
    everywhere."""
    beyond = np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1]
    everywhere = beyond.reshape(-1, counts.shape[-1]).sum(axis=0) + PRIOR
    everywhere = everywhere / everywhere[0]
    return np.asarray((beyond + PULL_NEAR * everywhere) / (beyond[..., :1] + PULL_NEAR))


def _near(counts: Counts, axis: int, *, around: bool = False) -> Counts:
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


def _bits_of(probability: Counts) -> Counts:
    return np.asarray(-np.log2(probability))


def _bits_bin(bits: float) -> int:
    return min(int(bits / (2 * BIT)), BITS - 1)


def _day_part(hour: float) -> int:
    return int(hour) * DAY_PARTS // HOURS


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _packed(counts: Counts) -> str:
    return base64.b64encode(zlib.compress(counts.astype("<f4").tobytes())).decode()


def _unpacked(text: str, size: int) -> Counts:
    """Raises: ValueError: it is not of this size, or damaged."""
    try:
        raw = zlib.decompress(base64.b64decode(text, validate=True))
    except zlib.error as error:
        raise ValueError(str(error)) from error
    counts = np.frombuffer(raw, "<f4").astype(np.float64)
    if counts.shape != (size,) or not np.isfinite(counts).all() or (counts < 0).any():
        raise ValueError(f"{counts.shape} counts, not {size}")
    return counts
