"""One track as it grows, and what it knows of itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.protocols import JsonObject
from pipeline.tracking.moving import moved, shift
from pipeline.types import Box, Detection, PathPoint, Size, Track

PATH_POINTS = 64
STILL_AFTER_S = 2.0
"""A track is stationary once it has kept to one place for so long."""
VELOCITY_S = 1.0
"""A velocity is that over so many seconds..."""
VELOCITY_LEAST_S = 0.35
"""...and unknown before it has been seen for so long: at five looks a second, at the third."""


@dataclass(slots=True)
class Life:
    """One track. `anchor` is its box where it has kept to one place since `anchored`."""

    id: int
    first_seen: float
    anchor: Box
    anchored: float
    votes: dict[str, float] = field(default_factory=dict)
    path: deque[PathPoint] = field(default_factory=lambda: deque(maxlen=PATH_POINTS))
    dwell: Mapping[str, float] = field(default_factory=dict)
    inside: frozenset[str] = frozenset()
    """The zones it was in at its last look."""
    track: Track | None = None
    _recent: deque[tuple[float, Box]] = field(default_factory=deque)
    _off: bool = False
    """Whether it was off its place at the last look: twice in a row, and it has left it."""

    def see(
        self, detection: Detection, now: float, size: Size, inside: frozenset[str] = frozenset()
    ) -> Track:
        """Its newest look, in a picture of `size`; `inside` are the zones it stands in."""
        box = detection.box
        self.votes[detection.label] = self.votes.get(detection.label, 0.0) + detection.confidence
        self.path.append(PathPoint(now, *box.foot))
        self._count(inside, now)
        self._settle(box, now, size)
        self.track = Track(
            id=self.id,
            label=max(self.votes, key=self.votes.__getitem__),
            detection=detection,
            first_seen=self.first_seen,
            last_seen=now,
            path=tuple(self.path),
            stationary_since=self.anchored if now - self.anchored >= STILL_AFTER_S else None,
            velocity=self._velocity(box, now, size),
            dwell=self.dwell,
        )
        return self.track

    def found_again(self, box: Box, now: float) -> None:
        """It was lost for a while: what lies between was no stay in a zone, and no standing."""
        self.inside, self.anchor, self.anchored, self._off = frozenset(), box, now, False
        self._recent.clear()

    def _count(self, inside: frozenset[str], now: float) -> None:
        """Add up the stays: in a zone in which it was at the last look, it was in between."""
        if inside:
            since = self.track.last_seen if self.track else now
            stayed = {
                zone: self.dwell.get(zone, 0.0) + (now - since if zone in self.inside else 0.0)
                for zone in sorted(inside)
            }
            self.dwell = {**self.dwell, **stayed}
        self.inside = inside

    def _settle(self, box: Box, now: float, size: Size) -> None:
        off = moved(self.anchor, box, size)
        if off and self._off:
            self.anchor, self.anchored, off = box, now, False
        self._off = off

    def _velocity(self, box: Box, now: float, size: Size) -> tuple[float, float]:
        recent = self._recent
        recent.append((now, box))
        while len(recent) > 2 and now - recent[1][0] >= VELOCITY_S:
            recent.popleft()
        since, earlier = recent[0]
        if now - since < VELOCITY_LEAST_S:
            return (0.0, 0.0)
        right, down = shift(earlier, box, size)
        scale = max((earlier.height + box.height) / 2, 1.0) * (now - since)
        return (right / scale, down / scale)

    def state(self, now: float) -> JsonObject:
        """As JSON; times as seconds before `now`."""
        assert self.track is not None
        return {
            "id": self.id,
            "votes": self.votes,
            "box": rounded(self.track.detection.box),
            "first_seen_s": round(now - self.first_seen, 3),
            "last_seen_s": round(now - self.track.last_seen, 3),
            "anchor": rounded(self.anchor),
            "anchored_s": round(now - self.anchored, 3),
            "path": [_before(point, now) for point in self.path],
            "dwell": {zone: round(seconds, 3) for zone, seconds in self.dwell.items()},
        }

    @classmethod
    def resumed(cls, state: JsonObject, ended: float) -> Life:
        """A life from its `state`; `ended` is when, in this run's time, its last update was."""
        points = (_after(point, ended) for point in state["path"])
        return cls(
            id=state["id"],
            first_seen=ended - state["first_seen_s"],
            anchor=Box(*state["anchor"]),
            anchored=ended - state["anchored_s"],
            votes=dict(state["votes"]),
            path=deque(points, maxlen=PATH_POINTS),
            dwell=dict(state["dwell"]),
        )


def rounded(values: Iterable[float]) -> list[float]:
    return [round(value, 1) for value in values]


def _before(point: PathPoint, now: float) -> tuple[float, float, float]:
    return round(now - point.monotonic, 3), round(point.x, 1), round(point.y, 1)


def _after(point: Sequence[float], ended: float) -> PathPoint:
    return PathPoint(ended - point[0], point[1], point[2])
