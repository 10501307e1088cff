"""Draws what was tracked into pictures.

Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which people with any form
of colour blindness tell apart.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.types import Image, LoggedTrack, Polygon, Size

if TYPE_CHECKING:
    from supervision import Detections

TRAIL = 50
_PALETTE = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
_ZONE = "#F0E442"
_OTHERS = "#999999"


class Pen:
    """Draws into pictures of one size, by the annotators of `supervision`.

    Args:
        size: of the pictures, in pixels.
        zones: polygons that are outlined, in fractions 0..1 of the picture.
        lines: points that are joined, in fractions too.
        own: ids of the tracks that are drawn with trails and labels, others thinly; all tracks
            if not given.
        numbered: whether labels hold the track's id.
    """

    def __init__(
        self,
        size: Size,
        zones: Iterable[Polygon],
        *,
        lines: Iterable[Polygon] = (),
        own: Collection[int] | None = None,
        numbered: bool = False,
    ) -> None:
        import supervision as sv

        self._size, self._own, self._numbered = size, own, numbered
        thick = max(2, round(size[1] / 240))
        palette = sv.ColorPalette.from_hex(list(_PALETTE))
        by_track = sv.ColorLookup.TRACK
        self._box = sv.BoxAnnotator(palette, thickness=thick, color_lookup=by_track)
        self._trail = sv.TraceAnnotator(
            palette,
            position=sv.Position.BOTTOM_CENTER,
            trace_length=TRAIL,
            thickness=thick,
            color_lookup=by_track,
        )
        self._label = sv.LabelAnnotator(
            palette,
            text_color=sv.Color.BLACK,
            text_scale=max(0.4, size[1] / 1200),
            text_padding=4,
            color_lookup=by_track,
        )
        self._other = sv.BoxAnnotator(sv.Color.from_hex(_OTHERS), thickness=1)
        self._zone_colour, self._thick = sv.Color.from_hex(_ZONE), thick
        self._draw_polygon = sv.draw_polygon
        self._polygons = [self._pixels(polygon) for polygon in zones]
        self._lines = [self._pixels(points) for points in lines]

    def draw(self, image: Image, tracks: Sequence[LoggedTrack]) -> Image:
        """Zones and lines first, then other tracks thinly, then the own with trails and labels."""
        for polygon in self._polygons:
            image = self._draw_polygon(image, polygon, self._zone_colour, thickness=self._thick)
        for points in self._lines:
            self._draw_line(image, points)
        own = [track for track in tracks if self._own is None or track.id in self._own]
        others = [track for track in tracks if track not in own]
        if others:
            image = self._other.annotate(image, self._detections(others))
        if own:
            found = self._detections(own)
            image = self._trail.annotate(image, found)
            image = self._box.annotate(image, found)
            image = self._label.annotate(image, found, labels=list(map(self._text, own)))
        return image

    def _text(self, track: LoggedTrack) -> str:
        number = f" #{track.id}" if self._numbered else ""
        return f"{track.label}{number} {track.confidence:.0%}"

    def _draw_line(self, image: Image, points: NDArray[np.int64]) -> None:
        """Its points joined, with an arrow at the end: it has a left and a right."""
        import cv2

        colour = self._zone_colour.as_bgr()
        for begin, end in pairwise(points.tolist()):
            cv2.line(image, begin, end, colour, self._thick)
        cv2.arrowedLine(image, points[-2].tolist(), points[-1].tolist(), colour, self._thick)

    def _pixels(self, points: Polygon) -> NDArray[np.int64]:
        return np.array(np.round(np.array(points) * np.array(self._size)), np.int64)

    def _detections(self, tracks: Sequence[LoggedTrack]) -> Detections:
        import supervision as sv

        width, height = self._size
        boxes = np.array([track.box for track in tracks]) * [width, height, width, height]
        return sv.Detections(
            xyxy=boxes.astype(np.float32),
            confidence=np.array([track.confidence for track in tracks], np.float32),
            class_id=np.zeros(len(tracks), int),
            tracker_id=np.array([track.id for track in tracks], int),
        )
