"""Things that may be left behind, and who is near them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.continuity import RESUME_WITHIN_S
from pipeline.protocols import JsonObject
from pipeline.types import Box, Detection, Track

MOST_VISITS = 20
"""So many who are near, or who minded it, are known of a thing."""


class Person(NamedTuple):
    """Where somebody was at `at`, `monotonic`: the foot, and the height in pixels."""

    at: float
    id: int
    x: float
    y: float
    height: float

    def near(self, box: Box, heights: float) -> bool:
        """Whether the foot of a box is within so many of the person's heights."""
        return math.dist((self.x, self.y), box.foot) <= heights * self.height


@dataclass(slots=True)
class Visit:
    """Somebody is near a thing, or was a moment ago; times are `monotonic` seconds."""

    began: float
    last: float
    minds: bool = False


@dataclass(slots=True)
class Thing:
    """Something that stands there; times are `monotonic` seconds."""

    track: Track
    box: Box
    """Where it was put down."""
    brought: bool
    alone_since: float
    seen: float
    off: bool = False
    """Whether it was elsewhere at its last look: twice in a row, and it was moved."""
    told: float | None = None
    """Since when it is told of."""
    over: bool = False
    """All of it was told."""
    visits: dict[int, Visit] = field(default_factory=dict)
    """By track of the person."""
    until: float = 0.0
    """Not forgotten before, even when unseen."""

    def apart(self, box: Box) -> float:
        """How far from it a box stands, in its lengths."""
        return math.dist(self.box.foot, box.foot) / max(self.box.width, self.box.height, 1.0)

    def minded(self, now: float) -> None:
        """The clock begins anew."""
        self.alone_since, self.told, self.over = now, None, False

    def visit(self, who: int, now: float, gap_s: float, passing_s: float) -> None:
        """Somebody is near."""
        visit = self.visits.get(who)
        if visit is None:
            visit = self.visits[who] = Visit(now, now)
        visit.last = now
        joins = now - self.alone_since <= gap_s
        visit.minds = visit.minds or joins or now - visit.began >= passing_s
        if visit.minds:
            self.minded(now)

    def forget(self, now: float, gap_s: float) -> None:
        """Those who have passed, and of those who minded it all but the last ones."""
        if not self.visits:
            return
        kept = [(w, v) for w, v in self.visits.items() if v.minds or now - v.last <= gap_s]
        self.visits = dict(sorted(kept, key=lambda pair: pair[1].last)[-MOST_VISITS:])

    def state(self, now: float) -> JsonObject:
        """As JSON; times as seconds before `now`."""
        track = self.track
        return {
            "id": track.id,
            "label": track.label,
            "confidence": round(track.detection.confidence, 4),
            "first_seen_s": round(now - track.first_seen, 3),
            "at": [round(value, 1) for value in track.detection.box],
            "box": [round(value, 1) for value in self.box],
            "brought": self.brought,
            "alone_s": round(now - self.alone_since, 3),
            "seen_s": round(now - self.seen, 3),
            "told_s": None if self.told is None else round(now - self.told, 3),
            "over": self.over,
            "visits": {
                str(who): [round(now - visit.began, 3), round(now - visit.last, 3), visit.minds]
                for who, visit in self.visits.items()
            },
        }

    @classmethod
    def resumed(cls, saved: JsonObject, now: float) -> Thing:
        """From its `state`."""
        seen, first_seen = now - saved["seen_s"], now - saved["first_seen_s"]
        detection = Detection(saved["label"], saved["confidence"], Box(*saved["at"]))
        return cls(
            track=Track(saved["id"], saved["label"], detection, first_seen, last_seen=seen),
            box=Box(*saved["box"]),
            brought=saved["brought"],
            alone_since=now - saved["alone_s"],
            seen=seen,
            told=None if saved["told_s"] is None else now - saved["told_s"],
            over=saved["over"],
            visits={
                int(who): Visit(now - began_s, now - last_s, minds)
                for who, (began_s, last_s, minds) in saved["visits"].items()
            },
            until=now + RESUME_WITHIN_S,
        )
