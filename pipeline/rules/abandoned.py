"""A thing was left behind: it stands there, and nobody is near it.

Only what was brought counts: somebody was near when it was first seen, or when it was moved; what
was there at the first look is furniture. The clock runs from when those who mind it were last near:
who was near when it was put down, who joined them there, and who has been near for longer than it
takes to walk past. Who walks past does not stop the clock, or nothing would ever be alone in a busy
hall; but while somebody is near who may be the owner, the rule waits for so long.

It goes on with settled tracks, of the things that it saw being brought: the owner may stand beside
a bag until it is part of the place, and leave it then. A thing is told of once, until somebody
minds it or moves it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence

from pipeline.config import AbandonedRule
from pipeline.continuity import patient
from pipeline.protocols import JsonObject
from pipeline.rules.outline import Outline
from pipeline.rules.things import Person, Thing, Visit
from pipeline.types import Finding, Size, Track, View, Zone
from pipeline.wording import article, clock, duration, place, sentence

PERSON = "person"
STROLL = 0.6
"""Own heights a second of somebody who walks slowly."""
BROUGHT_S = 10.0
"""A thing may be found for the first time so long after somebody was near: small ones are found
late, when nobody hides them any more."""
FIRST_LOOK_S = 5.0
"""What is found so soon after the first look was there before: not all is found at once."""
REACH = 0.5
"""What is farther from where it stood, in lengths of its longer side, was moved; what is found anew
within it is the same thing."""
GAP_S = 2.0
"""Who is not found near for less than this, or than two looks, has not gone."""
UNSEEN_S = 60.0
"""What is not found for so long is gone: detectors miss small things in many looks."""
VANISHED_S = 10.0
"""Of what is not found for so long nothing is told any more..."""
TOLD_S = 600.0
"""...nor of what has been told of for so long."""
APART_S = 0.5
"""So far apart are the moments of which it is kept where people were."""


class Abandoned:
    """Holds for each thing that was left alone for the configured time, until somebody minds it, it
    vanishes, or it was told of for `TOLD_S`.

    Strength is 0.5 at the limit and rises evenly to 1 at twice the limit.
    """

    def __init__(self, key: str, config: AbandonedRule, zone: Zone | None) -> None:
        self._key = key
        self._limit_s = config.seconds
        self._near = config.near
        self._passing_s = 2 * config.near / STROLL
        self._question = config.question
        self._labels = frozenset(config.labels)
        self._zone = zone
        self._outline = Outline(zone)
        self._things: list[Thing] = []
        self._people: deque[Person] = deque()
        self._now = self._first_look_until = -math.inf
        self._size: Size | None = None
        self._restored: JsonObject | None = None

    def update(self, view: View) -> list[Finding]:
        """One finding for each thing that was left alone, seen in this view or not."""
        now, before = view.monotonic, self._now
        self._now = now
        if now - before > patient(FIRST_LOOK_S, view.period_s):
            self._first_look_until = now + FIRST_LOOK_S
        if self._restored is not None:
            self._resume(self._restored)
        if view.broken_off:
            self._break_off(view.size)
        self._size = view.size
        people = [
            Person(now, track.id, *track.detection.box.foot, track.detection.box.height)
            for track in view.tracks
            if track.label == PERSON
        ]
        lately = [*self._people, *people]
        self._see([track for track in view.tracks if track.label in self._labels], lately)
        gap_s = patient(GAP_S, view.period_s)
        for thing in self._things:
            for person in people:
                if thing.brought and person.near(thing.box, self._near):
                    thing.visit(person.id, now, gap_s, self._passing_s)
        self._forget(people, gap_s)
        return [self._finding(view, thing) for thing in self._things if self._left(thing, view)]

    def state(self) -> JsonObject:
        """As JSON; times as seconds before the last view."""
        if self._restored is not None:
            return self._restored
        return {"things": [thing.state(self._now) for thing in self._things]}

    def restore(self, state: JsonObject) -> None:
        """Take over what `state` gave; the time between the runs counts as no time."""
        self._restored = state

    def _resume(self, state: JsonObject) -> None:
        self._restored = None
        self._things += [Thing.resumed(saved, self._now) for saved in state["things"]]

    def _break_off(self, size: Size) -> None:
        """What was told of is not told of again; in a picture of another size nobody knows what
        stood where."""
        for thing in self._things:
            thing.over = thing.over or thing.told is not None
        if size != self._size:
            self._things = []
            self._people.clear()
            self._first_look_until = self._now + FIRST_LOOK_S

    def _see(self, tracks: Sequence[Track], lately: Iterable[Person]) -> None:
        """Which thing each track is: by its id, or else the nearest that is not found elsewhere."""
        by_id = {thing.track.id: thing for thing in self._things}
        new = []
        for track in tracks:
            known = by_id.get(track.id)
            if known is None:
                new.append(track)
            else:
                self._found(known, track, lately)
        for track in new:
            box = track.detection.box
            near = [
                (thing.apart(box), index)
                for index, thing in enumerate(self._things)
                if thing.seen < self._now and thing.apart(box) <= REACH
            ]
            if near:
                self._found(self._things[min(near)[1]], track, lately)
            else:
                self._begin(track, lately)

    def _begin(self, track: Track, lately: Iterable[Person]) -> None:
        fresh = not track.settled and self._now >= self._first_look_until
        thing = Thing(track, track.detection.box, False, self._now, self._now)
        self._things.append(thing)
        if fresh:
            self._bring(thing, lately)
        if thing.brought:
            thing.alone_since = max(visit.last for visit in thing.visits.values())

    def _found(self, thing: Thing, track: Track, lately: Iterable[Person]) -> None:
        thing.track, thing.seen = track, self._now
        off = thing.apart(track.detection.box) > REACH
        if off and thing.off:
            off = False
            thing.box = track.detection.box
            thing.minded(self._now)
            self._bring(thing, lately)
        thing.off = off

    def _bring(self, thing: Thing, lately: Iterable[Person]) -> None:
        """Who is, or was lately, where it is put down has brought it and minds it."""
        for person in lately:
            if person.near(thing.box, self._near):
                thing.brought = True
                thing.visits[person.id] = Visit(person.at, person.at, minds=True)

    def _left(self, thing: Thing, view: View) -> bool:
        """Whether it is to be told of now."""
        now = self._now
        if not thing.brought or thing.over:
            return False
        if not self._outline.holds(thing.box, view.size, stays=thing.told is not None):
            return False
        if thing.told is None:
            alone_s = now - thing.alone_since
            waits = thing.visits and alone_s < self._limit_s + self._passing_s
            somebody = waits and any(visit.last == now for visit in thing.visits.values())
            if alone_s < self._limit_s or somebody or thing.seen < now:
                return False
            thing.told = now
        patience_s = patient(VANISHED_S, view.period_s)
        thing.over = now - thing.seen > patience_s or now - thing.told > TOLD_S
        return not thing.over

    def _forget(self, people: Iterable[Person], gap_s: float) -> None:
        now = self._now
        self._things = [
            thing for thing in self._things if now - thing.seen <= UNSEEN_S or now < thing.until
        ]
        for thing in self._things:
            thing.forget(now, gap_s)
        while self._people and now - self._people[0].at > BROUGHT_S:
            self._people.popleft()
        if not self._people or now - self._people[-1].at >= APART_S:
            self._people.extend(people)

    def _finding(self, view: View, thing: Thing) -> Finding:
        where = place(self._zone.name if self._zone else view.camera_name)
        what = article(thing.track.label)
        alone_s = self._now - thing.alone_since
        stay = f"{duration(alone_s)} (limit {duration(self._limit_s)})"
        return Finding(
            rule=self._key,
            tracks=(thing.track,),
            zone=self._zone.key if self._zone else None,
            started=thing.alone_since,
            rule_reason=sentence(
                f"{what} has been alone {where} for {stay}, {clock(view.captured_at)}"
            ),
            strength=min(alone_s / (2 * self._limit_s), 1.0),
            evidence={
                "alone_s": alone_s,
                "limit_s": self._limit_s,
                "unseen_s": self._now - thing.seen,
                "confidence": thing.track.detection.confidence,
            },
            question=self._question or f"Has {what} been left {where} with nobody near it?",
        )
