"""Plane geometry on boxes and polygons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from pipeline.types import Box, Size

Point = tuple[float, float]

EDGE = 0.1
"""Who is inside stays so until the foot is this many box heights beyond the edge."""
PICTURE_EDGE = 0.02
"""A box that ends within this share of the picture's edge may be cut off by it."""


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0..1; 0 for empty boxes."""
    width = min(a.x2, b.x2) - max(a.x1, b.x1)
    height = min(a.y2, b.y2) - max(a.y1, b.y1)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (a.width * a.height + b.width * b.height - shared)


def overlap(a: Box, b: Box) -> bool:
    """Whether two boxes share any area."""
    return min(a.x2, b.x2) > max(a.x1, b.x1) and min(a.y2, b.y2) > max(a.y1, b.y1)


def inside(point: Point, polygon: Sequence[Point]) -> bool:
    """Whether a point lies in a polygon, by the even-odd rule; both in the same units."""
    x, y = point
    within = False
    for (x1, y1), (x2, y2) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            within = not within
    return within


def crosses_itself(polygon: Sequence[Point]) -> bool:
    """Whether edges of a polygon cross or touch others than their neighbours, so that what it
    encloses is not what its corners go around. A corner that is named twice in a row is one."""
    corners = [p for p, q in zip(polygon, [*polygon[1:], polygon[0]], strict=True) if p != q]
    edges = list(zip(corners, [*corners[1:], *corners[:1]], strict=True))
    return any(
        _meet(*edges[i], *edges[j])
        for i in range(len(edges))
        for j in range(i + 2, len(edges) - (i == 0))
    )


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether the line from a to b has a point of that from c to d."""
    overlap = all(
        min(a[i], b[i]) <= max(c[i], d[i]) and min(c[i], d[i]) <= max(a[i], b[i]) for i in (0, 1)
    )
    return overlap and _side(a, b, c) * _side(a, b, d) <= 0 and _side(c, d, a) * _side(c, d, b) <= 0


def _side(a: Point, b: Point, point: Point) -> int:
    """1 or -1 on either side of the line through a and b, 0 on it."""
    area = _area(a, b, point)
    return (area > 0) - (area < 0)


def _area(a: Point, b: Point, point: Point) -> float:
    """Twice that of the triangle, below 0 where the point is to the left of the way from a to b,
    with y downwards."""
    return (b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0])


def crossing(a: Point, b: Point, start: Point, end: Point) -> tuple[float, int] | None:
    """Where the way from start to end crosses the line from a to b, if it does.

    What lies on a line counts to its right, so that a way through a corner of a polyline crosses
    one of its lines, or both back and forth, however it is divided into parts.

    Returns:
        The share 0..1 of the way, and where it leads: 1 to the left of somebody who goes from a to
        b, with y downwards, -1 to the right.
    """
    before, after = _area(a, b, start), _area(a, b, end)
    if (before < 0) == (after < 0) or (_area(start, end, a) < 0) == (_area(start, end, b) < 0):
        return None
    return before / (before - after), 1 if after < 0 else -1


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
    return line_distance(point, [*polygon, polygon[0]])


def line_distance(point: Point, line: Sequence[Point]) -> float:
    """The distance from a point to the nearest part of a polyline, in their units."""
    x, y = point
    nearest = math.inf
    for (x1, y1), (x2, y2) in pairwise(line):
        dx, dy = x2 - x1, y2 - y1
        length = dx * dx + dy * dy
        along = ((x - x1) * dx + (y - y1) * dy) / length if length else 0.0
        along = min(max(along, 0.0), 1.0)
        nearest = min(nearest, math.hypot(x - x1 - along * dx, y - y1 - along * dy))
    return nearest


def stands_inside(box: Box, polygon: Sequence[Point], size: Size, *, stays: bool) -> bool:
    """Whether what a box shows stands in a polygon; who `stays` was inside and may be EDGE beyond.

    Args:
        box: in pixels.
        polygon: its corners in pixels.
        size: (width, height) of the picture.
    """
    x, y = box.foot
    # A box cut off by the picture's edge ends exactly on it, where no polygon reaches beyond.
    foot = (min(max(x, 0.5), size[0] - 0.5), min(max(y, 0.5), size[1] - 0.5))
    if inside(foot, polygon):
        return True
    return stays and edge_distance(foot, polygon) <= EDGE * box.height


def near_edge(box: Box, size: Size, reach: float = 0.0) -> bool:
    """Whether a box ends at an edge of the picture, or within `reach` pixels of there."""
    width, height = size
    across = min(box.x1, width - box.x2) <= PICTURE_EDGE * width + reach
    return across or min(box.y1, height - box.y2) <= PICTURE_EDGE * height + reach
