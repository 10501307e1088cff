"""The kinds of streets, and one of each for a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np

from pipeline.bench.scenes.scene import Blank
from pipeline.bench.sequence import Truth
from pipeline.bench.streets.backdrop import Backdrop, Drawn
from pipeline.bench.streets.seen import found
from pipeline.bench.streets.street import Camera, Post, Standing, Street, clipped
from pipeline.bench.streets.walks import SPEED, Floats, Place, Walk, drifting, walking
from pipeline.types import Detection, Frame

VISIBLE = 0.1
"""Somebody of whom less is visible is not part of the truth."""
CAMERA = "street"
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_SIDE = Camera(height=3.0, tilt=8.0, focal=900.0, size=(960, 540))
_HIGH = Camera(height=6.5, tilt=24.0, focal=800.0, size=(768, 576))

Shift = Callable[[int, float, np.random.Generator], Floats]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of street.

    `people` are in the picture at a time, about, between `near` and `far` metres away, `together`
    at most; `stops` is the chance that somebody stands still on the way; those who `roam` turn on
    it. `posts` hide who is behind, and `shift` is how the camera moves.
    """

    name: str
    fps: float
    people: int
    camera: Camera = _SIDE
    near: float = 6.0
    far: float = 20.0
    together: int = 1
    stops: float = 0.0
    roam: bool = False
    posts: int = 0
    shift: Shift | None = None
    seconds: float = 16.0


def _sways(count: int, fps: float, random: np.random.Generator) -> Floats:
    """A pole in the wind: two swings on either axis, and a trembling."""
    times = np.arange(count)[:, None] / fps
    shifts = 0.7 * drifting(count, 2, 1 / fps, 0.1, random)
    for _ in range(2):
        hertz, phase = random.uniform(0.3, 1.5, 2), random.uniform(0, 2 * np.pi, 2)
        reach = random.uniform(3.0, 9.0) * np.array((1.0, 0.6))
        shifts += reach * np.sin(2 * np.pi * hertz * times + phase)
    return np.asarray(shifts)


def _pans(count: int, fps: float, random: np.random.Generator) -> Floats:
    """A camera that slowly turns there and back: 40 to 90 pixels a second at most."""
    reach, speed = random.uniform(80, 160), random.uniform(40, 90)
    turn = np.arange(count) / fps * speed / reach + random.uniform(0, 2 * np.pi)
    across = reach * np.sin(turn) + 0.7 * drifting(count, 1, 1 / fps, 0.2, random)[:, 0]
    return np.stack((across, 0.7 * drifting(count, 1, 1 / fps, 0.2, random)[:, 0]), axis=1)


KINDS = (
    Kind("sparse", 25, 5),
    Kind("groups", 25, 11, together=4),
    Kind("dense", 30, 24, Camera(4.5, 14.0, 950.0, (960, 540)), 8, 30, together=2, seconds=10),
    Kind("low angle", 25, 8, Camera(1.5, 1.0, 800.0, (640, 480)), 5, 12, together=2),
    Kind("stop and go", 15, 10, near=7, stops=0.7, together=2),
    Kind("posts", 25, 8, together=2, near=8, posts=4),
    Kind("from above", 7, 9, _HIGH, 9, 26, together=2, stops=0.2, roam=True, seconds=40),
    Kind("ten a second", 10, 12, replace(_HIGH, focal=1000.0), 9, 26, stops=0.2, roam=True,
         seconds=30),
    Kind("swaying", 20, 8, together=2, shift=_sways),
    Kind("panned", 20, 8, together=2, shift=_pans),
)  # fmt: skip


@dataclass(frozen=True)
class MadeSequence:
    """One street of a kind: as `Sequence`, with who is `standing` in each picture, and what is
    `found` there."""

    name: str
    fps: float
    street: Street
    seed: int
    standing: list[Standing] = field(repr=False)

    @cached_property
    def truth(self) -> list[Truth]:
        """Who is where, as far as at least VISIBLE of them is to be seen."""
        return [
            Truth(
                [
                    (int(who) + 1, clipped(box, self.street.camera.size))
                    for who, box, share in zip(one.who, one.boxes, one.share, strict=True)
                    if share >= VISIBLE
                ]
            )
            for one in self.standing
        ]

    @cached_property
    def found(self) -> list[list[Detection]]:
        return list(found(self.street, self.standing, self.seed))

    @property
    def moves(self) -> bool:
        """Whether the camera does."""
        return bool(self.street.shifts.any())

    def frames(self) -> Iterator[Frame]:
        """Its frames: drawn where the camera moves, for trackers that look for that, else blank."""
        size = self.street.camera.size
        backdrop = Backdrop(size, self.seed) if self.moves else None
        for index, standing in enumerate(self.standing):
            at = index / self.fps
            picture = (
                Blank(size)
                if backdrop is None
                else Drawn(backdrop, standing, self.street.shifts[index])
            )
            began = _BEGIN + timedelta(seconds=at)
            yield Frame(CAMERA, index, began, at, at, size, picture)


def made(kind: Kind, seed: int) -> MadeSequence:
    """The street of this kind and seed."""
    random = np.random.default_rng((seed, 0))
    count = round(kind.seconds * kind.fps)
    shifts = kind.shift(count, kind.fps, random) if kind.shift else np.zeros((count, 2))
    walks = _walks(kind, random)
    posts = [_post(kind, random) for _ in range(kind.posts)]
    street = Street(kind.camera, walks, posts, kind.fps, shifts)
    return MadeSequence(kind.name, kind.fps, street, seed, list(street.pictures(random)))


def _walks(kind: Kind, random: np.random.Generator) -> list[Walk]:
    """So many that about `people` are in the picture at any time."""
    walks: list[Walk] = []
    middle = (kind.near + kind.far) / 2
    stays = 2.3 * kind.camera.reach(middle) / SPEED[0] * (1.3 if kind.roam else 1.0)
    wanted = kind.people * (kind.seconds + stays) / stays
    while len(walks) < wanted:
        begin = float(random.uniform(-stays, kind.seconds))
        together = int(random.integers(1, kind.together + 1))
        walks += walking(_way(kind, random), begin, random, together=together, stops=kind.stops)
    return walks


def _way(kind: Kind, random: np.random.Generator) -> list[Place]:
    """From one edge of the picture to another, or there and on to somewhere else."""
    away = [float(random.uniform(kind.near, kind.far)) for _ in range(3)]
    side = 1.0 if random.random() < 0.5 else -1.0
    if not kind.roam:
        # Streets go along: who walks keeps about the same distance.
        away[2] = float(np.clip(away[0] + random.normal(0, 2.0), kind.near, kind.far))
    begin = (-side * 1.15 * kind.camera.reach(away[0]), away[0])
    end = (side * 1.15 * kind.camera.reach(away[2]), away[2])
    if not kind.roam:
        return [begin, end]
    within = 0.7 * kind.camera.reach(away[1])
    turn = (float(random.uniform(-within, within)), away[1])
    back = random.random() < 0.4
    return [begin, turn, (-end[0], end[1]) if back else end]


def _post(kind: Kind, random: np.random.Generator) -> Post:
    """A tree, a pillar or a van before some of the street."""
    away = float(random.uniform(kind.near - 1.0, (kind.near + kind.far) / 2))
    right = float(random.uniform(-0.8, 0.8)) * kind.camera.reach(away)
    if random.random() < 0.3:
        return Post((right, away), 2.0, 2.2)
    return Post((right, away), 4.0, float(random.uniform(0.4, 0.9)))
