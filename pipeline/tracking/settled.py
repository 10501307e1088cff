"""What has stood there for so long that it is part of the place: a parked car, a poster.

A place is remembered where something stands. It is settled once it has stood there long enough, and
for as long as it is confirmed every few days; what begins on top of it is it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pipeline.geometry import iou
from pipeline.protocols import JsonObject
from pipeline.rule_config import RuleBase
from pipeline.tracking.families import family
from pipeline.tracking.moving import moved
from pipeline.tracking.places import Moment, Place, scaled
from pipeline.types import Box, Frame, Size, Track

SETTLES_S = 60.0
"""What stands for so long is part of the place..."""
LIVING_SETTLE_S = 600.0
"""...people and animals after so long..."""
SHOWN_S = 30.0
"""...but nothing earlier than so long after the slowest rule about it can have found it."""
LIVING = ("person", "animal")
SAME_IOU = 0.5
"""A track that begins where its box overlaps that of a place by this is what stands there."""
NEARER = 0.1
"""What comes to stand with its foot so many heights below that of a place stands before it, and
may hide what is there."""
BEGINS_S = 1.0
"""A track is beginning for so long: its first boxes may be poor ones."""
LEAVES_S = 1.0
"""What is off its place for so long has left it: a passer-by may hide a part of it for a moment."""
STOOD_S = 10.0
"""Who leaves sooner after beginning there was somebody else who came by: the place remains."""
MOST_PLACES = 200
"""So many are remembered; of more, those go that were not confirmed for the longest, first of all
those that have not settled."""
FOLLOWED_S = 60.0
"""A track that was not seen for so long is not found again under its id."""


@dataclass(slots=True)
class _Stand:
    """A track on a place: there since `since`, with that box first."""

    place: Place
    anchor: Box
    since: float
    seen: float
    off_since: float | None = None


class Settled:
    """Marks the tracks of one camera that are part of the place.

    A track belongs to a place that it begins on, or stands on for as long as tracking takes to call
    it stationary. It does no more once it moves off; a place whose own track has moved off is
    forgotten. One that came from elsewhere and stands where something else stood is new.

    Args:
        rules: of the camera; nothing settles before those that wait for something have found it.
    """

    def __init__(self, rules: Iterable[RuleBase] = ()) -> None:
        self._waits: dict[str, float] = {}
        for rule in rules:
            for kind in map(family, rule.labels):
                self._waits[kind] = max(self._waits.get(kind, 0.0), rule.waits_s)
        self._places: list[Place] = []
        self._stands: dict[int, _Stand] = {}
        self._size: Size | None = None
        self._last: Moment | None = None
        self._saved: JsonObject | None = None

    def update(
        self, frame: Frame, seen: Sequence[Track], lost: Sequence[Track] = ()
    ) -> tuple[tuple[Track, ...], tuple[Track, ...]]:
        """The tracks that `Tracking.update` gave for this frame, `settled` where they are."""
        now = frame.monotonic
        self._last = Moment(frame.captured_at, now)
        self._fit(frame.size)
        if self._saved is not None:
            self._resume(self._saved, self._last, frame.size)
        self._forget(now)
        for track in seen:
            if track.id in self._stands:
                self._stands[track.id].seen = now
            elif _began_here(track):
                self._begin(track, now)
        for track in seen:
            stand = self._stands.get(track.id)
            if stand is not None:
                self._follow(track, stand, frame.size, now)
            elif track.stationary_since is not None:
                self._found(track, track.stationary_since, now)
        return self._marked(seen), self._marked(lost)

    def state(self) -> JsonObject:
        """As `memory`, and which tracks stand where; for a successor that goes on at once."""
        if self._saved is not None:
            return self._saved
        tracks: JsonObject = {
            str(key): self._places.index(stand.place) for key, stand in self._stands.items()
        }
        return {**self.memory(), "tracks": tracks}

    def restore(self, state: JsonObject) -> None:
        """Take over what `state` gave, before the first frame."""
        self._saved = state

    def memory(self) -> JsonObject:
        """The places as JSON: boxes in fractions of the picture, moments as UTC time stamps."""
        if self._last is None or self._size is None:
            return {"places": [] if self._saved is None else self._saved["places"]}
        last, size = self._last, self._size
        return {"places": [place.memory(last, size) for place in self._places]}

    def recall(self, memory: JsonObject) -> None:
        """Take over what `memory` gave, before the first frame; what `restore` gave is newer.

        Raises:
            AttributeError, KeyError, TypeError, ValueError: it cannot be read.
        """
        if memory and self._saved is None:
            for one in memory["places"]:
                # What cannot be read is found out now, and not at the first frame.
                Place.recalled(one, Moment(datetime.fromisoformat(one["since"]), 0.0), (1, 1))
            # Ids of an earlier run mean other tracks now.
            self._saved = {"places": memory["places"]}

    def _fit(self, size: Size) -> None:
        """Keep the boxes in pixels of the picture, whose size may change."""
        if self._size not in (None, size):
            for place in self._places:
                place.box = scaled(place.box, size[0] / self._size[0], size[1] / self._size[1])
            self._stands.clear()
        self._size = size

    def _begin(self, track: Track, now: float) -> None:
        """A new track is what stands where it begins, if anything does."""
        box, kind = track.detection.box, family(track.label)
        best, overlap = None, SAME_IOU
        for place in self._places:
            if place.family != kind or not place.is_like(track.detection.embedding):
                continue
            if (shared := iou(place.box, box)) >= overlap:
                best, overlap = place, shared
        if best is not None:
            best.left = None
            self._stands[track.id] = _Stand(best, box, since=now, seen=now)

    def _found(self, track: Track, since: float, now: float) -> None:
        """Something has come to stand where nothing stands, or no longer what did, or before it."""
        box, kind = track.detection.box, family(track.label)
        occupied = {id(stand.place) for stand in self._stands.values() if stand.seen == now}
        self._drop(
            place
            for place in self._places
            if place.family == kind
            and id(place) not in occupied
            and iou(place.box, box) >= SAME_IOU
            and box.y2 - place.box.y2 < NEARER * box.height
        )
        place = Place(kind, box, since, confirmed=now)
        self._places.append(place)
        stand = self._stands[track.id] = _Stand(place, box, since, seen=now)
        self._confirm(track, stand, now)

    def _follow(self, track: Track, stand: _Stand, size: Size, now: float) -> None:
        if not moved(stand.anchor, track.detection.box, size):
            stand.off_since = None
            self._confirm(track, stand, now)
            return
        if stand.off_since is None:
            stand.off_since = now
        if now - stand.off_since < LEAVES_S:
            return
        del self._stands[track.id]
        others = any(one.place is stand.place and one.seen == now for one in self._stands.values())
        if now - stand.since >= STOOD_S and not others:
            stand.place.left = now

    def _confirm(self, track: Track, stand: _Stand, now: float) -> None:
        place = stand.place
        place.confirmed = now
        place.learn(track.detection.embedding)
        if now - stand.since >= STOOD_S:
            place.box = stand.anchor
        base_s = LIVING_SETTLE_S if place.family in LIVING else SETTLES_S
        waits_s = self._waits.get(place.family, 0.0)
        place.settled |= now - place.since >= max(base_s, waits_s + SHOWN_S)

    def _forget(self, now: float) -> None:
        self._stands = {
            key: stand for key, stand in self._stands.items() if now - stand.seen <= FOLLOWED_S
        }
        self._drop([place for place in self._places if not place.kept(now)])
        if len(self._places) > MOST_PLACES:
            by_age = sorted(self._places, key=lambda place: (place.settled, place.confirmed))
            self._drop(by_age[: len(self._places) - MOST_PLACES])

    def _drop(self, places: Iterable[Place]) -> None:
        gone = {id(place) for place in places}
        if gone:
            self._places = [place for place in self._places if id(place) not in gone]
            self._stands = {
                key: stand for key, stand in self._stands.items() if id(stand.place) not in gone
            }

    def _marked(self, tracks: Sequence[Track]) -> tuple[Track, ...]:
        return tuple(
            replace(track, settled=True)
            if (stand := self._stands.get(track.id)) is not None and stand.place.settled
            else track
            for track in tracks
        )

    def _resume(self, saved: JsonObject, last: Moment, size: Size) -> None:
        self._saved = None
        places = [Place.recalled(one, last, size) for one in saved["places"]]
        self._places += places
        now = last.monotonic
        for key, index in saved.get("tracks", {}).items():
            place = places[index]
            self._stands[int(key)] = _Stand(place, place.box, since=place.since, seen=now)


def _began_here(track: Track) -> bool:
    """Whether it is just beginning, or has stood since it began."""
    until = track.last_seen if track.stationary_since is None else track.stationary_since
    return until - track.first_seen <= BEGINS_S
