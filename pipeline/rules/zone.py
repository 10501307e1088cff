"""Something is in a zone."""

from __future__ import annotations

from pipeline.config import ZoneRule
from pipeline.protocols import JsonObject
from pipeline.rules.presence import Presence, Presences
from pipeline.types import Finding, Track, View, Zone
from pipeline.wording import article, clock, place, sentence

FULL_STRENGTH_S = 10.0


class InZone:
    """Holds for each track of the rule's labels whose foot is in the zone, or in the picture.

    Strength is 0.5 on entering and rises evenly to 1 at `FULL_STRENGTH_S` of presence.
    """

    def __init__(self, key: str, config: ZoneRule, zone: Zone | None) -> None:
        self._key = key
        self._question = config.question
        self._zone = zone
        self._presences = Presences(config.labels, zone)

    def update(self, view: View) -> list[Finding]:
        """One finding for each track that is inside in this view."""
        return [self._finding(view, *seen) for seen in self._presences.update(view)]

    def state(self) -> JsonObject:
        return self._presences.state()

    def restore(self, state: JsonObject) -> None:
        self._presences.restore(state)

    def _finding(self, view: View, track: Track, presence: Presence) -> Finding:
        where = place(self._zone.name if self._zone else view.camera_name)
        who = article(track.label)
        return Finding(
            rule=self._key,
            tracks=(track,),
            zone=self._zone.key if self._zone else None,
            started=presence.entered,
            rule_reason=sentence(f"{who} is {where}, {clock(view.captured_at)}"),
            strength=0.5 + 0.5 * min(presence.dwell_s / FULL_STRENGTH_S, 1.0),
            evidence={"inside_s": presence.dwell_s, "confidence": presence.confidence},
            question=self._question or f"Is {who} {where}?",
        )
