"""Where things are: in a zone or not, whole in the picture or cut off by its edge."""

from __future__ import annotations

from pipeline.geometry import PICTURE_EDGE, Point, stands_inside
from pipeline.types import Box, Size, Zone


class Outline:
    """A zone in the pixels of a camera's pictures; the whole picture where it is None."""

    def __init__(self, zone: Zone | None) -> None:
        self._zone = zone
        self._size: Size | None = None
        self._polygon: list[Point] = []

    def holds(self, box: Box, size: Size, *, stays: bool = False) -> bool:
        """Whether what a box shows stands in it; see `geometry.stands_inside`."""
        return self._zone is None or stands_inside(box, self.polygon(size), size, stays=stays)

    def polygon(self, size: Size) -> list[Point]:
        """Its corners in pixels; none of the whole picture."""
        if size != self._size:
            width, height = size
            corners = () if self._zone is None else self._zone.polygon
            self._size, self._polygon = size, [(x * width, y * height) for x, y in corners]
        return self._polygon


def height_cut(box: Box, size: Size) -> bool:
    """Whether the picture's upper or lower edge may cut off a box."""
    return min(box.y1, size[1] - box.y2) <= PICTURE_EDGE * size[1]
