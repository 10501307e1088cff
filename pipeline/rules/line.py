"""Something crosses a line."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise, takewhile
from typing import NamedTuple

from pipeline.config import LineRule
from pipeline.continuity import RESUME_WITHIN_S
from pipeline.geometry import Point, crossing, line_distance
from pipeline.protocols import JsonObject
from pipeline.rules.outline import Outline
from pipeline.rules.stays import CERTAIN_LOOKS, CERTAIN_S
from pipeline.types import Box, Finding, Line, PathPoint, Size, Track, View, Zone
from pipeline.wording import article, clock, sentence

HOLD_S = 2.0
"""A crossing is told of for so long: one look is easily missed."""
BEYOND = 0.1
"""Whose foot is so many box heights away from the line does not just tremble on it."""


class _Step(NamedTuple):
    """From one side to the other: at a time, in a direction (1 to the left of somebody who goes
    along the line, -1 to the right), and towards which side of the picture."""

    at: float
    way: int
    towards: str


@dataclass(slots=True)
class _Walker:
    """Times are `monotonic` seconds."""

    foot: Point
    """Where it was last seen, in pixels, `last`."""
    last: float
    steps: int = 0
    """Crossings to the left less those to the right, since it was last known to be on a side."""
    step: _Step | None = None
    """The first of these."""
    since: float | None = None
    """Since when it is seen away from the line on the other side, if it is."""
    looks: int = 0
    crossed: _Step | None = None
    """Its last crossing that counts."""
    told: float = -math.inf
    """When that was certain."""
    track: Track | None = None
    until: float = 0.0
    """Not forgotten before."""


class Crossing:
    """Holds for `HOLD_S` for each track whose foot has crossed the line in a way that counts.

    The foot's way from look to look must cut the line, however far apart the looks are; going
    round its ends is no crossing. Whoever has crossed must then be seen away from the line as often
    as a stay must, or be lost there, so that trembling on it is none. Where the rule has a zone,
    the line must be crossed in it.

    Strength is 0.5 on the line and rises evenly to 1 at one box height beyond it.
    """

    def __init__(self, key: str, config: LineRule, line: Line, zone: Zone | None) -> None:
        self._key = key
        self._ways = {"both": (1, -1), "to_left": (1,), "to_right": (-1,)}[config.direction]
        self._labels = frozenset(config.labels)
        self._question = config.question
        self._line, self._zone = line, zone
        self._outline = Outline(zone)
        self._size: Size | None = None
        self._points: list[Point] = []
        self._walkers: dict[int, _Walker] = {}
        self._now = 0.0
        self._restored: JsonObject | None = None

    def update(self, view: View) -> list[Finding]:
        """One finding for each track that has crossed lately."""
        self._now = now = view.monotonic
        if self._restored is not None:
            self._resume(self._restored)
        if view.broken_off:
            self._walkers.clear()
        if view.size != self._size:
            width, height = self._size = view.size
            self._points = [(x * width, y * height) for x, y in self._line.points]
        for track in view.tracks:
            if track.label in self._labels and not track.settled:
                self._see(view, track)
        for track in view.lost:
            walker = self._walkers.get(track.id)
            if walker is not None and walker.since is not None:
                self._cross(walker)
        self._walkers = {
            number: walker
            for number, walker in self._walkers.items()
            if now - walker.last < RESUME_WITHIN_S or now < walker.until
        }
        return [
            self._finding(view, walker.track, walker.crossed)
            for walker in self._walkers.values()
            if walker.crossed is not None and walker.track and now - walker.told < HOLD_S
        ]

    def state(self) -> JsonObject:
        """As JSON, by track id; times as seconds before the last view."""
        return {str(number): _saved(walker, self._now) for number, walker in self._walkers.items()}

    def restore(self, state: JsonObject) -> None:
        """Take over what `state` gave; the time between the runs counts as no time."""
        self._restored = state

    def _resume(self, state: JsonObject) -> None:
        self._restored = None
        for number, saved in state.items():
            self._walkers[int(number)] = _resumed(saved, self._now)

    def _see(self, view: View, track: Track) -> None:
        box, now = track.detection.box, self._now
        path = track.path or (PathPoint(now, *box.foot),)
        walker = self._walkers.get(track.id)
        if walker is None:
            # It was somewhere before the first look that rules see.
            walker = _Walker((path[0].x, path[0].y), path[0].monotonic)
            self._walkers[track.id] = walker
        # More than one look, where it was settled meanwhile.
        new = [*takewhile(lambda point: point.monotonic > walker.last, reversed(path))]
        for at, x, y in reversed(new):
            self._walk(view.size, walker, (x, y), at)
        walker.track = track
        if line_distance(box.foot, self._points) < BEYOND * box.height:
            return
        if walker.steps == 0:
            walker.step, walker.since, walker.looks = None, None, 0
            return
        if walker.since is None:
            walker.since = now
        walker.looks += 1
        if walker.looks >= CERTAIN_LOOKS and now - walker.since >= CERTAIN_S:
            self._cross(walker)

    def _walk(self, size: Size, walker: _Walker, end: Point, now: float) -> None:
        """Count how often the way since the last look crosses the line."""
        start = walker.foot
        before = walker.steps
        for a, b in pairwise(self._points):
            met = crossing(a, b, start, end)
            if met is None:
                continue
            share, way = met
            x, y = (p + share * (q - p) for p, q in zip(start, end, strict=True))
            if not self._outline.holds(Box(x, y - 1, x, y), size):
                continue
            walker.steps += way
            if walker.step is None or walker.step.way * walker.steps <= 0:
                at = walker.last + share * (now - walker.last)
                walker.step = _Step(at, way, _towards(a, b, way))
        if walker.steps != before:
            walker.since, walker.looks = None, 0
        walker.foot, walker.last = end, now

    def _cross(self, walker: _Walker) -> None:
        step = walker.step
        walker.steps, walker.step, walker.since, walker.looks = 0, None, None, 0
        if step is not None and step.way in self._ways:
            walker.crossed, walker.told = step, self._now

    def _finding(self, view: View, track: Track, step: _Step) -> Finding:
        box, who, name = track.detection.box, article(track.label), self._line.name
        beyond = line_distance(box.foot, self._points) / max(box.height, 1.0)
        moment = view.captured_at - timedelta(seconds=self._now - step.at)
        return Finding(
            rule=self._key,
            tracks=(track,),
            zone=self._zone.key if self._zone else None,
            started=step.at,
            rule_reason=sentence(f"{who} crossed {name} {self._way(step)}, {clock(moment)}"),
            strength=0.5 + 0.5 * min(beyond, 1.0),
            evidence={
                "to_left": float(step.way > 0),
                "beyond_heights": beyond,
                "confidence": track.detection.confidence,
            },
            question=self._question or f"Is {who} crossing {name}, or just beyond it?",
        )

    def _way(self, step: _Step) -> str:
        """From where to where; in words for the picture where the sides have no names."""
        sides = self._line.right, self._line.left
        origin, goal = sides if step.way > 0 else sides[::-1]
        if origin and goal:
            return f"from {origin} to {goal}"
        if origin or goal:
            return f"to {goal}" if goal else f"from {origin}"
        return f"towards the {step.towards} of the picture"


def _towards(a: Point, b: Point, way: int) -> str:
    """Which side of the picture the left (1) or right (-1) of somebody who goes from a to b is."""
    right, down = way * (b[1] - a[1]), -way * (b[0] - a[0])
    if abs(right) >= abs(down):
        return "right" if right > 0 else "left"
    return "bottom" if down > 0 else "top"


def _saved(walker: _Walker, now: float) -> JsonObject:
    step = walker.step
    return {
        "foot": [round(value, 1) for value in walker.foot],
        "last_s": round(now - walker.last, 3),
        "steps": walker.steps,
        "step": None if step is None else [round(now - step.at, 3), step.way, step.towards],
        "since_s": None if walker.since is None else round(now - walker.since, 3),
        "looks": walker.looks,
    }


def _resumed(saved: JsonObject, now: float) -> _Walker:
    step, since_s = saved["step"], saved["since_s"]
    x, y = saved["foot"]
    return _Walker(
        foot=(x, y),
        last=now - saved["last_s"],
        steps=saved["steps"],
        step=None if step is None else _Step(now - step[0], step[1], step[2]),
        since=None if since_s is None else now - since_s,
        looks=saved["looks"],
        until=now + RESUME_WITHIN_S,
    )
