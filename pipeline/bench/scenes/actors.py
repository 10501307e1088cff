"""Who and what moves in a made scene, and where each of them is at any time."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import NamedTuple

from pipeline.types import Box, Size

SIZE: Size = (1280, 720)
"""Of made pictures."""
WALK = 0.8
RUN = 2.2
"""Speeds of people, in their own heights a second."""

Point = tuple[float, float]


class Shape(NamedTuple):
    """Width and height of a box, in shares of its owner's height when upright."""

    width: float
    height: float


STANDING = Shape(0.38, 1.0)
SITTING = Shape(0.5, 0.77)
"""On a chair: 0.52 of the stature, above a seat at 0.25 (Drillis and Contini, Body Segment
Parameters, 1966)."""
BENDING = Shape(0.55, 0.68)
CROUCHING = Shape(0.45, 0.55)
LYING = Shape(0.9, 0.25)
LYING_ASLANT = Shape(0.6, 0.4)
"""Neither across the line of sight nor along it, as seen by a camera that hangs high. Along it, a
box is as high as wide, and no box tells the lying from those who squat."""


@dataclass(frozen=True, slots=True)
class Lens:
    """How tall the same person looks: `1` with the foot at the row `near`, shrinking evenly to
    nothing at the row `horizon`, both in pixels."""

    near: float
    horizon: float

    def scale(self, y: float) -> float:
        """The height of somebody whose foot is at row `y`, in shares of that at `near`."""
        return max((y - self.horizon) / (self.near - self.horizon), 0.05)


class Pose(NamedTuple):
    """Where the foot is at a time, in pixels, and in which shape."""

    time: float
    foot: Point
    shape: Shape


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody or something that is in the scene from its first pose to its last.

    Each method appends to what is done before and gives a new actor, so a part reads as it is
    played: `person("Ann", at=LEFT).goes(MIDDLE).stays(20).goes(RIGHT, speed=RUN)`. Between two
    poses the speed is even, in the actor's own heights a second. `height` is in pixels, upright and
    where the lens says 1; `hidden` are spans of seconds in which it cannot be seen.
    """

    name: str
    label: str
    height: float
    poses: tuple[Pose, ...]
    hidden: tuple[tuple[float, float], ...] = ()
    lens: Lens | None = None

    @property
    def begins(self) -> float:
        return self.poses[0].time

    @property
    def now(self) -> float:
        """When the last pose is taken, in seconds of the scene."""
        return self.poses[-1].time

    ends = now

    def goes(self, to: Point, speed: float = WALK) -> Actor:
        """Move to a point in a straight line, `speed` in own heights a second."""
        last = self.poses[-1]
        near, far = self._tall(last.foot), self._tall(to)
        length = math.dist(last.foot, to)
        # The way in own heights, where these change evenly along it: the mean of 1 / height.
        heights = length * (math.log(far / near) / (far - near) if far != near else 1 / near)
        return self._then(heights / speed, to, last.shape)

    def stays(self, seconds: float) -> Actor:
        """Keep the place and the shape."""
        return self._then(seconds, self.poses[-1].foot, self.poses[-1].shape)

    def turns_into(self, shape: Shape, seconds: float) -> Actor:
        """Take another shape, evenly within so many seconds."""
        return self._then(seconds, self.poses[-1].foot, shape)

    def falls(self, seconds: float = 0.6, shape: Shape = LYING) -> Actor:
        """Go down, from whatever shape, within so many seconds."""
        return self.turns_into(shape, seconds)

    def unseen(self, seconds: float) -> Actor:
        """As `stays`, while nobody can see it."""
        hidden = (self.now, self.now + seconds)
        return replace(self.stays(seconds), hidden=(*self.hidden, hidden))

    def foot(self, at: float) -> Point:
        """Where it stands at a time within its part; as at the nearest one outside of it."""
        return self._pose(at).foot

    def tall(self, at: float) -> float:
        """Its upright height at a time, in pixels."""
        return self._tall(self.foot(at))

    def whole_box(self, at: float) -> Box:
        """Its box at a time, whether or not the picture holds it."""
        (x, y), (width, height) = self._pose(at)[1:]
        tall = self._tall((x, y))
        half = width * tall / 2
        return Box(x - half, y - height * tall, x + half, y)

    def visible(self, at: float, size: Size = SIZE) -> bool:
        """Whether a detector can be expected to find it: it is there, and nothing hides it."""
        return self.there(at, size) and not any(a <= at < b for a, b in self.hidden)

    def there(self, at: float, size: Size = SIZE) -> bool:
        """Whether it plays its part, and at least a third of its box is in the picture."""
        if not self.begins <= at <= self.ends:
            return False
        whole, seen = self.whole_box(at), self.box(at, size)
        return max(seen.width, 0) * max(seen.height, 0) >= whole.width * whole.height / 3

    def box(self, at: float, size: Size = SIZE) -> Box:
        """Its box at a time, cut off at the picture's edges."""
        x1, y1, x2, y2 = self.whole_box(at)
        return Box(max(x1, 0.0), max(y1, 0.0), min(x2, float(size[0])), min(y2, float(size[1])))

    def speed(self, at: float) -> Point:
        """Own heights a second, to the right and down, just after a time."""
        step = 1e-3
        (x1, y1), (x2, y2) = self.foot(at), self.foot(at + step)
        tall = self.tall(at)
        return (x2 - x1) / step / tall, (y2 - y1) / step / tall

    def _tall(self, foot: Point) -> float:
        return self.height * (self.lens.scale(foot[1]) if self.lens else 1.0)

    def _then(self, seconds: float, foot: Point, shape: Shape) -> Actor:
        return replace(self, poses=(*self.poses, Pose(self.now + seconds, foot, shape)))

    def _pose(self, at: float) -> Pose:
        index = bisect_right(self.poses, at, key=lambda pose: pose.time)
        if index in (0, len(self.poses)):
            return self.poses[0 if index == 0 else -1]
        before, after = self.poses[index - 1 : index + 1]
        gone = (at - before.time) / (after.time - before.time)
        ratio = self._tall(after.foot) / self._tall(before.foot)
        # Even in own heights a second: heights along the way grow as a geometric series.
        way = gone if abs(ratio - 1) < 1e-9 else (ratio**gone - 1) / (ratio - 1)
        (x1, y1), (x2, y2) = before.foot, after.foot
        (w1, h1), (w2, h2) = before.shape, after.shape
        return Pose(
            at,
            (x1 + way * (x2 - x1), y1 + way * (y2 - y1)),
            Shape(w1 + gone * (w2 - w1), h1 + gone * (h2 - h1)),
        )


def person(
    name: str, at: Point, *, start: float = 0.0, height: float = 200.0, lens: Lens | None = None
) -> Actor:
    return _made(name, "person", height, at, start, STANDING, lens)


def car(name: str, at: Point, *, start: float = 0.0, height: float = 130.0) -> Actor:
    return _made(name, "car", height, at, start, Shape(2.2, 1.0))


def bag(name: str, at: Point, *, start: float = 0.0, height: float = 64.0) -> Actor:
    """A suitcase."""
    return _made(name, "suitcase", height, at, start, Shape(0.8, 1.0))


def dog(name: str, at: Point, *, start: float = 0.0, height: float = 80.0) -> Actor:
    return _made(name, "dog", height, at, start, Shape(1.4, 1.0))


def bicycle(name: str, at: Point, *, start: float = 0.0, height: float = 120.0) -> Actor:
    return _made(name, "bicycle", height, at, start, Shape(1.5, 1.0))


def _made(
    name: str,
    label: str,
    height: float,
    at: Point,
    start: float,
    shape: Shape,
    lens: Lens | None = None,
) -> Actor:
    return Actor(name, label, height, (Pose(start, at, shape),), lens=lens)
