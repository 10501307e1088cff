"""The contact sheet: an event's key moments in one picture."""

from __future__ import annotations

import numpy as np

from pipeline.clips.bar import captioned
from pipeline.clips.cut import Cut
from pipeline.clips.pictures import within
from pipeline.types import Event, Image

COLUMNS = 3
WIDTH = 400
"""Of one picture, in pixels."""


class Moments:
    """Picks the key moments: before, at the start, two on the way, at the end, and after."""

    def __init__(self, cut: Cut, event: Event) -> None:
        begin = cut.seconds(event.started)
        end = cut.seconds(event.ended or cut.end)
        wanted = [begin / 2, *(begin + (end - begin) * part / 3 for part in range(4))]
        wanted.append((end + cut.duration_s) / 2)
        self._wanted = sorted(wanted)
        self._begin = begin
        self._found: list[Image] = []

    def saw(self, t: float, image: Image) -> None:
        while self._wanted and t >= self._wanted[0]:
            self._wanted.pop(0)
            if len(self._found) < 2 * COLUMNS:
                self._found.append(captioned(_small(image), f"{t - self._begin:+.1f} s"))

    def sheet(self) -> Image | None:
        """All of them in rows of three, labelled by seconds from the event's start."""
        if not self._found:
            return None
        blank = np.zeros_like(self._found[0])
        cells = self._found + [blank] * (-len(self._found) % COLUMNS)
        rows = [np.hstack(cells[i : i + COLUMNS]) for i in range(0, len(cells), COLUMNS)]
        return np.ascontiguousarray(np.vstack(rows))


def _small(image: Image) -> Image:
    import cv2

    height, width = image.shape[:2]
    size = within((width, height), WIDTH, height)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
