"""What truly happens in a made scene, worked out from who is where at every moment: no detector, no
tracks, no rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import pairwise
from math import atan2, degrees, dist, hypot

from pipeline import config
from pipeline.bench.scenes.actors import LYING_ASLANT, Actor, Point
from pipeline.bench.scenes.scene import Scene
from pipeline.geometry import inside
from pipeline.schedule_config import within

STEP_S = 0.02
"""Moments are looked at in these steps; the beginning and end of what holds are then exact to...
"""
EXACT_S = 1e-4
FALLS_WITHIN_S = 2.0
"""Who takes longer to go down lies down."""
STANDS_BELOW = 0.1
"""Own heights a second below which nobody goes anywhere."""
AGAINST = 60.0
"""Degrees within which somebody goes the opposite way."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that a rule is to find: it holds from `begins` to `ends`, in seconds of the scene,
    and can be found from `due` on. `place` is the zone or the line."""

    rule: str
    who: tuple[str, ...]
    place: str | None
    begins: float
    ends: float
    due: float


Span = tuple[float, float]


def happenings(scene: Scene, rule: config.Rule) -> list[Happening]:
    """What the rule is to find in the scene, in order of time."""
    found = [
        Happening(rule.type, who, place, begins, ends, due)
        for who, place, begins, ends, due in _FINDERS[type(rule)](scene, rule)
    ]
    return sorted(found, key=lambda happening: (happening.due, happening.who))


def spells(holds: Callable[[float], bool], begins: float, ends: float) -> list[Span]:
    """When something holds between two moments."""
    steps = max(round((ends - begins) / STEP_S), 1)
    moments = [begins + (ends - begins) * step / steps for step in range(steps + 1)]
    held = [holds(moment) for moment in moments]
    found: list[Span] = []
    since = begins if held[0] else None
    for (before, after), (was, now) in zip(pairwise(moments), pairwise(held), strict=True):
        if was == now:
            continue
        changed = _change(holds, before, after)
        if now:
            since = changed
        elif since is not None:
            found.append((since, changed))
            since = None
    return [*found, (since, ends)] if since is not None else found


def _change(holds: Callable[[float], bool], before: float, after: float) -> float:
    """Where between two moments it begins or ends to hold."""
    was = holds(before)
    while after - before > EXACT_S:
        middle = (before + after) / 2
        before, after = (middle, after) if holds(middle) == was else (before, middle)
    return (before + after) / 2


def in_zone(scene: Scene, actor: Actor, zone: str | None, at: float) -> bool:
    """Whether somebody is there, with the foot in the zone; anywhere in the picture if None."""
    if not actor.there(at, scene.size):
        return False
    if zone is None:
        return True
    width, height = scene.size
    x, y = actor.box(at, scene.size).foot
    # A box that the picture's edge cuts off ends exactly on it, where no polygon reaches beyond.
    foot = min(max(x / width, 1e-3), 1 - 1e-3), min(max(y / height, 1e-3), 1 - 1e-3)
    return inside(foot, scene.zones[zone])


def stays(scene: Scene, actor: Actor, zone: str | None) -> list[Span]:
    """When somebody is in the zone."""
    ends = min(actor.ends, scene.seconds)
    return spells(lambda at: in_zone(scene, actor, zone, at), actor.begins, ends)


_Found = Iterator[tuple[tuple[str, ...], str | None, float, float, float]]


def _of_zone(scene: Scene, rule: config.ZoneRule) -> _Found:
    for actor in scene.labelled(rule.labels):
        known = stays(scene, actor, None)
        for begins, ends in stays(scene, actor, rule.zone):
            comes_in = any(first < begins <= last for first, last in known)
            goes_out = any(first <= ends < last for first, last in known)
            if rule.on == "inside":
                yield (actor.name,), rule.zone, begins, ends, begins
            elif rule.on == "enter" and comes_in:
                yield (actor.name,), rule.zone, begins, begins, begins
            elif rule.on == "leave" and goes_out:
                yield (actor.name,), rule.zone, ends, ends, ends


def _of_line(scene: Scene, rule: config.LineRule) -> _Found:
    points = scene.lines[rule.line]
    for actor in scene.labelled(rule.labels):
        for at, direction in crossings(scene, actor, points):
            if rule.direction in ("both", direction):
                yield (actor.name,), rule.line, at, at, at


def crossings(scene: Scene, actor: Actor, line: Sequence[Point]) -> list[tuple[float, str]]:
    """When somebody's foot crosses a line, and to which side of somebody who goes along it."""
    width, height = scene.size
    found = []
    for start, end in pairwise((x * width, y * height) for x, y in line):
        to_left = partial(_is_left, start, end, actor)
        spans = spells(to_left, actor.begins, min(actor.ends, scene.seconds))
        edges = [(at, "to_left") for at, _ in spans] + [(at, "to_right") for _, at in spans]
        for at, direction in edges:
            middle = actor.begins < at < min(actor.ends, scene.seconds)
            if middle and _beside(start, end, actor.foot(at)) and actor.there(at, scene.size):
                found.append((at, direction))
    return sorted(found)


def _is_left(a: Point, b: Point, actor: Actor, at: float) -> bool:
    """Whether somebody is to the left of one who goes from a to b; y goes down."""
    x, y = actor.foot(at)
    return (b[0] - a[0]) * (y - a[1]) < (b[1] - a[1]) * (x - a[0])


def _beside(a: Point, b: Point, point: Point) -> bool:
    """Whether a point lies beside the way from a to b, not before or behind it."""
    along = (point[0] - a[0]) * (b[0] - a[0]) + (point[1] - a[1]) * (b[1] - a[1])
    return 0 <= along <= dist(a, b) ** 2


def _of_loiter(scene: Scene, rule: config.LoiterRule) -> _Found:
    for actor in scene.labelled(rule.labels):
        for span in stays(scene, actor, rule.zone):
            yield from _lasting((actor.name,), rule.zone, span, rule.seconds)


def _of_crowd(scene: Scene, rule: config.CrowdRule) -> _Found:
    actors = scene.labelled(rule.labels)
    spans = [span for actor in actors for span in stays(scene, actor, rule.zone)]

    def many(at: float) -> int:
        return sum(begins <= at < ends for begins, ends in spans)

    def grows(at: float) -> bool:
        if rule.growing_by is None:
            return True
        # The number only changes where somebody comes or goes.
        earliest = max(at - rule.growing_s, 0.0)
        moments = [earliest, *(m for span in spans for m in span if earliest <= m <= at)]
        return many(at) - min(map(many, moments)) >= rule.growing_by

    for begins, ends in spells(lambda at: many(at) >= rule.count, 0.0, scene.seconds):
        growth = spells(grows, begins + rule.seconds, ends) if ends - begins >= rule.seconds else []
        if growth:
            due = growth[0][0]
            who = tuple(sorted(a.name for a in actors if in_zone(scene, a, rule.zone, due)))
            yield who, rule.zone, begins, ends, due


def _of_speed(scene: Scene, rule: config.SpeedRule) -> _Found:
    above = 1.4 if rule.above is None and rule.way is None else rule.above

    def found(actor: Actor, at: float) -> bool:
        right, down = actor.speed(at)
        speed = hypot(right, down)
        too_fast = above is None or speed > above
        against = rule.way is None or (speed > STANDS_BELOW and _against(rule.way, right, down))
        return too_fast and against and in_zone(scene, actor, rule.zone, at)

    for actor in scene.labelled(rule.labels):
        ends = min(actor.ends, scene.seconds)
        for span in spells(partial(found, actor), actor.begins, ends):
            yield from _lasting((actor.name,), rule.zone, span, rule.seconds)


def _against(way: float, right: float, down: float) -> bool:
    heading = degrees(atan2(right, -down))
    return abs((heading - way) % 360 - 180) <= AGAINST


def _of_fall(scene: Scene, rule: config.FallRule) -> _Found:
    for actor in scene.labelled(rule.labels):
        down: float | None = None
        for before, after in pairwise(actor.poses):
            low = after.shape.height <= LYING_ASLANT.height
            if down is None and low and after.time - before.time <= FALLS_WITHIN_S:
                # From the middle of the fall on more down than up.
                down = (before.time + after.time) / 2
            elif down is not None and not low:
                yield from _lasting((actor.name,), rule.zone, (down, before.time), rule.seconds)
                down = None
        if down is not None:
            yield from _lasting((actor.name,), rule.zone, (down, actor.ends), rule.seconds)


def _of_abandoned(scene: Scene, rule: config.AbandonedRule) -> _Found:
    people = scene.labelled(("person",))

    def alone(thing: Actor, at: float) -> bool:
        still = hypot(*thing.speed(at)) < STANDS_BELOW
        if not still or not in_zone(scene, thing, rule.zone, at):
            return False
        return not any(
            who.there(at, scene.size)
            and dist(who.foot(at), thing.foot(at)) <= rule.near * who.tall(at)
            for who in people
        )

    for thing in scene.labelled(rule.labels):
        ends = min(thing.ends, scene.seconds)
        for span in spells(partial(alone, thing), thing.begins, ends):
            yield from _lasting((thing.name,), rule.zone, span, rule.seconds)


def _of_presence(scene: Scene, rule: config.PresenceRule) -> _Found:
    def closed(actor: Actor, at: float) -> bool:
        moment = scene.begins + timedelta(seconds=at)
        return in_zone(scene, actor, rule.zone, at) and not within(rule.open, moment)

    for actor in scene.labelled(rule.labels):
        ends = min(actor.ends, scene.seconds)
        for span in spells(partial(closed, actor), actor.begins, ends):
            yield from _lasting((actor.name,), rule.zone, span, 0.0)


def _of_novelty(scene: Scene, rule: config.NoveltyRule) -> _Found:
    for name in scene.unusual:
        for span in stays(scene, scene.named[name], rule.zone):
            yield from _lasting((name,), rule.zone, span, 0.0)


def _lasting(who: tuple[str, ...], place: str | None, span: Span, seconds: float) -> _Found:
    """What has to last for so long before it counts."""
    begins, ends = span
    if ends - begins >= seconds:
        yield who, place, begins, ends, begins + seconds


_FINDERS: Mapping[type[config.RuleBase], Callable[..., _Found]] = {
    config.ZoneRule: _of_zone,
    config.LineRule: _of_line,
    config.LoiterRule: _of_loiter,
    config.CrowdRule: _of_crowd,
    config.SpeedRule: _of_speed,
    config.FallRule: _of_fall,
    config.AbandonedRule: _of_abandoned,
    config.PresenceRule: _of_presence,
    config.NoveltyRule: _of_novelty,
}
