"""The tracks of the run before a restart, which go on if they are found again where they were."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.continuity import RESUME_WITHIN_S
from pipeline.geometry import iou
from pipeline.protocols import JsonObject
from pipeline.tracking.families import family
from pipeline.tracking.life import Life
from pipeline.types import Box

RESUME_IOU = 0.3
REACH = 1.0
"""A new track this many box heights from the foot of one that was lost may be it..."""
REACH_SPEED = 0.5
"""...and so many more for each second that has passed (a walk is about 0.8 heights a second)..."""
REACH_MOST = 3.0
"""...but never more than so many."""


def in_reach(last: Box, box: Box, gap_s: float) -> float | None:
    """How far apart the feet of two boxes are, in box heights; None where it is too far for one
    thing within `gap_s` seconds."""
    height = max(last.height, box.height, 1.0)
    distance = math.dist(last.foot, box.foot) / height
    return distance if distance <= min(REACH + REACH_SPEED * gap_s, REACH_MOST) else None


@dataclass(slots=True)
class Past:
    """Those that have not been found again yet."""

    tracks: list[JsonObject] = field(default_factory=list)
    """As `Life.state` has them."""
    age_s: float = 0.0
    ended: float = math.nan
    """When, in this run's time, the last update of the run before was."""

    def resume(self, new: Mapping[int, tuple[str, Box]], now: float) -> dict[int, Life]:
        """Which of the new tracks (family, box) are which of the old ones; the nearest first."""
        if not self.tracks:
            return {}
        if math.isnan(self.ended):
            self.ended = now - self.age_s
        self.tracks = [old for old in self.tracks if self._gap(old, now) <= RESUME_WITHIN_S]
        pairs = sorted(
            (distance, key, index)
            for key, (kind, box) in new.items()
            for index, old in enumerate(self.tracks)
            if kind == family(next(iter(old["votes"])))
            and (distance := self._distance(old, box, now)) is not None
        )
        taken: dict[int, int] = {}
        for _, key, index in pairs:
            if key not in taken and index not in taken.values():
                taken[key] = index
        resumed = {key: Life.resumed(self.tracks[i], self.ended) for key, i in taken.items()}
        self.tracks = [old for i, old in enumerate(self.tracks) if i not in taken.values()]
        return resumed

    def state(self, now: float) -> list[JsonObject]:
        """Those not found again, for one more restart; times as seconds before `now`."""
        passed = self.age_s if math.isnan(self.ended) else now - self.ended
        return [
            {
                **old,
                "first_seen_s": old["first_seen_s"] + passed,
                "last_seen_s": old["last_seen_s"] + passed,
                "anchored_s": old["anchored_s"] + passed,
                "path": [[point[0] + passed, *point[1:]] for point in old["path"]],
            }
            for old in self.tracks
        ]

    def _gap(self, old: JsonObject, now: float) -> float:
        return now - self.ended + float(old["last_seen_s"])

    def _distance(self, old: JsonObject, box: Box, now: float) -> float | None:
        """Between the feet, in box heights; None where the new one cannot be the old one."""
        last = Box(*old["box"])
        distance = in_reach(last, box, self._gap(old, now))
        if distance is None and iou(last, box) > RESUME_IOU:
            return math.dist(last.foot, box.foot) / max(last.height, box.height, 1.0)
        return distance
