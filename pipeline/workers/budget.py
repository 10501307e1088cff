"""Sharing the detector out among the cameras of a process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from pipeline.config import Config
from pipeline.looking import Demand, fair_fps

BUSY_SHARE = 0.75
"""The detector is kept busy for so much of the time at most; the rest is for decoding, recording
and all else. (What a look costs is measured in use, so it rises with whatever else goes on.)"""


class Sharer(Protocol):
    """A camera, as far as it shares the detector."""

    @property
    def demand(self) -> Demand | None: ...

    def allow(self, fps: float | None) -> None: ...


class Budget:
    """What the cameras `keys` of this process may ask of a detector that works on `streams`
    pictures at once.

    The machine is divided among watch processes by their numbers of cameras, since none knows what
    the others want.
    """

    def __init__(self, config: Config, keys: Sequence[str], streams: int) -> None:
        enabled = sum(camera.enabled for camera in config.cameras.values())
        mine = len(keys) / enabled
        self._looks_per_s = config.detector.looks_per_s
        self._capacity = mine * (self._looks_per_s or streams * BUSY_SHARE)

    def share(self, cameras: Sequence[Sharer]) -> None:
        """Tell each camera how many looks a second it may have; called about twice a second."""
        demands = [demand for camera in cameras if (demand := camera.demand) is not None]
        if self._looks_per_s is not None:
            demands = [replace(demand, cost_s=1.0) for demand in demands]
        fps = fair_fps(demands, self._capacity)
        for camera in cameras:
            camera.allow(fps)
