"""Privacy masks: black in place of what nobody may see in a camera's pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import crosses_itself
from pipeline.types import Image, Polygon, Size

MARGIN = 4.0
"""Pixels around a polygon that are black too: so far do scaling, and colours, which most video
holds for two by two pixels only, carry what lies inside it."""
WHOLE: Polygon = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
_SIZES = 4
"""A camera's pictures are looked at in so many sizes at most, else masks are made again."""
_SHIFT = 4
"""Bits for fractions of a pixel in the corners that OpenCV is given."""


class Masks:
    """What is hidden in a camera's pictures: polygons in fractions 0..1 of width and height."""

    def __init__(self, polygons: Iterable[Polygon] = ()) -> None:
        self._polygons = tuple(polygons)
        self._shown = lru_cache(maxsize=_SIZES)(self._rasterised)

    def over(self, image: Image, original: Size) -> Image:
        """A copy of a picture (uint8, height x width x 3) that is black in what is hidden; the
        picture itself if nothing is. `original` is the size that it was scaled from."""
        if not self._polygons:
            return image
        import cv2

        size = (image.shape[1], image.shape[0])
        return cast("Image", cv2.copyTo(image, self._shown(size, original)))

    def _rasterised(self, size: Size, original: Size) -> NDArray[np.uint8]:
        """255 where a picture is shown, 0 where it is hidden; height x width."""
        import cv2

        shown: NDArray[np.uint8] = np.full((size[1], size[0]), 255, np.uint8)
        for polygon in self._polygons:
            if crosses_itself(polygon):
                # What its corners were meant to go around lies within their hull.
                polygon = cv2.convexHull(np.array(polygon, np.float32)).reshape(-1, 2)
            # OpenCV means the middle of a pixel by whole numbers.
            corners = (np.array(polygon) * size - 0.5) * (1 << _SHIFT)
            cv2.fillPoly(shown, [corners.round().astype(np.int32)], (0,), shift=_SHIFT)
        # One more than the margin: of the pixels that a polygon only touches, some are not filled.
        reach = [1 + math.ceil(MARGIN * max(1.0, size[i] / original[i])) for i in (0, 1)]
        kernel = np.ones((2 * reach[1] + 1, 2 * reach[0] + 1), np.uint8)
        return np.asarray(cv2.erode(shown, kernel), np.uint8)
