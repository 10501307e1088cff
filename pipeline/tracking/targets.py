"""What is followed, as arrays: where each one is, how it moves, what it looks like.

All of them are predicted and corrected at once: a Kalman filter (Kalman, 1960) with constant
velocity and white noise in the acceleration, in true seconds, so that any number of looks a second
and any gap is the same arithmetic. Lengths are measured in each one's own scale, the square root of
its box's area; both axes have the same noise, so that one covariance of three numbers serves both.
How the constants were chosen is told in docs/tracking.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Looks = NDArray[np.float32]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

ACCELERATION = 0.8
"""How a speed changes: standard deviation in scales a second, over the root of a second."""
FIRST_SPEED = 1.2
"""How fast something new may move: standard deviation in scales a second, which is a walk."""
TREMBLE = 0.08
"""How far a box's middle is off, if it is quite sure: standard deviation in scales..."""
SIZE_TREMBLE = 0.1
"""...and how far its width and height are."""
GROWTH = 0.15
"""How sizes change: standard deviation in scales, over the root of a second."""
COAST_S = 3.0
"""Who is not seen slows down by this time constant: nobody goes straight on for ever."""
MEMORY = 0.15
"""The share of the newest look in what a target looks like."""

BORDER = 0.02
"""Whose box ends within this share of the picture's side of its border is at it."""

_ARRAYS = ("ids", "families", "confirmed", "seen", "box", "centre", "size", "velocity", "spread",
           "size_spread", "look")  # fmt: skip


class Targets:
    """Rows of arrays, one a target; `ids`, `families` and times are the caller's.

    `centre`, `size` and `velocity` are (n, 2), in pixels and pixels a second; `spread` (n, 3) is
    the covariance of place and velocity on either axis, `size_spread` (n,) that of the size;
    `look` is (n, channels), of length 1, or 0 where it is not known. `seen` is when each was seen
    last, and `box` (n, 4) where; `confirmed` whether it was seen twice. `at` is the time that all
    of this is for.
    """

    def __init__(self) -> None:
        self.at = 0.0
        self.ids: Ints = np.empty(0, np.int64)
        self.families: Ints = np.empty(0, np.int64)
        self.confirmed: Flags = np.empty(0, np.bool_)
        self.seen: Floats = np.empty(0)
        self.box: Floats = np.empty((0, 4))
        self.centre: Floats = np.empty((0, 2))
        self.size: Floats = np.empty((0, 2))
        self.velocity: Floats = np.empty((0, 2))
        self.spread: Floats = np.empty((0, 3))
        self.size_spread: Floats = np.empty(0)
        self.look: Looks = np.empty((0, 0), np.float32)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def scale(self) -> Floats:
        """Each one's unit of length in pixels, (n,)."""
        return np.sqrt(np.maximum(self.size[:, 0] * self.size[:, 1], 1.0))

    def outside(self, width: float) -> Flags:
        """Whose middle is expected beyond the left or right border of a picture so wide, at which
        they were seen last. Below the picture nobody is: who falls goes down and stays."""
        across, beside = self.centre[:, 0], BORDER * width
        left: Flags = (across < 0) & (self.box[:, 0] < beside)
        return left | ((across > width) & (self.box[:, 2] > width - beside))

    def predict(self, now: float) -> None:
        """Where they are at `now`, if they go on as they did."""
        dt = now - self.at
        missed = self.seen < self.at
        self.at = now
        square = self.scale**2
        noise = ACCELERATION**2 * square
        place, both, speed = self.spread.T  # views: they are changed in place
        place += dt * (2 * both + dt * speed) + noise * (dt**3 / 3)
        both += dt * speed + noise * (dt**2 / 2)
        speed += noise * dt
        self.size_spread = self.size_spread + (GROWTH**2 * dt) * square
        self.centre = self.centre + self.velocity * dt
        if missed.any():
            self.velocity[missed] *= np.exp(-dt / COAST_S)

    def correct(self, rows: Ints, boxes: Floats, confidences: Floats) -> None:
        """What was seen of the targets in `rows`, each once.

        Args:
            rows: (m,), which targets.
            boxes: (m, 4) as x1, y1, x2, y2.
            confidences: (m,), 0..1: the less sure, the less it counts.
        """
        centre, size = centres_and_sizes(boxes)
        doubt = (self.scale[rows] / np.maximum(confidences, 0.1)) ** 2
        place, both, speed = self.spread[rows].T
        total = place + TREMBLE**2 * doubt
        gain, gain_speed = place / total, both / total
        off = centre - self.centre[rows]
        self.centre[rows] += gain[:, None] * off
        self.velocity[rows] += gain_speed[:, None] * off
        kept = 1 - gain
        self.spread[rows] = np.array((kept * place, kept * both, speed - gain_speed * both)).T
        spread = self.size_spread[rows]
        gain = spread / (spread + SIZE_TREMBLE**2 * doubt)
        self.size[rows] += gain[:, None] * (size - self.size[rows])
        self.size_spread[rows] = (1 - gain) * spread
        self.seen[rows] = self.at
        self.box[rows] = boxes

    def learn(self, rows: Ints, looks: Looks) -> None:
        """What the targets in `rows` look like now; `looks` is (m, channels), of length 1."""
        if self.look.shape[1] != looks.shape[1]:
            self.look = np.zeros((len(self), looks.shape[1]), np.float32)
        old = self.look[rows]
        new = np.where(known(old)[:, None], old + MEMORY * (looks - old), looks)
        length = np.sqrt(np.einsum("nc,nc->n", new, new))
        self.look[rows] = new / np.maximum(length, 1e-6)[:, None]

    def add(self, ids: Ints, families: Ints, boxes: Floats) -> Ints:
        """Begin new ones, of which nothing but a box is known; returns their rows."""
        count, before = len(ids), len(self)
        centre, size = centres_and_sizes(boxes)
        square = np.maximum(size[:, 0] * size[:, 1], 1.0)
        new = {
            "ids": ids,
            "families": families,
            "confirmed": np.zeros(count, np.bool_),
            "seen": np.full(count, self.at),
            "box": boxes,
            "centre": centre,
            "size": size,
            "velocity": np.zeros((count, 2)),
            "spread": square[:, None] * (4 * TREMBLE**2, 0.0, FIRST_SPEED**2),
            "size_spread": 4 * SIZE_TREMBLE**2 * square,
            "look": np.zeros((count, self.look.shape[1]), np.float32),
        }
        for name, rows in new.items():
            setattr(self, name, np.concatenate((getattr(self, name), rows)))
        return np.arange(before, before + count)

    def keep(self, which: Flags) -> None:
        """Let go all others."""
        if not which.all():
            for name in _ARRAYS:
                setattr(self, name, getattr(self, name)[which])


def known(looks: Looks) -> Flags:
    """Of which rows it is known what they look like."""
    return np.asarray(looks.any(axis=1))


def unused(count: int, used: Ints) -> Ints:
    """The indices below `count` that are not among `used`, in order."""
    free = np.ones(count, np.bool_)
    free[used] = False
    return np.flatnonzero(free)


def centres_and_sizes(boxes: Floats) -> tuple[Floats, Floats]:
    """Of boxes (n, 4): their middles, and their widths and heights, each (n, 2)."""
    size = boxes[:, 2:] - boxes[:, :2]
    return boxes[:, :2] + size / 2, size
