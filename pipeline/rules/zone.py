"""Something is in a zone, comes into it or leaves it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta

from pipeline.config import ZoneRule
from pipeline.continuity import RESUME_WITHIN_S
from pipeline.geometry import Point, edge_distance, near_edge
from pipeline.protocols import JsonObject, Rule
from pipeline.rules.outline import Outline
from pipeline.rules.stays import CERTAIN_LOOKS, CERTAIN_S, Stay, Stays
from pipeline.types import Finding, Track, View, Zone
from pipeline.wording import article, clock, has_own_preposition, into, place, sentence

HOLD_S = 2.0
"""Somebody's coming or going is told of for so long: one look is easily missed."""
COMES = 1.0
"""Whoever is first seen so near to the picture's edge, in box heights for each second between two
looks, may have come in by it since the look before..."""
MOVED = 0.25
"""...and has, once so many box heights away from there."""


def zone_rule(key: str, config: ZoneRule, zone: Zone | None) -> Rule:
    """The rule for what `on` says."""
    return InZone(key, config, zone) if config.on == "inside" else Passing(key, config, zone)


class InZone:
    """Holds for each track of the rule's labels whose foot is in the zone, or in the picture.

    Strength is 0.5 on entering and rises evenly to 1 at `stays.FULL_STRENGTH_S` of presence.
    """

    def __init__(self, key: str, config: ZoneRule, zone: Zone | None) -> None:
        self._key = key
        self._question = config.question
        self._zone = zone
        self._stays = Stays(config.labels, zone)

    def update(self, view: View) -> list[Finding]:
        """One finding for each track that is inside in this view."""
        return [self._finding(view, *seen) for seen in self._stays.update(view)]

    def state(self) -> JsonObject:
        return self._stays.state()

    def restore(self, state: JsonObject) -> None:
        self._stays.restore(state)

    def _finding(self, view: View, track: Track, stay: Stay) -> Finding:
        where = place(self._zone.name if self._zone else view.camera_name)
        who = article(track.label)
        return Finding(
            rule=self._key,
            tracks=(track,),
            zone=self._zone.key if self._zone else None,
            started=stay.entered,
            rule_reason=sentence(f"{who} is {where}, {clock(view.captured_at)}"),
            strength=stay.strength,
            evidence={"inside_s": stay.dwell_s, "confidence": stay.confidence},
            question=self._question or f"Is {who} {where}?",
        )


@dataclass(slots=True)
class _Walker:
    """Times are `monotonic` seconds."""

    inside: bool
    """On which side it is known to be."""
    last: float
    """When it was last seen."""
    came: Point | None = None
    """Where its foot was when it came up at the picture's edge, until it has moved off."""
    since: float | None = None
    """Since when it is seen on the other side, if it is."""
    looks: int = 0
    passed: float | None = None
    """When it last passed the way that counts."""
    told: float = -math.inf
    """When that was certain."""
    track: Track | None = None
    until: float = 0.0
    """Not forgotten before."""


class Passing:
    """Holds for `HOLD_S` for each track that has come into the zone, or has left it.

    It has come in when it was seen outside before, or came into the picture by its edge; who comes
    up in the midst of the zone was there. It has left when it is seen outside, or is lost at the
    picture's edge while it moves; who is not found any more in the midst may be there still.
    Without a zone only the picture's edge counts. The other side must be seen as often as a stay
    must, and trembling on the edge passes nothing.

    Strength is 0.5 on the edge and rises evenly to 1 at one box height beyond it.
    """

    def __init__(self, key: str, config: ZoneRule, zone: Zone | None) -> None:
        self._key = key
        self._inward = config.on == "enter"
        self._labels = frozenset(config.labels)
        self._question = config.question
        self._zone = zone
        self._outline = Outline(zone)
        self._walkers: dict[int, _Walker] = {}
        self._now = 0.0
        self._restored: JsonObject | None = None

    def update(self, view: View) -> list[Finding]:
        """One finding for each track that has passed lately."""
        self._now = now = view.monotonic
        if self._restored is not None:
            self._resume(self._restored)
        if view.broken_off:
            self._walkers.clear()
        for track in view.tracks:
            if track.label in self._labels:
                (self._stand if track.settled else self._see)(view, track)
        for track in view.lost:
            self._lose(view, track)
        self._walkers = {
            number: walker
            for number, walker in self._walkers.items()
            if now - walker.last < RESUME_WITHIN_S or now < walker.until
        }
        return [
            self._finding(view, walker.track, walker.passed)
            for walker in self._walkers.values()
            if walker.passed is not None and walker.track and now - walker.told < HOLD_S
        ]

    def state(self) -> JsonObject:
        """As JSON, by track id; times as seconds before the last view."""
        return {
            str(number): {
                "inside": walker.inside,
                "last_s": round(self._now - walker.last, 3),
                "came": walker.came,
                "since_s": None if walker.since is None else round(self._now - walker.since, 3),
                "looks": walker.looks,
            }
            for number, walker in self._walkers.items()
        }

    def restore(self, state: JsonObject) -> None:
        """Take over what `state` gave; the time between the runs counts as no time."""
        self._restored = state

    def _resume(self, state: JsonObject) -> None:
        self._restored = None
        for number, saved in state.items():
            since_s, came = saved["since_s"], saved["came"]
            self._walkers[int(number)] = _Walker(
                inside=saved["inside"],
                last=self._now - saved["last_s"],
                came=None if came is None else (came[0], came[1]),
                since=None if since_s is None else self._now - since_s,
                looks=saved["looks"],
                until=self._now + RESUME_WITHIN_S,
            )

    def _see(self, view: View, track: Track) -> None:
        box, now = track.detection.box, self._now
        walker = self._walkers.get(track.id)
        if walker is None:
            walker = self._walkers[track.id] = self._begun(view, track)
        walker.track, walker.last = track, now
        inside = self._outline.holds(box, view.size, stays=walker.inside)
        if walker.came is not None:
            if math.dist(walker.came, box.foot) < MOVED * box.height:
                inside = False
            else:
                walker.came = None
        if inside == walker.inside:
            walker.since, walker.looks = None, 0
            return
        if walker.since is None:
            walker.since = now
        walker.looks += 1
        if walker.looks >= CERTAIN_LOOKS and now - walker.since >= CERTAIN_S:
            self._pass(walker, walker.since)

    def _stand(self, view: View, track: Track) -> None:
        """What is settled passes nothing; when it moves off, it leaves from where it stood."""
        walker = self._walkers.get(track.id)
        if walker is None:
            inside = self._outline.holds(track.detection.box, view.size)
            walker = self._walkers[track.id] = _Walker(inside, self._now)
        walker.last = self._now
        walker.came, walker.since, walker.looks = None, None, 0

    def _begun(self, view: View, track: Track) -> _Walker:
        box = track.detection.box
        inside = self._outline.holds(box, view.size)
        reach = COMES * view.period_s * box.height
        if inside and near_edge(box, view.size, reach):
            return _Walker(inside=False, last=self._now, came=box.foot)
        return _Walker(inside=inside, last=self._now)

    def _lose(self, view: View, track: Track) -> None:
        walker = self._walkers.get(track.id)
        stood = track.stationary_since is not None
        if walker and walker.inside and not stood and near_edge(track.detection.box, view.size):
            self._pass(walker, track.last_seen)

    def _pass(self, walker: _Walker, when: float) -> None:
        walker.inside = not walker.inside
        walker.since, walker.looks = None, 0
        if walker.inside == self._inward:
            walker.passed, walker.told = when, self._now

    def _finding(self, view: View, track: Track, passed: float) -> Finding:
        box, who = track.detection.box, article(track.label)
        polygon = self._outline.polygon(view.size)
        beyond = edge_distance(box.foot, polygon) / max(box.height, 1.0) if polygon else 0.0
        told, question = self._words(view, who)
        moment = view.captured_at - timedelta(seconds=self._now - passed)
        return Finding(
            rule=self._key,
            tracks=(track,),
            zone=self._zone.key if self._zone else None,
            started=passed,
            rule_reason=sentence(f"{told}, {clock(moment)}"),
            strength=0.5 + 0.5 * min(beyond, 1.0),
            evidence={"beyond_heights": beyond, "confidence": track.detection.confidence},
            question=self._question or question,
        )

    def _words(self, view: View, who: str) -> tuple[str, str]:
        """What is told, and what is asked."""
        if self._zone is None:
            where = place(view.camera_name)
            if self._inward:
                return f"{who} has come into the picture {where}", f"Is {who} {where}?"
            return f"{who} has left the picture {where}", f"Is {who} leaving {where}?"
        name = self._zone.name
        if self._inward:
            return f"{who} has come {into(name)}", f"Is {who} {place(name)}?"
        if has_own_preposition(name):
            return f"{who} that was {name} has left", f"Is {who} leaving?"
        return f"{who} has left {name}", f"Is {who} leaving {name}?"
