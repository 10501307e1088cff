"""Somebody goes down and stays down.

What going down is, is in `descent`. Staying is lying there for the configured time; a look in which
the person is not found changes nothing, since detectors find the lying far less surely than the
standing. Whom the detector loses on the way down, away from the edges by which people leave, and
who is not found again, counts as well.

Where the stream breaks off, what comes next may be another scene: nobody falls from the one into
the other, and who was lying must be seen lying again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field, replace

from pipeline.config import FallRule
from pipeline.continuity import RESUME_WITHIN_S, patient
from pipeline.protocols import JsonObject
from pipeline.rules.descent import (
    MEMORY_S,
    UP,
    Descent,
    Seen,
    gap,
    going_down,
    gone_down,
    lies,
    standing_height,
)
from pipeline.rules.outline import Outline
from pipeline.types import Box, Detection, Finding, Size, Track, View, Zone
from pipeline.wording import article, clock, duration, place, sentence

APART_S = 0.1
"""Looks that are nearer to each other than this are not all kept."""
MISSED_S = 1.0
"""Who was going down is lost when not found again for so long..."""
JOIN_S = 3.0
"""A new track may be somebody who was last seen so long ago, or who has fallen..."""
JOIN_REACH = 0.5
"""...if no more than so many box heights lie between their boxes."""
UNSEEN_S = 10.0
"""Who is down and not seen any more is taken to lie there for so long."""


@dataclass(slots=True)
class _Fall:
    """Times are `monotonic` seconds."""

    descent: Descent
    since: float
    """Lies there since then; or, who was lost on the way down, is not seen since then."""
    found: bool
    """Whether the person was seen lying."""
    down: bool = True
    """Whether the person was, in the last look that found anybody."""


@dataclass(slots=True)
class _Person:
    track: Track
    last: float
    """When it was last in a view, `monotonic`."""
    seen: deque[Seen] = field(default_factory=deque)
    here: bool = False
    """Whether the person stood, or lies, in the zone."""
    fall: _Fall | None = None
    tallest: float = 0.0
    """No standing height that may be asked for is larger, in pixels."""
    until: float = 0.0
    """Not forgotten before, even when unseen."""
    heir: int | None = None
    """The track that was taken for this person, who had fallen, since."""

    def remember(self, one: Seen) -> None:
        """Keep a new look as the newest."""
        if len(self.seen) > 1 and one.at - self.seen[-2].at < APART_S:
            self.seen.pop()
        self.seen.append(one)
        while self.seen[0].at < one.at - MEMORY_S:
            self.seen.popleft()
        self.tallest = max(self.tallest, standing_height(one.box))


class Falls:
    """Holds for each person who has gone down and stayed so for the configured time.

    Strength is 0.5 at that time and rises evenly to 1 at five times as long; of somebody who was
    lost on the way down it stays 0.5.
    """

    def __init__(self, key: str, config: FallRule, zone: Zone | None) -> None:
        self._key = key
        self._limit_s = config.seconds
        self._question = config.question
        self._labels = frozenset(config.labels)
        self._zone = zone
        self._outline = Outline(zone)
        self._people: dict[int, _Person] = {}
        self._now = 0.0
        self._size: Size | None = None
        self._restored: JsonObject | None = None

    def update(self, view: View) -> list[Finding]:
        """One finding for each person who is down in this view, seen or not."""
        before, self._now = self._now, view.monotonic
        if self._restored is not None:
            self._resume(self._restored)
        if view.broken_off:
            self._break_off(before, view.size, view.period_s)
        self._size = view.size
        for track in view.tracks:
            # Settled ones too: who has sat there for an hour may fall from the chair.
            if track.label in self._labels:
                self._see(view, track)
        missed_s = patient(MISSED_S, view.period_s)
        for person in self._people.values():
            if person.fall is None and self._now - person.last >= missed_s:
                descent = going_down(person.seen, view.size)
                if descent is not None:
                    person.fall = _Fall(descent, person.seen[-1].at, found=False)
        self._forget(view.period_s)
        return [
            self._finding(view, person, fall)
            for person in self._people.values()
            if (fall := person.fall) is not None
            and person.heir is None
            and person.here
            and fall.down
            and self._now - fall.since >= self._limit_s
        ]

    def state(self) -> JsonObject:
        """As JSON, by track id; times as seconds before the last view."""
        return {str(number): _saved(person, self._now) for number, person in self._people.items()}

    def restore(self, state: JsonObject) -> None:
        """Take over what `state` gave; the time between the runs counts as no time."""
        self._restored = state

    def _resume(self, state: JsonObject) -> None:
        self._restored = None
        for number, saved in state.items():
            self._people[int(number)] = _resumed(int(number), saved, self._now)

    def _break_off(self, before: float, size: Size, period_s: float) -> None:
        """Forget everybody but who was seen lying and was not told of by the last view, `before`.
        In a picture of another size nobody knows who lay where, nor does anybody after a long
        time."""
        self._forget(period_s)
        people, self._people = self._people, {}
        for number, person in people.items():
            fall = person.fall
            if fall is None or not fall.found or person.heir is not None or size != self._size:
                continue
            if before - fall.since < self._limit_s:
                fall.down = False
                self._people[number] = replace(person, seen=deque([person.seen[-1]]))

    def _see(self, view: View, track: Track) -> None:
        person = self._people.get(track.id) or self._joined(view, track)
        if person is not None and person.heir is not None:
            # Seen again: whoever came near meanwhile was another, such as one who helps.
            self._people.pop(person.heir, None)
            person.heir = None
        if person is None:
            person = self._people[track.id] = _Person(track, self._now)
        was, person.track, person.last = person.last, track, self._now
        box = track.detection.box
        if person.seen:
            at, before = person.seen[-1]
            # The very same box was not found anew: nothing moves, and it is taken to be there.
            if box == before:
                return
            if was > at:
                person.remember(Seen(was, before))
        person.remember(Seen(self._now, box))
        _judge(person, self._now, view.size)
        if person.fall is None or not person.here:
            person.here = self._outline.holds(box, view.size)

    def _joined(self, view: View, track: Track) -> _Person | None:
        """Whoever was lost near where this new track begins; from now on under its number, unless
        it is somebody who has fallen and is seen again under the old one."""
        there = {other.id for other in view.tracks}
        box = track.detection.box
        near = []
        for number, person in self._people.items():
            if number in there or person.heir is not None:
                continue
            if person.fall is None and self._now - person.last > JOIN_S:
                continue
            last = person.seen[-1].box
            height = max(last.height, box.height)
            if person.fall is not None:
                height = max(height, person.fall.descent.height)
            if gap(last, box) <= JOIN_REACH * height:
                near.append((gap(last, box), number))
        if not near:
            return None
        number = min(near)[1]
        person = self._people[number]
        if person.fall is None:
            del self._people[number]
        else:
            person.heir = track.id
            person = replace(person, seen=person.seen.copy(), fall=replace(person.fall), heir=None)
        self._people[track.id] = person
        return person

    def _forget(self, period_s: float) -> None:
        kept_s = patient(JOIN_S, period_s)
        fallen_s = max(self._limit_s + UNSEEN_S, kept_s)
        self._people = {
            number: person
            for number, person in self._people.items()
            if self._now - person.last <= (kept_s if person.fall is None else fallen_s)
            or self._now < person.until
        }

    def _finding(self, view: View, person: _Person, fall: _Fall) -> Finding:
        where = place(self._zone.name if self._zone else view.camera_name)
        who = article(person.track.label)
        box = person.track.detection.box
        down_s = self._now - fall.since
        told = f"{who} fell {where} and has been down for {duration(down_s)}"
        if not fall.found:
            told = f"{who} went down {where} and has not been seen for {duration(down_s)}"
        beyond = down_s / self._limit_s - 1 if fall.found and self._limit_s else 0.0
        return Finding(
            rule=self._key,
            tracks=(person.track,),
            zone=self._zone.key if self._zone else None,
            started=fall.descent.began,
            rule_reason=sentence(f"{told}, {clock(view.captured_at)}"),
            strength=0.5 + 0.125 * min(beyond, 4.0),
            evidence={
                "drop_heights": fall.descent.drop,
                "speed": fall.descent.speed,
                "down_s": down_s,
                "limit_s": self._limit_s,
                "found_down": float(fall.found),
                "unseen_s": self._now - person.last,
                "height_per_width": box.height / max(box.width, 1.0),
                "confidence": person.track.detection.confidence,
            },
            question=self._question or f"Has {who} fallen {where}?",
        )


def _judge(person: _Person, now: float, size: Size) -> None:
    """Whether a person has gone down, or got up, as of the newest look."""
    fall, box = person.fall, person.seen[-1].box
    if fall is None:
        # Of most people this says at once that they are up.
        if not lies(box, person.tallest):
            return
        descent = gone_down(person.seen, size)
        if descent is not None:
            person.fall = _Fall(descent, now, found=True)
        return
    drop = fall.descent.dropped(box)
    fall.down = fall.descent.down(box)
    if drop < UP:
        person.fall = None
    elif fall.down:
        fall.found = True
        fall.descent = replace(fall.descent, drop=max(fall.descent.drop, drop))


def _saved(person: _Person, now: float) -> JsonObject:
    fall = person.fall
    saved = {
        "label": person.track.label,
        "confidence": round(person.track.detection.confidence, 4),
        "first_seen_s": round(now - person.track.first_seen, 3),
        "last_s": round(now - person.last, 3),
        "seen": [[round(now - at, 3), *(round(v, 1) for v in box)] for at, box in person.seen],
        "here": person.here,
        "heir": person.heir,
    }
    if fall is None:
        return saved
    descent = asdict(fall.descent)
    descent["began_s"] = now - descent.pop("began")
    return saved | {
        "descent": {name: round(value, 3) for name, value in descent.items()},
        "since_s": round(now - fall.since, 3),
        "found": fall.found,
        "down": fall.down,
    }


def _resumed(number: int, saved: JsonObject, now: float) -> _Person:
    seen = deque(Seen(now - before, Box(*box)) for before, *box in saved["seen"])
    last = now - saved["last_s"]
    track = Track(
        id=number,
        label=saved["label"],
        detection=Detection(saved["label"], saved["confidence"], seen[-1].box),
        first_seen=now - saved["first_seen_s"],
        last_seen=last,
    )
    fall = None
    if "descent" in saved:
        descent = dict(saved["descent"])
        began = now - descent.pop("began_s")
        since = now - saved["since_s"]
        fall = _Fall(Descent(began, **descent), since, saved["found"], saved["down"])
    tallest = max(standing_height(one.box) for one in seen)
    until = now + RESUME_WITHIN_S
    return _Person(track, last, seen, saved["here"], fall, tallest, until, saved["heir"])
