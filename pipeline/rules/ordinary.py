"""What is ordinary before a camera: learned from passages, without labels, and slowly forgotten.

The surprise of each part of a passage is -log2 of its probability, in bits.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from pipeline.protocols import JsonObject
from pipeline.rules import tails
from pipeline.rules.counting import (
    BITS,
    SIZE,
    LabelCounts,
    Usual,
    bits_bin,
)
from pipeline.rules.larger import KNOWN_FROM
from pipeline.rules.passages import HOURS, Passage
from pipeline.rules.probabilities import PRIOR, Counts

DAY_S = 86_400.0
HOUR_S = 3600
BIT = 0.25
AIM = 0.5
"""So much of `per_day` is aimed at, since what is usual changes from week to week."""
LEAST_LIMIT = 3.0
"""What is hardly beyond the usual is not unusual, however seldom anything passes."""
PEAKS = 512
"""Past surprises are counted in so many quarters of a bit..."""
PEAK_DAYS = 10.0
"""...and count half after so many days, if not sooner: while there is little to know yet, all is
more surprising."""


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

    @property
    def told(self) -> str:
        """The bits of that part, and what they usually are: `12 bits, usually under 3`; with a
        decimal where both would be the same without."""
        bits, usual = self.bits[self.leading], max(self.usual[self.leading], 1.0)
        digits = 0 if round(bits) > round(usual) else 1
        return f"{bits:.{digits}f} bits, usually under {usual:.{digits}f}"


class Ordinary:
    """What passed before one camera.

    Args:
        labels: those that count.
        forget_days: what was learned counts half after so many days of watching. Days on which
            nothing was watched do not count: a camera that was off has forgotten nothing.
    """

    def __init__(self, labels: Sequence[str], forget_days: float) -> None:
        self._labels = {label: LabelCounts() for label in labels}
        self._half_life_s = forget_days * DAY_S
        self._peaks_half_life_s = min(forget_days, PEAK_DAYS) * DAY_S
        self._peaks = np.zeros(PEAKS)
        self._label_bits = np.zeros(BITS)
        self._usual_label: Usual | None = None
        self._watched = np.zeros((2, HOURS))
        """For how many hours, on working days and at weekends, in each hour of the day; lately."""
        self._unforgotten_s = 0.0
        self.watched_s = 0.0
        """For how long it was watched in all, nothing forgotten."""
        self.passages = 0
        """How many were learned in all, nothing forgotten."""

    def watch(self, seconds: float, until: datetime) -> None:
        """So much time has passed until then, which is in the site's time zone."""
        self.watched_s += seconds
        self._unforgotten_s += seconds
        while seconds > 0:
            # Back to the full hour.
            part = min(seconds, (until.minute * 60 + until.second) or HOUR_S)
            until -= timedelta(seconds=part)
            self._watched[int(until.weekday() >= 5), until.hour] += part / HOUR_S
            seconds -= part

    @property
    def passages_per_day(self) -> float:
        """Lately."""
        passed = sum(label.weight for label in self._labels.values())
        return passed / max(float(self._watched.sum()) / HOURS, 1 / HOURS)

    def limit(self, per_day: float) -> float:
        """The surprise that fewer than `per_day` usual passages a day exceed; infinite as long as
        nothing is known of surprises."""
        share = AIM * per_day / max(self.passages_per_day, per_day)
        return max(tails.limit(self._peaks, share, BIT), LEAST_LIMIT)

    def surprise(self, passage: Passage) -> Surprise:
        """How unusual a passage is so far."""
        weights = [known.weight for known in self._labels.values()]
        known = self._labels[passage.label]
        rare = (sum(weights) + PRIOR * len(weights)) / (known.weight + PRIOR)
        label_bits = math.log2(rare)
        bits = {"label": label_bits}
        if self._usual_label is None:
            self._usual_label = Usual.of(self._label_bits)
        usual = {"label": self._usual_label}
        if known.weight >= KNOWN_FROM:
            table = known.table(self._watched)
            bits |= table.bits(passage)
            usual |= table.usual
        return Surprise(
            bits=bits,
            usual={part: known.below for part, known in usual.items()},
            beyond={part: known.beyond(bits[part]) for part, known in usual.items()},
        )

    def is_large(self, passage: Passage) -> bool:
        """Whether it is larger than most of its label, rather than smaller."""
        return self._labels[passage.label].table(self._watched).is_large(passage)

    def learn(self, passage: Passage, surprise: Surprise | None) -> None:
        """A passage is over; how unusual it was counts among the surprises, if it is given."""
        self._forget()
        self._usual_label = None
        known = self._labels[passage.label]
        if surprise is not None:
            self._peaks[min(int(surprise.total / BIT), PEAKS - 1)] += 1
            self._label_bits[bits_bin(surprise.bits["label"])] += 1
            known.remember(surprise.bits)
        known.learn(passage)
        self.passages += 1

    def _forget(self) -> None:
        left = 0.5 ** (self._unforgotten_s / self._half_life_s)
        self._peaks *= 0.5 ** (self._unforgotten_s / self._peaks_half_life_s)
        self._unforgotten_s = 0.0
        self._watched *= left
        self._label_bits *= left
        for label in self._labels.values():
            label.forget(left)

    def memory(self) -> JsonObject:
        """As JSON: at most 4 kB, and 35 kB for each label."""
        self._forget()
        return {
            "watched_s": round(self.watched_s, 1),
            "watched": _packed(self._watched.reshape(-1)),
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
        watched = _unpacked(memory["watched"], 2 * HOURS).reshape(2, HOURS)
        watched_s = _number(memory["watched_s"])
        passages = int(_number(memory["passages"]))
        labels = {
            name: LabelCounts(_unpacked(text, SIZE))
            for name, text in memory["labels"].items()
            if name in self._labels
        }
        self._peaks, self._label_bits, self._usual_label = peaks, label_bits, None
        self.watched_s, self._watched, self.passages = watched_s, watched, passages
        self._labels |= labels


def _number(value: float) -> float:
    """Raises: ValueError: it is below 0 or not finite."""
    number = float(value)
    if not 0 <= number < math.inf:
        raise ValueError(f"{number} is no number of seconds or passages")
    return number


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
