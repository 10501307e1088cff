"""One thing's way through the picture, in the few numbers that are learned of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from pipeline.protocols import JsonObject
from pipeline.types import Box, Size, Track

Figure = TypeVar("Figure", int, float)

COLUMNS, ROWS = 24, 14
"""The picture is divided into so many cells, which are about square in most cameras."""
CELLS = COLUMNS * ROWS
DIRECTIONS = 8
SMALLEST = 1 / 64
PER_OCTAVE = 4
HEIGHTS = 6 * PER_OCTAVE
"""Heights from `SMALLEST` of the picture's to all of it, in quarters of octaves."""
SLOWEST = 0.1
SPEEDS = 6 * PER_OCTAVE
"""From `SLOWEST` up to 6.4 box heights a second, in quarters of octaves."""
SHORTEST_S = 1.0
STAYS = 14 * PER_OCTAVE
"""From a second to four hours and a half, in quarters of octaves."""
HOURS = 24
FAST_SHARE = 0.75
"""A passage's speed is the one below which it stays for this share of the time: no trembling, and
no jump of a box, which lasts a second in a velocity..."""
LEAST_LOOKS = 3
"""...and reaches in so many looks."""
LEAST_S = 0.7
"""What was seen for less long, or in fewer looks, is no passage."""
CUT = 2.0
"""A box so near to the border of the picture, in pixels, is cut off: its size says nothing."""


@dataclass(slots=True)
class Passage:
    """What one track did so far; times are `monotonic` seconds.

    `hour` is the hour of the day at which it began, 0 <= hour < 24, in the site's time zone.
    """

    label: str
    hour: float
    weekend: bool
    began: float
    last: float
    looks: int = 0
    cells: set[int] = field(default_factory=set)
    ways: dict[int, tuple[float, float]] = field(default_factory=dict)
    """By cell, the sum of its directions there: to the right, and down."""
    heights: dict[int, tuple[float, int]] = field(default_factory=dict)
    """By row of cells, the sum of the logarithms of its heights, and of how many."""
    speeds: dict[tuple[int, int], int] = field(default_factory=dict)
    """By direction and speed, how many looks."""

    @classmethod
    def begun(cls, track: Track, at: datetime, now: float) -> Passage:
        hour = at.hour + at.minute / 60
        return cls(track.label, hour, at.weekday() >= 5, now, now)

    def see(self, track: Track, size: Size, now: float) -> None:
        """A look at it."""
        self.label, self.last = track.label, now
        self.looks += 1
        box = track.detection.box
        cell = cell_of(box, size)
        self.cells.add(cell)
        right, down = track.velocity
        speed = track.speed
        if track.direction is not None:
            before = self.ways.get(cell, (0.0, 0.0))
            self.ways[cell] = (before[0] + right / speed, before[1] + down / speed)
            key = (_eighth(right, down), _octave_bin(speed, SLOWEST, SPEEDS))
            self.speeds[key] = self.speeds.get(key, 0) + 1
        if _whole(box, size):
            row = _part_of(box.y2, size[1], ROWS)
            total, number = self.heights.get(row, (0.0, 0))
            log_height = math.log2(max(box.height / size[1], SMALLEST))
            self.heights[row] = (total + log_height, number + 1)

    @property
    def known(self) -> bool:
        """Whether enough was seen of it to tell of it."""
        return self.looks >= LEAST_LOOKS and self.last - self.began >= LEAST_S

    @property
    def stay_bin(self) -> int:
        return _octave_bin(self.last - self.began, SHORTEST_S, STAYS)

    def paces(self) -> list[tuple[int, int]]:
        """(direction, the speed that it hardly exceeded) of each direction in which it moved for
        more than a moment: a step towards the camera looks shorter than one across."""
        found = []
        for direction in sorted({direction for direction, _ in self.speeds}):
            speeds = [(bin_, n) for (way, bin_), n in self.speeds.items() if way == direction]
            pace = hardly_exceeded(speeds)
            if pace is not None:
                found.append((direction, pace))
        return found

    def directions(self) -> list[tuple[int, int]]:
        """(cell, direction) of each cell in which it moved."""
        return [(cell, _eighth(right, down)) for cell, (right, down) in self.ways.items()]

    def sizes(self) -> list[tuple[int, int]]:
        """(row, height) of each row of cells."""
        return [
            (row, _octave_bin(2.0 ** (total / number), SMALLEST, HEIGHTS))
            for row, (total, number) in self.heights.items()
        ]

    def state(self, now: float) -> JsonObject:
        """As JSON; times as seconds before `now`."""
        return {
            "label": self.label,
            "hour": round(self.hour, 2),
            "weekend": self.weekend,
            "began_s": round(now - self.began, 3),
            "last_s": round(now - self.last, 3),
            "looks": self.looks,
            "cells": sorted(self.cells),
            "ways": [[cell, round(x, 2), round(y, 2)] for cell, (x, y) in self.ways.items()],
            "heights": [[row, round(total, 2), n] for row, (total, n) in self.heights.items()],
            "speeds": [[way, bin_, number] for (way, bin_), number in self.speeds.items()],
        }

    @classmethod
    def resumed(cls, state: Mapping[str, object] | JsonObject, now: float) -> Passage:
        """From its `state`, as seconds before `now`.

        Raises:
            KeyError, TypeError, ValueError: it is no such state, or one of another form.
        """
        saved: JsonObject = state
        passage = cls(
            label=saved["label"],
            hour=saved["hour"],
            weekend=saved["weekend"],
            began=now - saved["began_s"],
            last=now - saved["last_s"],
            looks=saved["looks"],
            cells=set(saved["cells"]),
            ways={cell: (x, y) for cell, x, y in saved["ways"]},
            heights={row: (total, number) for row, total, number in saved["heights"]},
            speeds={(way, bin_): number for way, bin_, number in saved["speeds"]},
        )
        for indices, end in (
            ({int(passage.hour)}, HOURS),
            (passage.cells | passage.ways.keys(), CELLS),
            (passage.heights.keys(), ROWS),
            ({way for way, _ in passage.speeds}, DIRECTIONS),
            ({bin_ for _, bin_ in passage.speeds}, SPEEDS),
        ):
            if any(index not in range(end) for index in indices):
                raise ValueError(f"{max(indices)} is not among {end}")
        return passage


def hardly_exceeded(looks: Iterable[tuple[Figure, int]]) -> Figure | None:
    """What a passage hardly exceeds, from pairs of a figure and in how many looks it was so; None
    of fewer than `LEAST_LOOKS`."""
    ordered = sorted(looks, reverse=True)
    beyond = max(
        math.floor(sum(number for _, number in ordered) * (1 - FAST_SHARE)), LEAST_LOOKS - 1
    )
    for figure, number in ordered:
        beyond -= number
        if beyond < 0:
            return figure
    return None


def cell_of(box: Box, size: Size) -> int:
    """The cell in which the foot of a box is."""
    x, y = box.foot
    return _part_of(y, size[1], ROWS) * COLUMNS + _part_of(x, size[0], COLUMNS)


def _part_of(value: float, whole: float, parts: int) -> int:
    return min(max(int(value / whole * parts), 0), parts - 1)


def _eighth(right: float, down: float) -> int:
    """0 is up in the picture; clockwise."""
    return round(math.atan2(right, -down) / math.tau * DIRECTIONS) % DIRECTIONS


def _whole(box: Box, size: Size) -> bool:
    width, height = size
    return min(box.x1, box.y1, width - box.x2, height - box.y2) > CUT


def _octave_bin(value: float, least: float, bins: int) -> int:
    return min(max(int(math.log2(max(value / least, 1.0)) * PER_OCTAVE), 0), bins - 1)
