"""A made scene: actors before a camera, and what a detector that never errs would see of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from pipeline.bench.scenes.actors import SIZE, Actor, Point
from pipeline.types import Box, Detection, Frame, Image, Luma, Size

NIGHT = datetime(2026, 3, 3, 2, 14, tzinfo=UTC)
"""When scenes begin unless they say otherwise: a Tuesday."""
FPS = 5.0
CAMERA = "scene"
CONFIDENCE = 0.8
CLOCK_S = 5000.0
"""The monotonic clock at a scene's beginning: it counts from nothing in particular."""
DIMENSIONS = 16
ALIKE = 0.7
"""The cosine of two different actors' embeddings, about."""


@dataclass(frozen=True, slots=True)
class Made:
    """A detection, and whose it is: None of one that shows nobody."""

    who: str | None
    detection: Detection


@dataclass(frozen=True, slots=True)
class SceneLook:
    """What is detected at one moment, `at` seconds after the scene's beginning."""

    at: float
    index: int
    made: tuple[Made, ...]

    @property
    def detections(self) -> list[Detection]:
        return [made.detection for made in self.made]


@dataclass(frozen=True)
class Scene:
    """Actors before one camera.

    `zones` and `lines` are as in streams.yaml, by name; `begins` is the time of day at the
    beginning. `eventful` are the spans of seconds in which there are looks, all of `seconds` if not
    given: days of a quiet camera need not be made in full. `light` are moments and the brightness
    from then on, 1 being that of the beginning: where pixels are drawn, they change so. `unusual`
    are the names of those who come in a way that the others never do.
    """

    seconds: float
    actors: tuple[Actor, ...]
    zones: Mapping[str, Sequence[Point]] = field(default_factory=dict)
    lines: Mapping[str, Sequence[Point]] = field(default_factory=dict)
    begins: datetime = NIGHT
    eventful: tuple[tuple[float, float], ...] = ()
    light: tuple[tuple[float, float], ...] = ()
    unusual: tuple[str, ...] = ()
    size: Size = SIZE

    @cached_property
    def named(self) -> Mapping[str, Actor]:
        return {actor.name: actor for actor in self.actors}

    def labelled(self, labels: Sequence[str]) -> list[Actor]:
        return [actor for actor in self.actors if actor.label in labels]

    def times(self, fps: float = FPS) -> Iterator[tuple[int, float]]:
        """The number and the second of each look; the end is not among them."""
        for begin, end in self.eventful or ((0.0, self.seconds),):
            first, last = round(begin * fps), round(end * fps)
            yield from ((index, index / fps) for index in range(first, last))

    def looks(self, fps: float = FPS) -> Iterator[SceneLook]:
        """Everybody who is visible, found exactly."""
        for index, at in self.times(fps):
            made = [
                Made(actor.name, self.detection(actor, at))
                for actor in self.actors
                if actor.visible(at, self.size)
            ]
            yield SceneLook(at, index, tuple(made))

    def detection(self, actor: Actor, at: float) -> Detection:
        """An actor as a detector that never errs finds it."""
        return Detection(actor.label, CONFIDENCE, actor.box(at, self.size), appearance(actor.name))

    def frame(self, at: float, index: int) -> Frame:
        """The frame of a moment, all grey."""
        return Frame(
            camera=CAMERA,
            index=index,
            captured_at=self.begins + timedelta(seconds=at),
            monotonic=CLOCK_S + at,
            pts=at,
            size=self.size,
            picture=Blank(self.size),
        )

    def camera(self, rules: Mapping[str, Any], fps: float = FPS) -> dict[str, Any]:
        """The camera of streams.yaml that watches the scene by these rules, at each look."""
        return {
            "source": f"{CAMERA}.mp4",
            "detect": {"motion_gate": False, "fps": fps},
            "zones": {name: [list(point) for point in zone] for name, zone in self.zones.items()},
            "lines": {name: [list(point) for point in line] for name, line in self.lines.items()},
            "rules": dict(rules),
        }


class Blank:
    """A grey picture that is made only when somebody looks at it."""

    __slots__ = ("_size",)

    def __init__(self, size: Size) -> None:
        self._size = size

    def fingerprint(self) -> int:
        """As `types.Picture`: of no picture, so always the same."""
        return 0

    def bgr(self, size: Size) -> Image:
        """As `types.Picture`."""
        return np.full((size[1], size[0], 3), 114, np.uint8)

    def luma(self, size: Size) -> Luma:
        """As `types.Picture`."""
        return np.full((size[1], size[0]), 114, np.uint8)


@cache
def appearance(name: str, dimensions: int = DIMENSIONS) -> NDArray[np.float32]:
    """What somebody of this name looks like: an embedding of length 1, the same at each call, with
    a cosine of about `ALIKE` to anybody else's."""
    own = _direction(crc32(name.encode()), dimensions)
    mixed = np.sqrt(ALIKE) * _direction(0, dimensions) + np.sqrt(1 - ALIKE) * own
    return unit(mixed)


def unit(vector: NDArray[Any]) -> NDArray[np.float32]:
    """A vector of length 1."""
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def _direction(seed: int, dimensions: int) -> NDArray[np.float32]:
    return unit(np.random.default_rng(seed).normal(size=dimensions))


def covered(box: Box, by: Box) -> float:
    """The share of a box that another one covers, 0..1."""
    width = min(box.x2, by.x2) - max(box.x1, by.x1)
    height = min(box.y2, by.y2) - max(box.y1, by.y1)
    area = box.width * box.height
    return max(width, 0.0) * max(height, 0.0) / area if area > 0 else 0.0
