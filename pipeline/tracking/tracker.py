"""Tracks of one camera: which detections they continue, and what rules need to know beside ids."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pipeline.continuity import patient
from pipeline.geometry import Point, stands_inside
from pipeline.protocols import JsonObject
from pipeline.tracking.association import Association, Joined
from pipeline.tracking.families import family
from pipeline.tracking.life import Life
from pipeline.tracking.missing import Arrival, Missing
from pipeline.tracking.past import Past
from pipeline.types import Detection, Frame, Size, Track, Zone

LOST_AFTER_S = 2.0
"""A track that was not seen for longer, nor in two looks, is given up."""


class Tracking:
    """Follows one camera's objects; never joins a person with a car.

    A track begins at its second look in a row, keeps the label that most of its confidence voted
    for (within vehicles, within animals; any other label stands alone), and is reported lost once,
    `LOST_AFTER_S` after it was last seen. One that was lost in the middle of the picture and is
    found again by its look, `FOUND_AGAIN_WITHIN_S` after it was last seen at most, goes on under
    its id.

    Args:
        zones: those in which stays are counted, by key.
    """

    def __init__(self, zones: Mapping[str, Zone] | None = None) -> None:
        self._zones = zones or {}
        self._polygons: dict[str, list[Point]] = {}
        self._size: Size | None = None
        self._association = Association()
        self._lives: dict[int, Life] = {}
        self._next_id = 1
        self._last = -math.inf
        self._past = Past()
        self._missing = Missing()
        self._seen: set[int] = set()
        """Those seen in the last look, as the association counts them."""

    def update(
        self, frame: Frame, detections: Sequence[Detection], period_s: float = 0.0
    ) -> tuple[tuple[Track, ...], tuple[Track, ...]]:
        """The tracks seen in this frame, by id, and those given up at it (`lost` true).

        `period_s` is how many seconds lie between two looks lately.
        """
        # Two frames of one moment are no fault.
        before, now = self._last, max(frame.monotonic, self._last + 1e-3)
        self._last = now
        self._measure(frame.size)
        families = [family(one.label) for one in detections]
        joined = self._association.update(
            detections, families, now, patient(LOST_AFTER_S, period_s), frame.size[0]
        )
        for one in joined:
            if not one.begins:
                self._missing.seen(self._lives[one.id])
        self._begin([one for one in joined if one.begins], detections, before)
        seen = [self._see(self._lives[one.id], detections[one.index]) for one in joined]
        self._miss({one.id for one in joined})
        return tuple(sorted(seen, key=lambda track: track.id)), self._given_up()

    def reset(self) -> tuple[Track, ...]:
        """Give up all tracks (after a discontinuity) and return them as lost."""
        lost = _lost(self._lives.values())
        self._association = Association()
        self._lives.clear()
        self._past = Past()
        self._missing.clear()
        self._seen = set()
        return lost

    def state(self) -> JsonObject:
        """The live tracks as JSON; all times as seconds before the last update."""
        lives = [life.state(self._last) for life in self._lives.values()]
        return {"next_id": self._next_id, "tracks": lives + self._past.state(self._last)}

    def restore(self, state: JsonObject, age_s: float) -> None:
        """Take over what `state` gave; call it right before the first `update`.

        A new track that overlaps a restored one, or stands within reach of its foot, becomes it:
        same id, first sight, path and stays. Restored tracks that nothing becomes are forgotten.

        Args:
            state: what `state` gave.
            age_s: seconds from that state's last update until now.
        """
        self._next_id = state["next_id"]
        self._past = Past(list(state["tracks"]), age_s)

    def _measure(self, size: Size) -> None:
        """Zones in pixels of the picture."""
        if size != self._size:
            self._size = size
            self._polygons = {
                key: [(x * size[0], y * size[1]) for x, y in zone.polygon]
                for key, zone in self._zones.items()
            }

    def _begin(
        self, begun: Sequence[Joined], detections: Sequence[Detection], before: float
    ) -> None:
        """Give each new track a life: that of one from before a restart, of one that is missing,
        or its own."""
        assert self._size is not None
        now = self._last
        new = {one.id: detections[one.index] for one in begun}
        lives = self._past.resume(
            {key: (family(one.label), one.box) for key, one in new.items()}, now
        )
        arrivals = {
            key: Arrival(family(one.label), one.box, self._association.look(key))
            for key, one in new.items()
            if key not in lives
        }
        for key, life in self._missing.find(arrivals, before, now, self._size).items():
            self._forget(life)
            life.found_again(new[key].box, now)
            lives[key] = life
        for key, one in new.items():
            if key not in lives:
                lives[key] = Life(self._next_id, first_seen=now, anchor=one.box, anchored=now)
                self._next_id += 1
        self._lives |= lives

    def _see(self, life: Life, detection: Detection) -> Track:
        assert self._size is not None
        inside = frozenset(
            key
            for key, polygon in self._polygons.items()
            if stands_inside(detection.box, polygon, self._size, stays=key in life.inside)
        )
        return life.see(detection, self._last, self._size, inside)

    def _miss(self, seen: set[int]) -> None:
        """Those that are not seen any more may be found elsewhere."""
        assert self._size is not None
        for key in self._seen - seen:
            if key in self._lives:
                self._missing.miss(self._lives[key], self._association.look(key), self._size)
        self._seen = seen

    def _forget(self, life: Life) -> None:
        """Look no longer where it was expected for one that was found elsewhere."""
        for key in [key for key, one in self._lives.items() if one is life]:
            self._association.forget(key)
            del self._lives[key]

    def _given_up(self) -> tuple[Track, ...]:
        kept = self._association.ids
        return _lost([self._lives.pop(key) for key in list(self._lives) if key not in kept])


def _lost(lives: Iterable[Life]) -> tuple[Track, ...]:
    return tuple(replace(life.track, lost=True) for life in lives if life.track)
