"""What each pixel of a small picture shows when nothing moves, and how much it varies by itself."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
from numpy.typing import NDArray

from pipeline.types import Luma

Plane = NDArray[np.float32]
"""A value for each pixel, height x width; brightness is 0..255."""
Mask = NDArray[np.bool_]
"""Which pixels; height x width."""

BACKGROUND_S = 3.0
"""Where nothing moves the background follows the picture with this time constant..."""
NOISE_S = 10.0
"""...and its noise with this one."""
ABSORB_S = 25.0
"""What stands still for so long belongs to the background..."""
ABSORB_SOONEST_S = 4.0
"""...and sooner, but not before this, if it has stood twice as long as what was there before it had
been seen: the first pictures may show somebody."""
KNOWN_S = 60.0
"""What was seen for longer than this is not better known."""
FORGETS = 0.05
"""What was there before is known so many seconds less with each second."""
STEADY = 8.0
"""Somebody who stands still varies by up to so many levels..."""
STEADY_S = 1.0
"""...around a mean with this time constant."""
UNREST_S = 4.0
UNREST_PER_S = 1.0
"""A pixel that changes and changes back so often, lately, shows branches or water..."""
UNREST_LEARN_S = 2.0
"""...and how much they change it is learnt with this time constant."""
DARKEST = 12.0
"""Pixels below this say nothing of how the light changes."""
_SPARSE = 3
"""Every third pixel of every third row is enough for the median."""
_CUBE = np.ones((3, 3), np.uint8)
_WIDE = np.ones((5, 5), np.uint8)


class Background:
    """Two pictures for each pixel, as it is and as it was before that, a third that may become
    one, and the variance of its noise. `light` is a picture of brightness (`plane`)."""

    def __init__(self, light: Plane) -> None:
        self.light = light
        self.now = light.copy()
        self._before = light.copy()
        self._known, self._known_before = np.zeros_like(light), np.zeros_like(light)
        self._candidate, self._stood = light.copy(), np.zeros_like(light)
        self.noise: Plane = np.ones_like(light)
        self._unrest = np.zeros_like(light)
        self._changed: Mask = np.zeros(light.shape, np.bool_)
        self._away = np.zeros_like(light)
        self._as_before: Mask = np.zeros(light.shape, np.bool_)
        self._looks = 0

    def follow(self, light: Plane) -> float:
        """Take up how the light of the whole picture has changed since the last one.

        Returns by which factor, either way, as a natural logarithm.
        """
        last, now = self.light[::_SPARSE, ::_SPARSE], light[::_SPARSE, ::_SPARSE]
        self.light = light
        seen = last > DARKEST
        if np.count_nonzero(seen) < 0.05 * seen.size:
            return 0.0
        gain = min(max(float(np.median(now[seen] / last[seen])), 0.1), 10.0)
        if abs(gain - 1.0) > 0.004:
            for known in (self.now, self._before, self._candidate):
                known *= np.float32(gain)
        return abs(math.log(gain))

    def apart(self, light: Plane, *, hidden: Mask, most: float) -> Plane:
        """How far each pixel's neighbourhood (3 x 3) is from what it shows or showed before,
        whatever is nearer, in levels.

        What changes slowly across the picture, such as the shadow of a cloud, is left out: the
        mean over a third of it, of differences up to `most`. `hidden` pixels show nothing.
        """
        import cv2

        away = cv2.subtract(light, cv2.min(self.now, 255.0))
        before = cv2.subtract(light, cv2.min(self._before, 255.0))
        self._as_before = (np.abs(before) < np.abs(away)) & (self._known_before > 0)
        self._away = np.abs(away)
        nearer = np.where(self._as_before, before, away)
        # What was seen there before a mask was drawn is followed by darkness: no motion either.
        nearer[hidden] = 0.0
        nearer = cv2.blur(nearer, (3, 3))
        height, width = nearer.shape
        slow = cv2.blur(np.clip(nearer, -most, most), (width // 3 | 1, height // 3 | 1))
        return cast("Plane", np.abs(nearer - slow))

    def limit(self, floor: float, factor: float) -> Plane:
        """What each pixel must be apart: `floor` levels, and `factor` times its noise."""
        import cv2

        limit = cv2.max(cv2.sqrt(self.noise) * np.float32(factor), floor)
        return cast("Plane", cv2.dilate(limit, _CUBE))

    def restart(self, light: Plane) -> None:
        """Everything has changed: that is how it looks now, and may look as before again."""
        self._before, self._known_before = self.now, self._known
        self.now, self._known = light.copy(), np.zeros_like(light)
        self._candidate, self._stood = light.copy(), np.zeros_like(light)
        self._changed = np.zeros(light.shape, np.bool_)

    def learn(
        self, apart: Plane, limit: Plane, changed: Mask, moving: Mask, passed_s: float
    ) -> None:
        """Learn from the picture that was followed last.

        `changed` is where it is apart, `moving` the part of it that counts as motion; the last one
        was `passed_s` seconds ago.
        """
        import cv2

        self._looks += 1
        near = cv2.dilate(moving.view(np.uint8), _WIDE).view(np.bool_)
        quiet = ~near
        back = self._as_before & (self._away > limit) & quiet
        if back.any():
            _swap(self.now, self._before, back)
            _swap(self._known, self._known_before, back)
        _mix(self.now, self.light, _rate(passed_s, BACKGROUND_S), quiet)
        self._known = cv2.min(self._known + quiet * np.float32(passed_s), KNOWN_S)
        self._known_before = cv2.max(self._known_before - FORGETS * passed_s, 0.0)
        self._learn_noise(apart, limit, changed, quiet, passed_s)
        self._absorb(limit, near, passed_s)

    def _learn_noise(
        self, apart: Plane, limit: Plane, changed: Mask, quiet: Mask, passed_s: float
    ) -> None:
        import cv2

        # At first faster: the mean of what there was.
        rate = max(_rate(passed_s, NOISE_S), 1.0 / (self._looks + 3))
        bounded = cv2.min(apart, 2.0 * limit)
        _mix(self.noise, bounded * bounded, rate, quiet)
        flips = (changed ^ self._changed) * np.float32(1.0 / passed_s)
        self._changed = changed
        cv2.accumulateWeighted(flips, self._unrest, _rate(passed_s, UNREST_S))
        restless = (cv2.blur(self._unrest, (5, 5)) > UNREST_PER_S) & ~quiet
        if restless.any():
            _mix(self.noise, apart * apart, _rate(passed_s, UNREST_LEARN_S), restless)

    def _absorb(self, limit: Plane, near: Mask, passed_s: float) -> None:
        """Make what has stood still for long the background, and that what was there before."""
        import cv2

        if not near.any():
            self._stood.fill(0.0)
            return
        varies = np.abs(cv2.blur(self.light - self._candidate, (3, 3)))
        stays = near & (varies < cv2.max(limit, STEADY))
        # A raindrop that passes does not undo all of it.
        stood = self._stood + np.where(stays, passed_s, -2.0 * passed_s).astype(np.float32)
        stood[~near] = 0.0
        new = stood <= 0.0
        stood[new] = 0.0
        self._stood = stood
        np.copyto(self._candidate, self.light, where=new)
        _mix(self._candidate, self.light, _rate(passed_s, STEADY_S), stays)
        # Of neighbours together: pixels that change sides alone would be seen as motion.
        long = np.clip(2.0 * self._known, ABSORB_SOONEST_S, ABSORB_S)
        ripe = cv2.blur(stood, (3, 3)) > long
        if ripe.any():
            better = ripe & (self._known > 2.0 * self._known_before)
            np.copyto(self._before, self.now, where=better)
            np.copyto(self._known_before, self._known, where=better)
            np.copyto(self.now, self._candidate, where=ripe)
            np.copyto(self._known, stood, where=ripe)


def plane(luma: Luma) -> Plane:
    """Brightness that can be calculated with."""
    return luma.astype(np.float32)


def _rate(passed_s: float, constant_s: float) -> float:
    """The share of what is new after `passed_s` seconds, in an exponential mean."""
    return 1.0 - math.exp(-passed_s / constant_s)


def _mix(mean: Plane, new: Plane, rate: float, where: Mask) -> None:
    import cv2

    cv2.accumulateWeighted(new, mean, rate, where.view(np.uint8))


def _swap(one: Plane, other: Plane, where: Mask) -> None:
    one[where], other[where] = other[where], one[where]
