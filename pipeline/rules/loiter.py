"""Something stays in a zone for longer than allowed."""

from __future__ import annotations

from pipeline.config import LoiterRule
from pipeline.protocols import JsonObject
from pipeline.rules.presence import Presence, Presences
from pipeline.types import Finding, Track, View, Zone
from pipeline.wording import article, clock, duration, place, sentence


class Loitering:
    """Holds for each track that has been in the zone, or in the picture, beyond the limit.

    Strength is 0.5 at the limit and rises evenly to 1 at twice the limit.
    """

    def __init__(self, key: str, config: LoiterRule, zone: Zone | None) -> None:
        self._key = key
        self._limit_s = config.seconds
        self._question = config.question
        self._zone = zone
        self._presences = Presences(config.labels, zone)

    def update(self, view: View) -> list[Finding]:
        """One finding for each track seen inside in this view that has stayed too long."""
        return [
            self._finding(view, track, presence)
            for track, presence in self._presences.update(view)
            if presence.dwell_s >= self._limit_s
        ]

    def state(self) -> JsonObject:
        return self._presences.state()

    def restore(self, state: JsonObject) -> None:
        self._presences.restore(state)

    def _finding(self, view: View, track: Track, presence: Presence) -> Finding:
        where = place(self._zone.name if self._zone else view.camera_name)
        who = article(track.label)
        stay = f"{duration(presence.dwell_s)} (limit {duration(self._limit_s)})"
        return Finding(
            rule=self._key,
            tracks=(track,),
            zone=self._zone.key if self._zone else None,
            started=presence.entered,
            rule_reason=sentence(f"{who} has stayed {where} for {stay}, {clock(view.captured_at)}"),
            strength=min(presence.dwell_s / (2 * self._limit_s), 1.0),
            evidence={
                "dwell_s": presence.dwell_s,
                "limit_s": self._limit_s,
                "confidence": presence.confidence,
            },
            question=self._question or f"Is {who} staying {where}?",
        )
