"""A street before a camera: who is where in the picture, and how much of each is visible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np
from numpy.typing import NDArray

from pipeline.bench.streets.walks import Floats, Place, Walk
from pipeline.types import Box, Size

WIDE = 0.4
"""A person's width in heights, as truth is drawn: arms and legs swing within it."""
BODY = 0.7
"""The share of a box's width that its body hides of what is behind."""
GRID = (12, 24)
"""A box is looked at in so many cells across and down."""


@dataclass(frozen=True, slots=True)
class Camera:
    """`height` metres above the street, turned down by `tilt` degrees; `focal` is in pixels of a
    picture of `size`."""

    height: float
    tilt: float
    focal: float
    size: Size

    def boxes(self, places: Floats, tall: Floats, wide: Floats) -> tuple[Floats, Floats]:
        """Of things on the street, (..., 2), of so many metres: their boxes (..., 4) in pixels, and
        how far before the camera each is, in metres."""
        foot_x, foot_y, depth = self._project(places, np.zeros_like(tall))
        head_x, head_y, _ = self._project(places, tall)
        middle, half = (foot_x + head_x) / 2, wide * self.focal / depth / 2
        return np.stack((middle - half, head_y, middle + half, foot_y), axis=-1), depth

    def reach(self, away: float) -> float:
        """So many metres to each side are seen `away` metres off."""
        return self.size[0] / 2 / self.focal * away

    def _project(self, places: Floats, up: Floats) -> tuple[Floats, Floats, Floats]:
        down, ahead = sin(radians(self.tilt)), cos(radians(self.tilt))
        right, away = places[..., 0], places[..., 1]
        below = self.height - up
        depth = np.maximum(away * ahead + below * down, 0.5)
        across = self.size[0] / 2 + self.focal * right / depth
        lower = self.size[1] / 2 + self.focal * (below * ahead - away * down) / depth
        return across, lower, depth


@dataclass(frozen=True, slots=True)
class Post:
    """Something that hides who is behind: its foot, and metres up and across."""

    at: Place
    tall: float
    wide: float


@dataclass(frozen=True, slots=True)
class Standing:
    """Who is in one picture, nearest first: `who` (n,), `boxes` (n, 4) beyond the picture too,
    `visible` (n, down, across), and `hider` (n,) the row that hides most of each, or -1."""

    who: NDArray[np.int64]
    boxes: Floats
    visible: NDArray[np.bool_]
    hider: NDArray[np.int64]

    @property
    def share(self) -> Floats:
        """How much of each is visible, 0..1, (n,)."""
        return np.asarray(self.visible.mean(axis=(1, 2)))


@dataclass(frozen=True, slots=True)
class Street:
    """`shifts` (frames, 2) are how many pixels the whole picture is moved, at `fps` a second: a
    camera that turns a little."""

    camera: Camera
    walks: Sequence[Walk]
    posts: Sequence[Post]
    fps: float
    shifts: Floats

    def pictures(self, random: np.random.Generator) -> Iterator[Standing]:
        """Who is where in each picture."""
        times = np.arange(len(self.shifts)) / self.fps
        places = np.stack([walk.places(times, random) for walk in self.walks], axis=1)
        tall = np.array([walk.tall for walk in self.walks])
        each = np.broadcast_to(tall, places.shape[:2])
        boxes, depths = self.camera.boxes(places, each, WIDE * each)
        fixed = [
            self.camera.boxes(np.array(one.at), np.array(one.tall), np.array(one.wide))
            for one in self.posts
        ]
        for index, shift in enumerate(self.shifts):
            moved = np.concatenate((shift, shift))
            posts = [(box + moved, float(depth)) for box, depth in fixed]
            yield _standing(boxes[index] + moved, depths[index], posts, self.camera.size)


def clipped(box: Floats, size: Size) -> Box:
    """What of a box lies in the picture."""
    width, height = size
    x1, y1, x2, y2 = np.clip(box, 0.0, (width, height, width, height))
    return Box(float(x1), float(y1), float(x2), float(y2))


def _standing(
    boxes: Floats, depths: Floats, posts: Sequence[tuple[Floats, float]], size: Size
) -> Standing:
    width, height = size
    there = ~np.isnan(depths) & (boxes[:, 2] > 0) & (boxes[:, 0] < width)
    there &= (boxes[:, 3] > 0) & (boxes[:, 1] < height)
    who = np.flatnonzero(there)
    who = who[np.argsort(depths[who])]
    shown = boxes[who]
    x, y = (
        shown[:, low, None] + (shown[:, low + 2] - shown[:, low])[:, None] * _cells(count)
        for low, count in zip((0, 1), GRID, strict=True)
    )
    visible = ((x >= 0) & (x < width))[:, None, :] & ((y >= 0) & (y < height))[:, :, None]
    hider = np.full(len(who), -1)
    for row, one in enumerate(who):
        before = [post for post, depth in posts if depth < depths[one]]
        hides = [_within(x[row], y[row], box) for box in (*map(_body, shown[:row]), *before)]
        for hidden in hides:
            visible[row] &= ~hidden
        shares = [float(hidden.mean()) for hidden in hides[:row]]
        if shares and max(shares) > 0:
            hider[row] = int(np.argmax(shares))
    return Standing(who, shown, visible, hider)


def _cells(count: int) -> Floats:
    return (np.arange(count) + 0.5) / count


def _body(box: Floats) -> Floats:
    spare = (1 - BODY) / 2 * (box[2] - box[0])
    return np.asarray(box + np.array((spare, 0.0, -spare, 0.0)))


def _within(x: Floats, y: Floats, box: Floats) -> NDArray[np.bool_]:
    across = (x >= box[0]) & (x < box[2])
    return np.asarray(across[None, :] & ((y >= box[1]) & (y < box[3]))[:, None])
