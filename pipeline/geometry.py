"""Plane geometry on boxes and polygons."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pipeline.types import Box, Size

Point = tuple[float, float]


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0..1; 0 for empty boxes."""
    width = min(a.x2, b.x2) - max(a.x1, b.x1)
    height = min(a.y2, b.y2) - max(a.y1, b.y1)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (a.width * a.height + b.width * b.height - shared)


def inside(point: Point, polygon: Sequence[Point]) -> bool:
    """Whether a point lies in a polygon, by the even-odd rule; both in the same units."""
    x, y = point
    within = False
    for (x1, y1), (x2, y2) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            within = not within
    return within


def clipped_fractions(box: Box, size: Size) -> tuple[float, float, float, float]:
    """A box in pixels as fractions 0..1 of a picture of `size`, cut at its edges."""
    width, height = size
    return (
        min(max(box.x1 / width, 0.0), 1.0),
        min(max(box.y1 / height, 0.0), 1.0),
        min(max(box.x2 / width, 0.0), 1.0),
        min(max(box.y2 / height, 0.0), 1.0),
    )


def edge_distance(point: Point, polygon: Sequence[Point]) -> float:
    """The distance from a point to the nearest edge of a polygon, in their units."""
    x, y = point
    nearest = math.inf
    for (x1, y1), (x2, y2) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        dx, dy = x2 - x1, y2 - y1
        length = dx * dx + dy * dy
        along = ((x - x1) * dx + (y - y1) * dy) / length if length else 0.0
        along = min(max(along, 0.0), 1.0)
        nearest = min(nearest, math.hypot(x - x1 - along * dx, y - y1 - along * dy))
    return nearest
