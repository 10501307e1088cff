"""What differs from the background, and what of that counts as motion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pipeline.motion.background import Background, Mask, Plane

FLOOR = 6.0
FACTOR = 5.0
AREA = 6.0
"""At sensitivity 0.5; see `Limits.of`."""
REACH_PER_S = 15.0
REACH_LEAST, REACH_MOST = 2, 4
"""What was there at the last look is found again within so many pixels: a walk, not a raindrop."""
FLASH_S = 5.0
FLASHES_PER_S = 3.0
"""Where changes that were there for one look alone have been so many a second, in about a third of
the picture, it rains or snows, or insects fly..."""
HEAVIER = 2.0
"""...and only what is so many times larger and clearer than they counts at once..."""
LASTS_S = 1.0
"""...and what has lasted for longer than this."""
FORGET_S = 10.0
"""How large and clear they were is forgotten with this time constant."""
ALIKE = 0.75
"""Correlation of what is seen with the background, in detail, above which it is the ground itself
in another light. Shadows in the clips of GMDCSA24 came to 0.85 and more, 95% of the people of vtest
to 0.5 and less."""
DETAIL = 2.0
"""Levels by which the ground must vary for that to be told..."""
DETAIL_NOISE = 2.0
"""...and so many times its noise."""
LIGHTS = (0.35, 2.5)
"""Shadow and light change brightness by factors within these."""
PADDING = 2
MOST_REGIONS = 8
_GRID = (6, 10)
"""Flashes are counted in so many rows and columns, each with two more around it."""
_SPAN = (5, 5)

PixelBox = tuple[int, int, int, int]
"""Left, upper, right and lower edge, in pixels of the small picture."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What counts: levels of brightness, multiples of the noise, pixels in one piece."""

    floor: float
    factor: float
    area: float

    @classmethod
    def of(cls, sensitivity: float) -> Limits:
        """At 0.5 a piece of 6 pixels of 160 x 90 that are 6 levels of 255 and 5 times their noise
        apart; at 0 of 24 pixels, 12 levels, 7 times; at 1 of 2 pixels, 3 levels, 3.5 times."""
        more = 0.5 - sensitivity
        return cls(floor=FLOOR * 4.0**more, factor=FACTOR * 2.0**more, area=AREA * 16.0**more)


@dataclass(frozen=True, slots=True)
class Found:
    """What counts as motion in a picture: which pixels, and the pieces they form."""

    counts: Mask
    boxes: list[PixelBox]


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Connected changes; index 0 is where nothing changed. `mass` is the sum of how far their
    pixels are apart, `cells` the row and column of the grid that they are in."""

    labels: NDArray[np.int32]
    large: Mask
    mass: NDArray[np.float64]
    cells: tuple[NDArray[np.intp], NDArray[np.intp]]


class Changes:
    """Follows what changes from picture to picture (of `shape` height, width)."""

    def __init__(self, shape: tuple[int, ...], limits: Limits) -> None:
        self.limits = limits
        self._shape = shape
        self._lasted = np.zeros(shape, np.float32)
        self._last: _Pieces | None = None
        self._changed = self._changed_before = np.zeros(shape, np.bool_)
        self._flashes = np.zeros(_GRID, np.float32)
        self._heaviest = np.zeros(_GRID, np.float32)
        whole = _around(np.ones(_GRID, np.float32))
        self._beyond_edge = whole.max() / whole

    def restart(self) -> None:
        """Nothing that was there goes on."""
        self._lasted.fill(0.0)
        self._last = None
        self._changed = self._changed_before = np.zeros(self._shape, np.bool_)

    def look(self, changed: Mask, apart: Plane, background: Background, passed_s: float) -> Found:
        """What counts of the pixels that have `changed`, each by `apart` levels."""
        import cv2

        count, labels, stats, centres = cv2.connectedComponentsWithStats(changed.view(np.uint8))
        self._forget(passed_s)
        reach = min(max(round(REACH_PER_S * passed_s), REACH_LEAST), REACH_MOST)
        kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
        if count == 1:
            pieces = None
            found = Found(changed, [])
            self._lasted.fill(0.0)
        else:
            which = labels[changed]
            pieces = _Pieces(
                labels=labels,
                large=stats[:, cv2.CC_STAT_AREA] >= self.limits.area,
                mass=_totals(which, apart[changed], count),
                cells=_cells(centres, self._shape),
            )
            pieces.large[0] = False
            self._lasted = (cv2.dilate(self._lasted, kernel) + np.float32(passed_s)) * changed
            lasting = np.bincount(which, self._lasted[changed] > LASTS_S, minlength=count) > 0
            counting = pieces.large & (lasting | (pieces.mass > self._clutter()[pieces.cells]))
            if counting.any():
                counting &= ~_lit(changed, which, count, background)
            found = Found(counting[labels], _boxes(stats[counting], self._shape))
        self._count_flashes(changed, kernel)
        self._changed_before, self._changed, self._last = self._changed, changed, pieces
        return found

    def _forget(self, passed_s: float) -> None:
        self._flashes *= np.float32(math.exp(-passed_s / FLASH_S))
        self._heaviest *= np.float32(math.exp(-passed_s / FORGET_S))

    def _count_flashes(self, changed: Mask, kernel: NDArray[np.uint8]) -> None:
        """Which pieces of the last picture were neither in the one before nor in this one."""
        import cv2

        last = self._last
        if last is None or not last.large.any():
            return
        others = (changed | self._changed_before).view(np.uint8)
        met = np.bincount(
            last.labels[cv2.dilate(others, kernel).view(np.bool_)], minlength=len(last.large)
        )
        flashes = last.large & (met == 0)
        rows, columns = last.cells[0][flashes], last.cells[1][flashes]
        np.add.at(self._flashes, (rows, columns), np.float32(1.0 / FLASH_S))
        np.maximum.at(self._heaviest, (rows, columns), last.mass[flashes].astype(np.float32))

    def _clutter(self) -> NDArray[np.float32]:
        """What a piece must exceed, for each cell of the grid."""
        import cv2

        often = _around(self._flashes) * self._beyond_edge > FLASHES_PER_S
        heaviest = cv2.dilate(self._heaviest, np.ones(_SPAN, np.uint8))
        return np.where(often, np.float32(HEAVIER) * heaviest, np.float32(0.0))


def merged(boxes: Sequence[PixelBox]) -> list[PixelBox]:
    """Boxes that overlap are one; then those that waste least, until there are `MOST_REGIONS`."""
    apart: list[PixelBox] = []
    for box in boxes:
        while (hit := next((one for one in apart if _overlap(one, box)), None)) is not None:
            apart.remove(hit)
            box = _union(hit, box)
        apart.append(box)
    while len(apart) > MOST_REGIONS:
        one, other = min(
            combinations(apart, 2),
            key=lambda pair: _area(_union(*pair)) - _area(pair[0]) - _area(pair[1]),
        )
        rest = [box for box in apart if box not in (one, other)]
        return merged([*rest, _union(one, other)])
    return apart


def _lit(
    changed: Mask, which: NDArray[np.int32], count: int, background: Background
) -> NDArray[np.bool_]:
    """Which pieces show the ground itself in another light: a shadow, a headlight's beam.

    Only where the ground has detail: what is plain may be somebody's coat as well.
    """
    seen, ground = _detail(background.light)[changed], _detail(background.now)[changed]

    def total(values: NDArray[np.float32]) -> NDArray[np.float64]:
        return _totals(which, values, count)

    pixels = np.maximum(np.bincount(which, minlength=count), 1)
    power = total(ground * ground)
    noise = total(background.noise[changed])
    clear = power > DETAIL**2 * pixels + DETAIL_NOISE**2 * noise
    alike = total(seen * ground) > ALIKE * np.sqrt(total(seen * seen) * power)
    factor = total(background.light[changed]) / np.maximum(total(background.now[changed]), 1.0)
    return clear & alike & (factor > LIGHTS[0]) & (factor < LIGHTS[1])


def _totals(
    which: NDArray[np.int32], values: NDArray[np.float32], count: int
) -> NDArray[np.float64]:
    return np.asarray(np.bincount(which, values, minlength=count), np.float64)


def _detail(light: Plane) -> Plane:
    import cv2

    return light - np.asarray(cv2.blur(light, (5, 5)), np.float32)


def _around(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sum over each cell of the grid and its neighbours."""
    import cv2

    total = cv2.boxFilter(cells, -1, _SPAN, normalize=False, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(total, np.float32)


def _cells(
    centres: NDArray[np.float64], shape: tuple[int, ...]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    rows = centres[:, 1] * (_GRID[0] / shape[0])
    columns = centres[:, 0] * (_GRID[1] / shape[1])
    return rows.astype(np.intp), columns.astype(np.intp)


def _boxes(stats: NDArray[np.int32], shape: tuple[int, ...]) -> list[PixelBox]:
    """Slightly wider than the pieces: their outermost pixels are not apart enough to be seen."""
    return [
        (
            max(x - PADDING, 0),
            max(y - PADDING, 0),
            min(x + width + PADDING, shape[1]),
            min(y + height + PADDING, shape[0]),
        )
        for x, y, width, height, _ in stats.tolist()
    ]


def _overlap(one: PixelBox, other: PixelBox) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _union(one: PixelBox, other: PixelBox) -> PixelBox:
    return (
        min(one[0], other[0]),
        min(one[1], other[1]),
        max(one[2], other[2]),
        max(one[3], other[3]),
    )


def _area(box: PixelBox) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])
