"""Where people walk on a street, in metres, at each moment. Everything follows from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Floats = NDArray[np.float64]
Place = tuple[float, float]
"""Metres to the right of the camera, and away from it."""

SPEED = (1.3, 0.2)
"""A walk in metres a second, mean and standard deviation..."""
SPEED_LEAST = 0.7
"""...but never slower."""
ABREAST_M = 0.7
"""How far apart those walk who walk together."""
WANDER_M = 0.12
"""Standard deviation from the straight line..."""
WANDER_S = 1.5
"""...which is forgotten by this time constant."""


@dataclass(frozen=True, slots=True)
class Walk:
    """One person's way: corners (n, 3) of second, right, away, in order of time; before the first
    and after the last the person is not there. `tall` is in metres."""

    corners: Floats
    tall: float

    def places(self, times: Floats, random: np.random.Generator) -> Floats:
        """Where the person is, (len(times), 2), not a number where not there."""
        seconds, *axes = self.corners.T
        straight = np.stack([np.interp(times, seconds, axis) for axis in axes], axis=1)
        wander = drifting(len(times), 2, float(times[1] - times[0]), WANDER_S, random)
        away = (times < seconds[0]) | (times > seconds[-1])
        return np.where(away[:, None], np.nan, straight + WANDER_M * wander)


def walking(
    points: Sequence[Place],
    begin: float,
    random: np.random.Generator,
    *,
    together: int = 1,
    stops: float = 0.0,
) -> list[Walk]:
    """Those who walk along some points, beginning at a second.

    Args:
        together: how many walk side by side.
        stops: how probable it is that they stand for 1.5 to 6 s on a part of the way.
    """
    speed = max(float(random.normal(*SPEED)), SPEED_LEAST)
    corners = [(begin, *points[0])]
    for here, there in pairwise(points):
        now = corners[-1][0]
        takes = float(np.hypot(there[0] - here[0], there[1] - here[1])) / speed
        if random.random() < stops:
            share = float(random.uniform(0.25, 0.75))
            stand = tuple(a + share * (b - a) for a, b in zip(here, there, strict=True))
            stays = float(random.uniform(1.5, 6.0))
            corners.append((now + share * takes, stand[0], stand[1]))
            corners.append((now + share * takes + stays, stand[0], stand[1]))
            now += stays
        corners.append((now + takes, *there))
    way = np.array(corners)
    direction = np.subtract(points[-1], points[0])
    across = np.array((-direction[1], direction[0])) / max(float(np.hypot(*direction)), 1e-6)
    walks = []
    for place in range(together):
        beside = ABREAST_M * place * across + random.normal(0, 0.15, 2)
        walks.append(Walk(way + np.array((0.0, *beside)), _tall(random)))
    return walks


def drifting(
    count: int, channels: int, step_s: float, forgets_s: float, random: np.random.Generator
) -> Floats:
    """Noise of standard deviation 1 that changes slowly, (count, channels): an Ornstein-Uhlenbeck
    process of time constant `forgets_s` at moments `step_s` apart."""
    keeps = np.exp(-step_s / forgets_s)
    noise = random.normal(size=(count, channels))
    noise[1:] *= np.sqrt(1 - keeps**2)
    return np.asarray(lfilter([1.0], [1.0, -keeps], noise, axis=0))


def _tall(random: np.random.Generator) -> float:
    return float(np.clip(random.normal(1.72, 0.09), 1.45, 2.0))
