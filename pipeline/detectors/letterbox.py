"""Fitting a picture into a detector's input, and boxes back into the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.types import Image, Size

STRIDE = 32
"""The coarsest grid of most YOLOs: both sides of the input are multiples of this, in pixels."""
GREY = 114
"""What the model saw around pictures in its training, in all three channels."""


@dataclass(frozen=True, slots=True)
class Letterbox:
    """A picture of size `frame` scaled to `scaled` and laid at (`left`, `top`) of `canvas`.

    As ultralytics' `LetterBox` does it, to the pixel, rounding included.
    """

    frame: Size
    scaled: Size
    left: int
    top: int
    canvas: Size

    @classmethod
    def fit(cls, frame: Size, longer_side: int, stride: int = STRIDE) -> Self:
        """The smallest rectangle of whole strides, with the picture in its middle; the longer side
        is `longer_side`, or the next multiple of `stride`."""
        longer_side = math.ceil(longer_side / stride) * stride
        scaled = _scaled(frame, (longer_side, longer_side))
        spare = ((longer_side - scaled[0]) % stride, (longer_side - scaled[1]) % stride)
        return cls._middle(frame, scaled, (scaled[0] + spare[0], scaled[1] + spare[1]))

    @classmethod
    def centre(cls, frame: Size, canvas: Size) -> Self:
        """A canvas of a fixed size, with the picture as large as fits in its middle."""
        return cls._middle(frame, _scaled(frame, canvas), canvas)

    @classmethod
    def stretch(cls, frame: Size, canvas: Size) -> Self:
        """A canvas that the picture fills, whatever becomes of its shape."""
        return cls(frame, canvas, 0, 0, canvas)

    @classmethod
    def _middle(cls, frame: Size, scaled: Size, canvas: Size) -> Self:
        left = round((canvas[0] - scaled[0]) / 2 - 0.1)
        top = round((canvas[1] - scaled[1]) / 2 - 0.1)
        return cls(frame, scaled, left, top, canvas)

    def apply(self, image: Image, onto: Image | None = None) -> Image:
        """A picture of size `frame` as one of size `canvas`.

        `onto` is an earlier answer of this letterbox that nobody needs any more: it is painted
        over and given back, which spares its memory and its grey.
        """
        canvas = np.full((*self.canvas[::-1], 3), GREY, np.uint8) if onto is None else onto
        right, bottom = self.left + self.scaled[0], self.top + self.scaled[1]
        place = canvas[self.top : bottom, self.left : right]
        if self.scaled == self.frame:
            place[:] = image
        else:
            import cv2

            # Straight into its place: OpenCV keeps to an array that has the size it would make.
            cv2.resize(image, self.scaled, dst=place, interpolation=cv2.INTER_LINEAR)
        return canvas

    def lay(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes (n, 4) as x1, y1, x2, y2 in pixels of `frame`, in pixels of `canvas`."""
        gain = np.array((self.scaled[0] / self.frame[0], self.scaled[1] / self.frame[1]) * 2)
        laid: NDArray[np.float32] = (boxes * gain + (self.left, self.top) * 2).astype(np.float32)
        return laid

    def undo(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes (n, 4) as x1, y1, x2, y2 in pixels of `canvas`, in pixels of `frame`, cut there."""
        gain = np.array((self.scaled[0] / self.frame[0], self.scaled[1] / self.frame[1]) * 2)
        shift = np.array((self.left, self.top) * 2)
        edge = np.array(self.frame * 2)
        undone: NDArray[np.float32] = np.clip((boxes - shift) / gain, 0, edge).astype(np.float32)
        return undone


def _scaled(frame: Size, canvas: Size) -> Size:
    """The largest size of a picture's own shape that fits into a canvas."""
    ratio = min(canvas[0] / frame[0], canvas[1] / frame[1])
    return max(round(frame[0] * ratio), 1), max(round(frame[1] * ratio), 1)
