"""Made weeks before made cameras: who passes when, along which ways, with real variance.

People walk along two ways in both directions, cars along a lane in one. A passage has its own pace,
size, distance from the way's middle and stops; people more than cars. There are rush hours, quiet
weekends and almost empty nights. Nothing of the rule `novelty` is fitted to a seed: each one has
ways, rhythm and perspective of its own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from pipeline.tracking.life import Life
from pipeline.types import Box, Detection, Size, Track, View

SIZE: Size = (1280, 720)
BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
"""A Monday."""
DAY_S = 86_400.0
STEP_S = 0.2
QUIET_STEP_S = 30.0
TREMBLE = 0.03
"""Of a box's height: its edges."""

FORESHORTENED = 0.35
"""A step away from the camera is so much shorter in the picture than one across it."""

Random = np.random.Generator
Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Going:
    """One passage: `points` of its way in fractions of the picture, its pace in heights a second,
    its height as a share of the usual one there, stops as (share of the way, seconds)."""

    label: str
    starts: float
    points: Points
    pace: float
    tall: float
    stops: tuple[tuple[float, float], ...] = ()
    kind: str = "usual"


@dataclass(frozen=True, slots=True)
class Camera:
    """What passes before one made camera."""

    ways: tuple[Points, Points]
    lane: Points
    horizon: float
    scale: float
    people_a_day: float
    cars_a_day: float
    rhythm: NDArray[np.float64]
    """The share of the passages in each hour of a working day."""

    @classmethod
    def made(cls, random: Random) -> Camera:
        low, high = random.uniform(0.62, 0.72), random.uniform(0.8, 0.9)
        bend = random.uniform(0.35, 0.65)
        first = np.array([(0.0, high), (bend, high - 0.06), (1.0, random.uniform(0.75, 0.88))])
        second = np.array([(bend, high - 0.06), (bend + random.uniform(-0.1, 0.1), low - 0.12)])
        lane = np.array([(0.0, low - 0.14), (1.0, low - 0.16 + random.uniform(-0.02, 0.02))])
        hours = np.arange(24) + 0.5
        peaks = (random.uniform(7, 9), random.uniform(11.5, 13.5), random.uniform(16, 18.5))
        rhythm = sum(np.exp(-(((hours - peak) / 1.3) ** 2) / 2) for peak in peaks)
        rhythm = rhythm + 0.25 * ((hours > 6.5) & (hours < 22)) + 0.0005
        return cls(
            ways=(first, second),
            lane=lane,
            horizon=random.uniform(0.1, 0.25),
            scale=random.uniform(0.35, 0.5),
            people_a_day=random.uniform(150, 300),
            cars_a_day=random.uniform(60, 150),
            rhythm=np.asarray(rhythm / rhythm.sum()),
        )

    def height(self, label: str, y: float) -> float:
        """Of an upright person, or a car, whose foot is at y; in fractions of the picture."""
        return self.scale * max(y - self.horizon, 0.05) * (0.85 if label == "car" else 1.0)

    def day(self, random: Random, day: int) -> list[Going]:
        """The usual passages of a day, by their beginnings."""
        weekend = day % 7 >= 5
        busy = (0.4 if weekend else 1.0) * random.uniform(0.8, 1.2)
        rhythm = np.roll(self.rhythm, 2) if weekend else self.rhythm
        goings = []
        for label, a_day in (("person", self.people_a_day), ("car", self.cars_a_day)):
            for _ in range(random.poisson(a_day * busy)):
                hour = random.choice(24, p=rhythm) + random.uniform()
                goings.append(self.usual(random, label, (day * 24 + hour) * 3600))
        return sorted(goings, key=lambda going: going.starts)

    def usual(self, random: Random, label: str, starts: float) -> Going:
        """A usual passage that starts so many seconds after the beginning."""
        if label == "car":
            offset = random.normal(0, 0.012)
            pace = random.lognormal(math.log(1.5), 0.25)
            stop = ((random.uniform(0.2, 0.8), random.lognormal(2, 0.6)),)
            cars_stops: tuple[tuple[float, float], ...] = stop if random.uniform() < 0.08 else ()
            points = self.lane + np.array([0, offset])
            return Going("car", starts, points, pace, random.lognormal(0, 0.1), cars_stops)
        way = self.ways[int(random.uniform() < 0.35)]
        points = way + random.normal(0, 0.018, 2) + random.normal(0, 0.008, way.shape)
        if random.uniform() < 0.5:
            points = points[::-1]
        pace = random.lognormal(math.log(0.75), 0.2)
        stops = tuple(
            (random.uniform(0.05, 0.95), random.lognormal(2.2, 0.8))
            for _ in range(random.poisson(0.15))
        )
        return Going("person", starts, points, pace, random.lognormal(0, 0.09), stops)


def _elsewhere(camera: Camera, random: Random, going: Going) -> Going:
    """Through a part of the picture where nobody goes, above the lane or between it and a way."""
    x = random.choice((random.uniform(0.05, 0.2), random.uniform(0.8, 0.95)))
    above = camera.lane[0][1] - 0.06
    high, low = random.choice([(above - 0.08, above), (0.62, 0.7)])
    points = np.array([(x, high), (x + random.choice((-0.15, 0.15)), low)])
    return replace(going, points=points, stops=((0.5, random.lognormal(1.5, 0.5)),))


def _at(hour: float) -> Callable[[Camera, Random, Going], Going]:
    def moved(camera: Camera, random: Random, going: Going) -> Going:
        day = going.starts // DAY_S
        return replace(going, starts=day * DAY_S + (hour + random.uniform()) * 3600)

    return moved


UNUSUAL: Mapping[str, tuple[str, Callable[[Camera, Random, Going], Going]]] = {
    "new place": ("person", _elsewhere),
    "wrong way": ("car", lambda c, r, g: replace(g, points=g.points[::-1])),
    "at night": ("person", _at(2.5)),
    "running": ("person", lambda c, r, g: replace(g, pace=r.uniform(2.0, 3.0), stops=())),
    "a dog": ("person", lambda c, r, g: replace(g, label="dog", tall=g.tall * 0.4)),
    "too long": ("person", lambda c, r, g: replace(g, stops=((0.5, r.uniform(180, 400)),))),
    "too large": ("person", lambda c, r, g: replace(g, tall=g.tall * r.uniform(1.7, 2.2))),
    "slightly off": ("person", lambda c, r, g: replace(g, points=g.points + np.array([0, 0.06]))),
    "brisk": ("person", lambda c, r, g: replace(g, pace=r.uniform(1.3, 1.5), stops=())),
}
"""What is done to a usual passage, by what it is then called; the last two are hard."""


def unusual(camera: Camera, random: Random, kind: str, day: int) -> Going:
    """An unusual passage on a day, in an hour in which many pass unless it is of the night."""
    label, change = UNUSUAL[kind]
    hour = random.choice(24, p=camera.rhythm) + random.uniform()
    usual = camera.usual(random, label, (day * 24 + hour) * 3600)
    return replace(change(camera, random, usual), kind=kind)


def walk(camera: Camera, random: Random, going: Going) -> Iterator[Box]:
    """Where it is at each step of a passage."""
    stops = sorted(going.stops)
    legs = np.linalg.norm(np.diff(going.points * SIZE, axis=0), axis=1)
    whole, gone = float(legs.sum()), 0.0
    ends = np.concatenate([[0.0], np.cumsum(legs)])
    while gone <= whole:
        x = float(np.interp(gone, ends, going.points[:, 0]))
        y = float(np.interp(gone, ends, going.points[:, 1]))
        tall = camera.height(going.label, y) * going.tall * SIZE[1]
        leg = min(int(np.searchsorted(ends, gone, "right")) - 1, len(legs) - 1)
        ahead = (going.points[leg + 1] - going.points[leg]) * SIZE
        ahead = ahead / max(float(np.linalg.norm(ahead)), 1e-9)
        seen = math.hypot(ahead[0], FORESHORTENED * ahead[1])
        waits = stops.pop(0)[1] if stops and gone / whole >= stops[0][0] else 0.0
        for _ in range(1 + int(waits / STEP_S)):
            yield _box(random, going.label, x, y, tall)
        gone += going.pace * seen * tall * STEP_S


def _box(random: Random, label: str, x: float, y: float, tall: float) -> Box:
    wide = tall * {"car": 2.2, "dog": 1.2}.get(label, 0.4)
    tremble = random.normal(0, TREMBLE * tall / 2, 4)
    left, top = x * SIZE[0] - wide / 2 + tremble[0], y * SIZE[1] - tall + tremble[1]
    right, foot = x * SIZE[0] + wide / 2 + tremble[2], y * SIZE[1] + tremble[3]
    return Box(
        max(float(left), 0.0),
        max(float(top), 0.0),
        min(float(right), float(SIZE[0])),
        min(float(foot), float(SIZE[1])),
    )


def views(
    camera: Camera, random: Random, goings: list[Going], begin: float, end: float
) -> Iterator[View]:
    """What a rule sees from `begin` to `end` seconds after the beginning: five times a second while
    anything passes, as cameras are looked at unless configured otherwise, and each half minute
    else. Tracks know of themselves what real ones do."""
    waiting = sorted(goings, key=lambda going: going.starts)[::-1]
    walks: dict[int, tuple[str, Life, Iterator[Box]]] = {}
    now, number = begin, 1
    while now < end:
        while waiting and waiting[-1].starts <= now:
            going = waiting.pop()
            steps = walk(camera, random, going)
            first = next(steps)
            life = Life(number, now, first, now)
            walks[number] = (going.label, life, itertools.chain([first], steps))
            number += 1
        tracks, lost = [], []
        for key, (label, life, steps) in list(walks.items()):
            box = next(steps, None)
            if box is None:
                del walks[key]
                if life.track is not None:
                    lost.append(replace(life.track, lost=True))
                continue
            tracks.append(life.see(Detection(label, 0.8, box), now, SIZE))
        yield _view(now, tuple(tracks), tuple(lost))
        if walks:
            now += STEP_S
        else:
            following = waiting[-1].starts if waiting else end
            now = max(now + STEP_S, min(now + QUIET_STEP_S, following))


def _view(now: float, tracks: tuple[Track, ...], lost: tuple[Track, ...]) -> View:
    return View(
        camera="made",
        camera_name="the street",
        size=SIZE,
        captured_at=BEGIN + timedelta(seconds=now),
        monotonic=now,
        period_s=STEP_S,
        tracks=tracks,
        lost=lost,
    )
