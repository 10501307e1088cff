"""Falls and daily life of made people before made cameras, as boxes: what no film here shows.

A body is eleven points with the proportions of Drillis and Contini (Body Segment Parameters, 1966),
each with a thickness; it goes from posture to posture, is seen by a camera 1.2 to 3 m high at 2.5
to 7 m and turned anyhow, and its box trembles by 2% and is missing now and then, of the low in a
tenth to a half of the looks. The bounds of the rule `fall` were chosen with these people in view,
so what is found of them is no proof for others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.bench.tables import markdown
from pipeline.config import FallRule
from pipeline.rules import make_rule
from pipeline.types import Box, Detection, Size, Track, View

SIZE: Size = (640, 480)
WITHIN_S = 2.0
"""A fall is found up to so long after it."""
STAYS_S = 5.0
TREMBLE = 0.02
MISSED = 0.03
"""The share of looks in which somebody upright is not found."""
LOW = 0.35
"""Whose head is lower than so many statures is found less often."""
LEAST = (8, 12)
"""No box is less wide or high, in pixels."""

Posture = NDArray[np.float64]
"""Of each point how far it is before, left of and above the feet, in statures."""
Random = np.random.Generator
Stage = tuple[Posture, float, float]
"""A posture, how many seconds it takes to come to it, and how many it lasts."""

_RADII = np.array([0.065, 0.05, 0.05, 0.075, 0.075, 0.045, 0.045, 0.04, 0.04, 0.03, 0.03])
_ASIDE = (0.0, 0.12, 0.08, 0.08, 0.07, 0.16)


def _posture(*points: tuple[float, float]) -> Posture:
    """From (before, above) of head, shoulders, hips, knees, ankles and hands."""
    (head, *pairs), (_, *aside) = points, _ASIDE
    both = [
        (before, side, above)
        for (before, above), out in zip(pairs, aside, strict=True)
        for side in (out, -out)
    ]
    return np.array([(head[0], 0.0, head[1]), *both])


STANDING = _posture((0, 0.93), (0, 0.82), (0, 0.53), (0.02, 0.28), (0, 0.04), (0.02, 0.48))
ON_A_CHAIR = _posture((0.02, 0.7), (0, 0.57), (0, 0.28), (0.25, 0.29), (0.27, 0.04), (0.2, 0.36))
ON_THE_GROUND = _posture(
    (0, 0.47), (-0.02, 0.34), (0, 0.07), (0.25, 0.09), (0.5, 0.05), (0.2, 0.12)
)
BENT = _posture((0.4, 0.47), (0.3, 0.52), (-0.06, 0.53), (-0.02, 0.28), (0, 0.04), (0.36, 0.12))
SQUATTING = _posture((0.2, 0.55), (0.12, 0.44), (-0.12, 0.19), (0.14, 0.3), (0, 0.04), (0.3, 0.06))
KNEELING = _posture((0, 0.69), (0, 0.57), (0, 0.28), (0, 0.05), (-0.25, 0.04), (0.05, 0.3))
REACHING = _posture((0.42, 0.35), (0.32, 0.42), (0, 0.28), (0.25, 0.29), (0.27, 0.04), (0.35, 0.05))
PRONE = _posture(
    (0.68, 0.24), (0.55, 0.22), (0.12, 0.16), (-0.12, 0.09), (-0.38, 0.05), (0.55, 0.03)
)
_LYING = _posture((0.9, 0.08), (0.78, 0.08), (0.5, 0.09), (0.26, 0.07), (0.03, 0.05), (0.5, 0.05))


def _lying(random: Random) -> Posture:
    """On the ground, with the feet where they were, in any direction."""
    return _turned(_LYING, random.uniform(0, 2 * np.pi))


def _in_bed(random: Random) -> Posture:
    """On a bed as high as a chair, along its edge, where somebody sat."""
    side = random.choice((-1, 1))
    lying: Posture = _turned(_LYING, side * np.pi / 2) + np.array((-0.1, -side * 0.5, 0.25))
    return lying


def _turned(posture: Posture, angle: float) -> Posture:
    cos, sin = np.cos(angle), np.sin(angle)
    x, y, z = posture.T
    return np.stack([x * cos - y * sin, x * sin + y * cos, z], axis=1)


FALLS: dict[str, Callable[[Random], list[Stage]]] = {
    "falls": lambda r: [
        (STANDING, 0, r.uniform(1.5, 3)),
        (_lying(r), r.uniform(0.6, 1.2), STAYS_S),
    ],
    "falls as if acted": lambda r: [
        (STANDING, 0, r.uniform(1.5, 3)),
        (_lying(r), r.uniform(1.2, 1.7), STAYS_S),
    ],
    "falls on the knees, and down": lambda r: [
        (STANDING, 0, r.uniform(1.5, 3)),
        (KNEELING, r.uniform(0.4, 0.7), 0),
        (_lying(r), r.uniform(0.4, 0.8), STAYS_S),
    ],
    "bends, and falls": lambda r: [
        (STANDING, 0, 2),
        (BENT, r.uniform(0.6, 1), r.uniform(0.2, 1.2)),
        (_lying(r), r.uniform(0.4, 0.8), STAYS_S),
    ],
    "falls from a chair": lambda r: [
        (ON_A_CHAIR, 0, r.uniform(1.5, 3)),
        (_lying(r) + np.array((0.2, 0, 0)), r.uniform(0.7, 1.4), STAYS_S),
    ],
}
DAILY: dict[str, Callable[[Random], list[Stage]]] = {
    "sits down": lambda r: [(STANDING, 0, 2), (ON_A_CHAIR, r.uniform(0.8, 2), STAYS_S)],
    "sits down on the ground": lambda r: [
        (STANDING, 0, 2),
        (ON_THE_GROUND, r.uniform(1.5, 3), STAYS_S),
    ],
    "bends": lambda r: [
        (STANDING, 0, 2),
        (BENT, r.uniform(0.6, 1.5), r.uniform(0.3, 4)),
        (STANDING, r.uniform(0.6, 1.5), 2),
    ],
    "squats": lambda r: [
        (STANDING, 0, 2),
        (SQUATTING, r.uniform(0.6, 1.5), r.uniform(0.5, 6)),
        (STANDING, 1, 2),
    ],
    "kneels": lambda r: [(STANDING, 0, 2), (KNEELING, r.uniform(0.8, 2), STAYS_S)],
    "picks something up from a chair": lambda r: [
        (ON_A_CHAIR, 0, 2),
        (REACHING, r.uniform(0.5, 1.2), r.uniform(0.3, 3)),
        (ON_A_CHAIR, 0.8, 2),
    ],
    "sits on a bed, and lies down": lambda r: [
        (ON_A_CHAIR, 0, 2),
        (_in_bed(r), r.uniform(1, 3), STAYS_S),
    ],
    "goes to bed": lambda r: [
        (STANDING, 0, 2),
        (ON_A_CHAIR, r.uniform(0.8, 1.5), r.uniform(0.3, 2)),
        (_in_bed(r), r.uniform(1.5, 3), STAYS_S),
    ],
    "does push-ups": lambda r: [
        (STANDING, 0, 2),
        (SQUATTING, r.uniform(0.8, 1.5), 0),
        (PRONE, r.uniform(0.8, 1.5), STAYS_S),
    ],
    "sits, and lies down on the ground": lambda r: [
        (STANDING, 0, 2),
        (ON_THE_GROUND, r.uniform(1.5, 3), r.uniform(0.2, 1)),
        (_lying(r), r.uniform(1.5, 3), STAYS_S),
    ],
}


@dataclass(frozen=True, slots=True)
class _Camera:
    """Where it is, how it looks, and where before it somebody stands, in metres and radians."""

    height: float
    tilt: float
    focal: float
    aside: float
    distance: float

    @classmethod
    def any(cls, random: Random) -> _Camera:
        height, distance = random.uniform(1.2, 3), random.uniform(2.5, 7)
        tilt = float(np.arctan2(height - random.uniform(0.6, 1.1), distance))
        focal = SIZE[0] / 2 / float(np.tan(np.radians(random.uniform(60, 95)) / 2))
        return cls(height, tilt, focal, random.uniform(-0.25, 0.25) * distance, distance)

    def box(self, body: Posture, stature: float) -> NDArray[np.float64]:
        """Around a body whose points are in metres: x1, y1, x2, y2."""
        far, aside, above = (body + np.array((self.distance, self.aside, -self.height))).T
        depth = np.maximum(far * np.cos(self.tilt) - above * np.sin(self.tilt), 0.3)
        up = far * np.sin(self.tilt) + above * np.cos(self.tilt)
        x = SIZE[0] / 2 + self.focal * aside / depth
        y = SIZE[1] / 2 - self.focal * up / depth
        radius = self.focal * _RADII * stature / depth
        ends = ((x - radius).min(), (y - radius).min(), (x + radius).max(), (y + radius).max())
        return np.array(ends)


def measure_bodies(fps: float, seconds: float | None, count: int) -> dict[str, Any]:
    """In which share of `count` made scenes of each kind a fall is found, at `fps` looks a second:
    `falls` up to two seconds after it, `daily` at any time."""
    rule = FallRule(type="fall") if seconds is None else FallRule(type="fall", seconds=seconds)

    def share(kind: Callable[[Random], list[Stage]], *, fall: bool) -> float:
        told = [_told(kind, fps, rule, np.random.default_rng(seed)) for seed in range(count)]
        right = [any(begin <= at <= end + WITHIN_S for at in ats) for ats, begin, end in told]
        return round(sum(right if fall else (bool(ats) for ats, _, _ in told)) / count, 3)

    return {
        "fps": fps,
        "seconds": rule.seconds,
        "scenes": count,
        "falls": {name: share(kind, fall=True) for name, kind in FALLS.items()},
        "daily": {name: share(kind, fall=False) for name, kind in DAILY.items()},
    }


def table(measured: Mapping[str, Any]) -> str:
    """What was measured, as a Markdown table."""
    kinds = [*measured["falls"].items(), *measured["daily"].items()]
    return markdown(("somebody", "found"), ((name, f"{share:.0%}") for name, share in kinds))


def _told(
    kind: Callable[[Random], list[Stage]], fps: float, config: FallRule, random: Random
) -> tuple[list[float], float, float]:
    """When a fall is found to hold, and when the first movement begins and the last one ends."""
    stages = kind(random)
    rule = make_rule("fall", config, {})
    first = datetime(2026, 1, 1, tzinfo=UTC)
    told = []
    for at, box in _looks(stages, fps, random):
        person = () if box is None else (Track(1, "person", Detection("person", 0.8, box), 0, at),)
        moment = first + timedelta(seconds=at)
        if rule.update(View("camera", "the room", SIZE, moment, at, 1 / fps, person)):
            told.append(at)
    end = sum(took + stays for _, took, stays in stages) - stages[-1][2]
    return told, stages[0][2], end


def _looks(stages: list[Stage], fps: float, random: Random) -> Iterator[tuple[float, Box | None]]:
    camera, stature = _Camera.any(random), random.uniform(1.5, 1.9)
    angle, missed = random.uniform(0, 2 * np.pi), random.uniform(0.1, 0.5)
    ends = np.cumsum([took + stays for _, took, stays in stages])
    for look in np.arange(random.uniform(0, 1 / fps), ends[-1], 1 / fps):
        number = int(np.searchsorted(ends, look, side="right"))
        posture, took, stays = stages[number]
        share = min((look - ends[number] + took + stays) / max(took, 1e-6), 1.0)
        before = stages[max(number - 1, 0)][0]
        # Starts slowly, as falls do, and as movements at will do.
        body = before + (posture - before) * share**2
        box = camera.box(_turned(body, angle) * stature, stature)
        box = box + random.normal(0, TREMBLE * (box[3] - box[1]), 4)
        x1, y1, x2, y2 = np.clip(box, 0, (*SIZE, *SIZE)).tolist()
        unseen = random.uniform() < (missed if body[0, 2] < LOW else MISSED)
        seen = not unseen and x2 - x1 > LEAST[0] and y2 - y1 > LEAST[1]
        yield float(look), Box(x1, y1, x2, y2) if seen else None
