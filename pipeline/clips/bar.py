"""Text in pictures: the bar below an annotated clip, and the marks of a contact sheet."""

from __future__ import annotations

import importlib.util
import textwrap
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.types import Image

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

_INK, _DIM, _GROUND = (240, 240, 240), (170, 170, 170), (24, 24, 24)
MOST_LINES = 2


@lru_cache(maxsize=8)
def font(size: int) -> FreeTypeFont:
    """DejaVu Sans, which matplotlib brings along and which knows most alphabets."""
    from PIL import ImageFont

    found = importlib.util.find_spec("matplotlib")
    assert found is not None
    assert found.origin is not None
    path = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), size)


def wrapped(text: str, width: int, size: int) -> list[str]:
    """A sentence in at most two lines of `width` pixels; what is too long ends in an ellipsis."""
    face = font(size)
    per_line = max(8, int(width / face.getlength("i")))
    while per_line > 8:
        lines = textwrap.wrap(text, per_line, max_lines=MOST_LINES, placeholder=" …")
        if all(face.getlength(line) <= width for line in lines):
            return lines
        per_line -= 2
    return textwrap.wrap(text, per_line, max_lines=MOST_LINES, placeholder=" …")


class Bar:
    """The rows below a picture: a sentence, and a line that changes with time.

    Args:
        width: of the picture, in pixels.
        sentence: what happened.
        most: rows it may take.
    """

    def __init__(self, width: int, sentence: str, most: int) -> None:
        self._size = max(10, min(26, round(width / 45), round(most / 4.4)))
        self._width = width
        self._pad = self._size // 2
        self._lines = wrapped(sentence, width - 2 * self._pad, self._size)
        rows = round(self._size * 1.3 * (MOST_LINES + 1)) + 2 * self._pad
        self.height = rows + rows % 2
        self._last: tuple[str, Image] | None = None

    def image(self, line: str) -> Image:
        """The bar with this line below the sentence (uint8, height x width x 3, BGR)."""
        if self._last is None or self._last[0] != line:
            texts = [(text, _INK) for text in self._lines] + [(line, _DIM)]
            self._last = (line, _drawn(self._width, self.height, self._pad, self._size, texts))
        return self._last[1]


def _drawn(
    width: int,
    height: int,
    pad: int,
    size: int,
    texts: Sequence[tuple[str, tuple[int, int, int]]],
) -> Image:
    from PIL import Image as Pictures
    from PIL import ImageDraw

    picture = Pictures.new("RGB", (width, height), _GROUND)
    draw = ImageDraw.Draw(picture)
    for row, (text, colour) in enumerate(texts):
        draw.text((pad, pad + round(row * size * 1.3)), text, font=font(size), fill=colour)
    return np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])


def captioned(image: Image, text: str) -> Image:
    """A picture with a line of text below it."""
    width = image.shape[1]
    size = max(9, round(width / 22))
    height = round(size * 1.8)
    return np.vstack([image, _drawn(width, height, size // 2, size, [(text, _INK)])])
