"""Pictures of made streets, for trackers that tell from them how the camera moved."""

from __future__ import annotations

from zlib import crc32

import numpy as np

from pipeline.bench.streets.street import Standing
from pipeline.bench.streets.walks import Floats
from pipeline.types import Image, Luma, Size

MARGIN = 240
"""So many pixels are beyond each edge, for a camera that moves."""
BLOCKS = 700


class Backdrop:
    """A place of many corners: blocks of any grey, upon one another."""

    def __init__(self, size: Size, seed: int) -> None:
        random = np.random.default_rng((seed, 2))
        self.size = size
        width, height = size[0] + 2 * MARGIN, size[1] + 2 * MARGIN
        grey = np.full((height, width), 120, np.uint8)
        for x, y, across, down, shade in zip(
            random.integers(0, width, BLOCKS),
            random.integers(0, height, BLOCKS),
            random.integers(6, 70, BLOCKS),
            random.integers(6, 70, BLOCKS),
            random.integers(40, 220, BLOCKS),
            strict=True,
        ):
            grey[y : y + down, x : x + across] = shade
        self.grey = grey


class Drawn:
    """One picture: the backdrop moved, people as blocks with a head, legs and a bright side."""

    __slots__ = ("_backdrop", "_shift", "_standing")

    def __init__(self, backdrop: Backdrop, standing: Standing, shift: Floats) -> None:
        self._backdrop, self._standing, self._shift = backdrop, standing, shift

    def fingerprint(self) -> int:
        """As `types.Picture`."""
        return crc32(self.luma(self._backdrop.size).tobytes())

    def luma(self, size: Size) -> Luma:
        """As `types.Picture`."""
        import cv2

        width, height = self._backdrop.size
        middle = np.array((width, height)) / 2 + MARGIN - self._shift - 0.5
        grey = cv2.getRectSubPix(self._backdrop.grey, (width, height), middle.tolist())
        for who, box in zip(self._standing.who[::-1], self._standing.boxes[::-1], strict=True):
            _draw(grey, box, int(who))
        scaled = cv2.resize(grey, size) if size != self._backdrop.size else grey
        return np.asarray(scaled, np.uint8)

    def bgr(self, size: Size) -> Image:
        """As `types.Picture`."""
        return np.repeat(self.luma(size)[:, :, None], 3, axis=2)


def _draw(grey: Luma, box: Floats, who: int) -> None:
    x1, y1, x2, y2 = box
    third, shade = (x2 - x1) / 3, 40 + who * 53 % 160
    tall = y2 - y1
    parts = (
        (x1 + third, y1, x2 - third, y1 + 0.15 * tall, (shade + 80) % 256),
        (x1 + third / 2, y1 + 0.15 * tall, x2 - third / 2, y1 + 0.55 * tall, shade),
        (x1 + third, y1 + 0.55 * tall, x2 - third, y2, (shade + 120) % 256),
    )
    for left, top, right, bottom, tone in parts:
        rows, columns = (
            slice(max(round(low), 0), max(round(high), 0))
            for low, high in ((top, bottom), (left, right))
        )
        grey[rows, columns] = tone
