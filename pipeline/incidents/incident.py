"""One happening while it goes on: which tracks and rules take part, and what was told of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pipeline.incidents.announcing import Silence
from pipeline.protocols import JsonObject
from pipeline.types import Box, EventRule, Finding, Severity, Track, View

STRONGER = 0.2
"""An update is due when a rule's strength has risen by so much since the last one..."""
UPDATE_EVERY_S = 2.0
"""...or a track or rule has joined, but not more often than this; at once where a more severe
rule has, or people are to be told from now on."""
MOST_TRACKS = 20
"""An incident takes in no more tracks: an event's snapshots must stay small in any crowd."""


@dataclass(slots=True)
class Part:
    """What one rule has to do with a happening; `finding` is its newest since the last start."""

    rule: str
    zone: str | None
    severity: Severity
    started: datetime
    rule_reason: str
    strength: float = 0.0
    told_strength: float = 0.0
    finding: Finding | None = None

    @property
    def wire(self) -> EventRule:
        return EventRule(
            rule=self.rule,
            zone=self.zone,
            severity=self.severity,
            started=self.started,
            rule_reason=self.rule_reason,
        )


@dataclass(slots=True)
class Incident:
    """A happening; moments are `monotonic` seconds unless they are of the clock on the wall."""

    id: str
    group: bool
    label: str
    last: float
    """When it was last found to hold; `last_at` for people."""
    last_at: datetime
    seen: float
    """When one of its tracks was last seen at all, and `box` where."""
    box: Box
    told: float
    tracks: set[int] = field(default_factory=set)
    parts: dict[tuple[str, str | None], Part] = field(default_factory=dict)
    latest: dict[int, Track] = field(default_factory=dict)
    """Its tracks as they were last seen, since the last start."""
    leader: tuple[str, str | None] | None = None
    """The part that led when it was last told of; None before that."""
    announced: bool = False
    told_announced: bool = False
    silence: Silence | None = None
    """Why nobody is told of it, while that is so."""
    restored: bool = False
    news: bool = False
    """A track or rule has joined that no update has told of."""

    @property
    def leading(self) -> Part:
        """The part of the highest severity; of several the first."""
        return max(self.parts.values(), key=lambda part: part.severity.rank)

    @property
    def rules(self) -> tuple[EventRule, ...]:
        return tuple(part.wire for part in self.parts.values())

    @property
    def anew(self) -> bool:
        """Whether what leads, or whether people are told, has changed since it was told of."""
        leading = self.leading
        changed = self.leader != (leading.rule, leading.zone)
        # After a restart a rule may not have been found again yet: then there is nothing to show.
        return leading.finding is not None and (changed or self.announced != self.told_announced)

    def see(self, view: View, finding: Finding, severity: Severity) -> bool:
        """It is found to hold; whether by a rule that has just joined."""
        if self.restored:
            self.last_at = max(self.last_at, view.captured_at)
        else:
            # On the clock that showed its beginning, whatever the host's was set to since.
            self.last_at += timedelta(seconds=view.monotonic - self.last)
        self.last, self.restored = view.monotonic, False
        for track in finding.tracks:
            if track.id not in self.tracks and len(self.tracks) < MOST_TRACKS:
                self.tracks.add(track.id)
                # Who comes to a crowd, and who goes, is no news of it.
                self.news = self.news or not self.group
        for track in finding.tracks:
            self.follow(track, view.monotonic)
        if finding.tracks:
            self.box = finding.tracks[0].detection.box
        key = (finding.rule, finding.zone)
        part = self.parts.get(key)
        joined = part is None
        if part is None:
            began = view.captured_at - timedelta(seconds=view.monotonic - finding.started)
            part = self.parts[key] = Part(*key, severity, began, finding.rule_reason)
            self.news = True
        part.finding, part.rule_reason = finding, finding.rule_reason
        # What goes on under a new track does not begin anew: its strength never falls.
        part.strength = max(part.strength, finding.strength)
        return joined

    def follow(self, track: Track, now: float) -> None:
        """One of its tracks is seen, whether a rule finds it or not."""
        if track.id in self.tracks:
            self.seen, self.box = now, track.detection.box
            self.latest[track.id] = track

    def due(self, now: float) -> bool:
        """Whether it has something new to tell at this moment."""
        if self.anew:
            return True
        return now - self.told >= UPDATE_EVERY_S and self.has_news

    @property
    def has_news(self) -> bool:
        """Whether it has something to tell that was not told, however soon."""
        grown = any(part.strength >= part.told_strength + STRONGER for part in self.parts.values())
        found = any(part.finding is not None for part in self.parts.values())
        return found and (self.news or grown)

    def tell(self, now: float) -> Finding:
        """Its leading finding, with the tracks and the strength of all, which is told now."""
        leading = self.leading
        # After a restart what leads may not have been found again: what it said still stands.
        newest = leading.finding or next(
            part.finding for part in self.parts.values() if part.finding is not None
        )
        tracks = {track.id: track for track in newest.tracks if track.id in self.tracks}
        tracks |= {key: track for key, track in self.latest.items() if key not in tracks}
        self.told, self.news = now, False
        self.leader, self.told_announced = (leading.rule, leading.zone), self.announced
        for part in self.parts.values():
            part.told_strength = part.strength
        return replace(
            newest,
            rule=leading.rule,
            zone=leading.zone,
            rule_reason=leading.rule_reason,
            tracks=tuple(tracks.values()),
            strength=max(part.strength for part in self.parts.values()),
        )

    def state(self, now: float) -> JsonObject:
        """As JSON; times as seconds before `now`."""
        return {
            "id": self.id,
            "group": self.group,
            "label": self.label,
            "tracks": sorted(self.tracks),
            "parts": [
                {
                    **part.wire.model_dump(mode="json"),
                    "strength": round(part.strength, 3),
                    "told_strength": round(part.told_strength, 3),
                }
                for part in self.parts.values()
            ],
            "leader": None if self.leader is None else [*self.leader],
            "announced": self.announced,
            "told_announced": self.told_announced,
            "silence": self.silence,
            "last_s": round(now - self.last, 3),
            "last_at": self.last_at.isoformat(),
            "seen_s": round(now - self.seen, 3),
            "box": [round(value, 1) for value in self.box],
            "told_s": round(now - self.told, 3),
        }

    @classmethod
    def resumed(cls, saved: JsonObject, now: float) -> Incident:
        """From its `state`."""
        incident = cls(
            id=saved["id"],
            group=saved["group"],
            label=saved["label"],
            last=now - saved["last_s"],
            last_at=datetime.fromisoformat(saved["last_at"]),
            seen=now - saved["seen_s"],
            box=Box(*saved["box"]),
            told=now - saved["told_s"],
            tracks=set(saved["tracks"]),
            leader=None if saved["leader"] is None else tuple(saved["leader"]),
            announced=saved["announced"],
            told_announced=saved["told_announced"],
            silence=None if saved["silence"] is None else Silence(saved["silence"]),
            restored=True,
        )
        for part in saved["parts"]:
            known = EventRule.model_validate({key: part[key] for key in EventRule.model_fields})
            incident.parts[known.rule, known.zone] = Part(
                known.rule,
                known.zone,
                known.severity,
                known.started,
                known.rule_reason,
                part["strength"],
                part["told_strength"],
            )
        return incident
