"""Who is in a zone, since when: what rules about a place share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.continuity import FOUND_AGAIN_WITHIN_S, RESUME_WITHIN_S, patient
from pipeline.protocols import JsonObject
from pipeline.rules.outline import Outline
from pipeline.types import Size, Track, View, Zone

GAP_S = 2.0
"""Who is seen outside for less than this, or than two looks, has not left; nor has who is not seen
at all for less than `FOUND_AGAIN_WITHIN_S`."""
CERTAIN_LOOKS = 2
CERTAIN_S = 0.35
"""A stay counts once it was seen in so many looks, over so long: no one-look ghosts. At five
looks a second, whose times tremble a little, that is the third."""
FULL_STRENGTH_S = 10.0


@dataclass(slots=True)
class Stay:
    """One track's stay in a zone; times are `monotonic` seconds."""

    entered: float
    last: float
    """When it was last seen inside."""
    looks: int = 0
    confidence: float = 0.0
    """Mean over the looks inside, 0..1."""
    until: float = 0.0
    """Not forgotten before, even when unseen for longer than a gap."""
    track: Track | None = None
    """As it was last seen inside; None until it is seen in this run."""

    @property
    def dwell_s(self) -> float:
        return self.last - self.entered

    @property
    def certain(self) -> bool:
        return self.looks >= CERTAIN_LOOKS and self.dwell_s >= CERTAIN_S

    @property
    def strength(self) -> float:
        """Of a rule to which being there is enough: 0.5 on entering, rising evenly to 1 at
        `FULL_STRENGTH_S`."""
        return 0.5 + 0.5 * min(self.dwell_s / FULL_STRENGTH_S, 1.0)

    def see(self, track: Track, now: float) -> None:
        self.track, self.last = track, now
        self.looks += 1
        self.confidence += (track.detection.confidence - self.confidence) / self.looks


class Stays:
    """The tracks of some labels that are in a zone, or in the whole picture; settled ones are
    not."""

    def __init__(self, labels: Sequence[str], zone: Zone | None) -> None:
        self._labels = frozenset(labels)
        self._outline = Outline(zone)
        self._here: dict[int, Stay] = {}
        self._now = 0.0
        self._restored: JsonObject | None = None

    def update(self, view: View) -> list[tuple[Track, Stay]]:
        """Those seen inside in this view whose stay is certain, by track id."""
        self._now = now = view.monotonic
        if self._restored is not None:
            self._resume(self._restored)
        if view.broken_off:
            self._here.clear()
        seen = []
        for track in view.tracks:
            if track.label in self._labels and not track.settled and self._inside(track, view.size):
                stay = self._here.setdefault(track.id, Stay(entered=now, last=now))
                stay.see(track, now)
                if stay.certain:
                    seen.append((track, stay))
        gap_s = patient(GAP_S, view.period_s)
        unseen_s = patient(FOUND_AGAIN_WITHIN_S, view.period_s)
        there = {track.id for track in view.tracks}
        self._here = {
            track_id: stay
            for track_id, stay in self._here.items()
            if now - stay.last < (gap_s if track_id in there else unseen_s) or now < stay.until
        }
        return seen

    def hidden(self, view: View) -> list[Stay]:
        """The certain stays of those who are in no place in this view, but are still taken to be
        there: they are missing for less than a gap, and not given up."""
        elsewhere = {track.id for track in (*view.tracks, *view.lost)}
        gap_s = patient(GAP_S, view.period_s)
        return [
            stay
            for track_id, stay in self._here.items()
            if track_id not in elsewhere
            and stay.track is not None
            and stay.certain
            and self._now - stay.last < gap_s
        ]

    def state(self) -> JsonObject:
        """As JSON, by track id; times as seconds before the last view."""
        return {
            str(track_id): {
                "entered_s": round(self._now - stay.entered, 3),
                "last_s": round(self._now - stay.last, 3),
                "looks": stay.looks,
                "confidence": round(stay.confidence, 4),
            }
            for track_id, stay in self._here.items()
        }

    def restore(self, state: JsonObject) -> None:
        """Take over what `state` gave; the time between the runs counts as no time."""
        self._restored = state

    def _resume(self, state: JsonObject) -> None:
        self._restored = None
        for track_id, saved in state.items():
            self._here[int(track_id)] = Stay(
                entered=self._now - saved["entered_s"],
                last=self._now - saved["last_s"],
                looks=saved["looks"],
                confidence=saved["confidence"],
                until=self._now + RESUME_WITHIN_S,
            )

    def _inside(self, track: Track, size: Size) -> bool:
        return self._outline.holds(track.detection.box, size, stays=track.id in self._here)
