"""Something stays in a zone for longer than allowed."""

from __future__ import annotations

from pipeline.config import LoiterRule
from pipeline.protocols import JsonObject
from pipeline.rules.stays import Stay, Stays
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
        self._stays = Stays(config.labels, zone)

    def update(self, view: View) -> list[Finding]:
        """One finding for each track seen inside in this view that has stayed too long."""
        return [
            self._finding(view, track, stay)
            for track, stay in self._stays.update(view)
            if stay.dwell_s >= self._limit_s
        ]

    def state(self) -> JsonObject:
        return self._stays.state()

    def restore(self, state: JsonObject) -> None:
        self._stays.restore(state)

    def _finding(self, view: View, track: Track, stay: Stay) -> Finding:
        where = place(self._zone.name if self._zone else view.camera_name)
        who = article(track.label)
        lasted = f"{duration(stay.dwell_s)} (limit {duration(self._limit_s)})"
        return Finding(
            rule=self._key,
            tracks=(track,),
            zone=self._zone.key if self._zone else None,
            started=stay.entered,
            rule_reason=sentence(
                f"{who} has stayed {where} for {lasted}, {clock(view.captured_at)}"
            ),
            strength=min(stay.dwell_s / (2 * self._limit_s), 1.0),
            evidence={
                "dwell_s": stay.dwell_s,
                "limit_s": self._limit_s,
                "confidence": stay.confidence,
            },
            question=self._question or f"Is {who} staying {where}?",
        )
