"""Places in the picture, as users write them in streams.yaml: zones, lines and masks."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from pipeline.geometry import crosses_itself
from pipeline.section import Section

Fraction = Annotated[float, Field(ge=0, le=1)]


def _with_an_area(value: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    (x0, y0), *others = value
    if all(
        abs((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)) < 1e-6
        for (x1, y1), (x2, y2) in pairwise(others)
    ):
        raise ValueError("the points lie on one line and enclose nothing")
    if crosses_itself(value):
        raise ValueError("its edges cross each other; list the corners in order around it")
    return value


Polygon = Annotated[
    tuple[tuple[Fraction, Fraction], ...], Field(min_length=3), AfterValidator(_with_an_area)
]


class ZoneSection(Section):
    """A region of the picture; a bare list of points is taken as its polygon."""

    name: str | None = None
    """What people read, such as "the front step"."""
    polygon: Polygon
    """At least three [x, y] points, in fractions 0..1 of the picture's width and height."""


class LineSection(Section):
    """A line across the picture; a bare list of points is taken as its points."""

    name: str | None = None
    """What people read, such as "the gate"."""
    points: Annotated[tuple[tuple[Fraction, Fraction], ...], Field(min_length=2)]
    """At least two [x, y] points, in fractions 0..1 of the picture's width and height."""
    left: str | None = None
    """What lies to the left of somebody who goes along it, such as "the street"..."""
    right: str | None = None
    """...and to the right."""

    @field_validator("points")
    @classmethod
    def _leads_somewhere(
        cls, value: tuple[tuple[float, float], ...]
    ) -> tuple[tuple[float, float], ...]:
        if any(begin == end for begin, end in pairwise(value)):
            raise ValueError("two points that follow on each other are the same; remove one")
        return value


def _line(value: Any) -> Any:
    return {"points": value} if isinstance(value, list | tuple) else value


def _zone(value: Any) -> Any:
    return {"polygon": value} if isinstance(value, list | tuple) else value


def _polygons(value: Any) -> Any:
    """Masks as they were written, unless the brackets around several polygons are forgotten."""
    points = value if isinstance(value, list | tuple) else ()
    if points and all(
        isinstance(point, list | tuple) and point and isinstance(point[0], int | float)
        for point in points
    ):
        raise ValueError(
            "this is one polygon, and a list of polygons is wanted: write [[[x, y], [x, y], ...]]"
        )
    return value


WrittenZone = Annotated[ZoneSection, BeforeValidator(_zone)]
WrittenLine = Annotated[LineSection, BeforeValidator(_line)]
WrittenMasks = Annotated[tuple[Polygon, ...], BeforeValidator(_polygons)]
