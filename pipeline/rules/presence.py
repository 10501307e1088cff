"""Who is in a zone, since when: what every rule about a place shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.continuity import RESUME_WITHIN_S, patient
from pipeline.geometry import stands_inside
from pipeline.protocols import JsonObject
from pipeline.types import Size, Track, View, Zone

GAP_S = 2.0
"""Who is not seen inside for less than this, or than two looks, has not left."""
CERTAIN_LOOKS = 2
CERTAIN_S = 0.35
"""A presence counts once it was seen in so many looks, over so long: no one-look ghosts. At five
looks a second, whose times tremble a little, that is the third."""


@dataclass(slots=True)
class Presence:
    """One track's stay in a zone; times are `monotonic` seconds."""

    entered: float
    last: float
    """When it was last seen inside."""
    looks: int = 0
    confidence: float = 0.0
    """Mean over the looks inside, 0..1."""
    until: float = 0.0
    """Not forgotten before, even when unseen for longer than a gap."""

    @property
    def dwell_s(self) -> float:
        return self.last - self.entered

    @property
    def certain(self) -> bool:
        return self.looks >= CERTAIN_LOOKS and self.dwell_s >= CERTAIN_S

    def see(self, confidence: float, now: float) -> None:
        self.last = now
        self.looks += 1
        self.confidence += (confidence - self.confidence) / self.looks


class Presences:
    """The tracks of some labels that are in a zone, or in the whole picture."""

    def __init__(self, labels: Sequence[str], zone: Zone | None) -> None:
        self._labels = frozenset(labels)
        self._zone = zone
        self._here: dict[int, Presence] = {}
        self._now = 0.0
        self._restored: JsonObject | None = None

    def update(self, view: View) -> list[tuple[Track, Presence]]:
        """Those seen inside in this view whose presence is certain, by track id."""
        self._now = now = view.monotonic
        if self._restored is not None:
            self._resume(self._restored)
        seen = []
        for track in view.tracks:
            if track.settled or track.label not in self._labels:
                continue
            if self._inside(track, view.size):
                presence = self._here.setdefault(track.id, Presence(entered=now, last=now))
                presence.see(track.detection.confidence, now)
                if presence.certain:
                    seen.append((track, presence))
        gap_s = patient(GAP_S, view.period_s)
        self._here = {
            track_id: presence
            for track_id, presence in self._here.items()
            if now - presence.last < gap_s or now < presence.until
        }
        return seen

    def state(self) -> JsonObject:
        """As JSON, by track id; times as seconds before the last view."""
        return {
            str(track_id): {
                "entered_s": round(self._now - presence.entered, 3),
                "last_s": round(self._now - presence.last, 3),
                "looks": presence.looks,
                "confidence": round(presence.confidence, 4),
            }
            for track_id, presence in self._here.items()
        }

    def restore(self, state: JsonObject) -> None:
        """Take over what `state` gave; the time between the runs counts as no time."""
        self._restored = state

    def _resume(self, state: JsonObject) -> None:
        self._restored = None
        for track_id, saved in state.items():
            self._here[int(track_id)] = Presence(
                entered=self._now - saved["entered_s"],
                last=self._now - saved["last_s"],
                looks=saved["looks"],
                confidence=saved["confidence"],
                until=self._now + RESUME_WITHIN_S,
            )

    def _inside(self, track: Track, size: Size) -> bool:
        if self._zone is None:
            return True
        width, height = size
        polygon = [(x * width, y * height) for x, y in self._zone.polygon]
        return stands_inside(track.detection.box, polygon, size, stays=track.id in self._here)
