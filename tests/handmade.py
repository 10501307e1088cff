"""Frames, tracks and views made by hand, for tests of the stages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np

from pipeline.types import (
    Box,
    Detection,
    Frame,
    Image,
    Luma,
    PathPoint,
    Size,
    Track,
    View,
    Zone,
)

BEGIN = datetime(2026, 3, 1, 2, 14, tzinfo=UTC)
SIZE = (1000, 1000)


class ArrayPicture:
    """A picture that is an array already."""

    def __init__(self, image: Image) -> None:
        self.image = image

    def bgr(self, size: Size) -> Image:
        assert size == (self.image.shape[1], self.image.shape[0])
        return self.image.copy()

    def luma(self, size: Size) -> Luma:
        return cv2.resize(self.image[:, :, 1], size, interpolation=cv2.INTER_AREA)


def frame(at: float = 0.0, image: Image | None = None, size: Size = SIZE) -> Frame:
    """A frame `at` seconds after the beginning; grey if no image is given."""
    if image is None:
        image = np.full((size[1], size[0], 3), 114, np.uint8)
    return Frame(
        camera="door",
        index=round(at * 25),
        captured_at=BEGIN + timedelta(seconds=at),
        monotonic=5000.0 + at,
        pts=at,
        size=(image.shape[1], image.shape[0]),
        picture=ArrayPicture(image),
    )


def standing(x: float, y: float, height: float = 200.0) -> Box:
    """The box of somebody standing with the foot at (x, y)."""
    return Box(x - height / 5, y - height, x + height / 5, y)


def track(
    number: int,
    x: float,
    y: float,
    *,
    at: float,
    since: float = 0.0,
    label: str = "person",
    confidence: float = 0.8,
    height: float = 200.0,
) -> Track:
    """A track seen `at` seconds, the first time `since`, with its foot at (x, y)."""
    return Track(
        id=number,
        label=label,
        detection=Detection(label, confidence, standing(x, y, height)),
        first_seen=5000.0 + since,
        last_seen=5000.0 + at,
        path=(PathPoint(5000.0 + at, x, y),),
    )


def view(at: float, tracks: Iterable[Track] = (), zones: Mapping[str, Zone] | None = None) -> View:
    """What rules see `at` seconds after the beginning."""
    return View(
        camera="back-door",
        camera_name="the back door",
        size=SIZE,
        captured_at=BEGIN + timedelta(seconds=at),
        monotonic=5000.0 + at,
        tracks=tuple(tracks),
        zones=zones or {},
    )


def times(begin: float, end: float, step: float = 0.2) -> list[float]:
    """Moments from `begin` to `end`, both included, five a second unless told otherwise."""
    return [begin + step * i for i in range(round((end - begin) / step) + 1)]
