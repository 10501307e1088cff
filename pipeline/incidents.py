"""From findings, which rules repeat in every view, to happenings that open, change and close."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from pipeline.continuity import RESUME_WITHIN_S, patient
from pipeline.geometry import iou
from pipeline.protocols import JsonObject
from pipeline.types import Box, Finding, Size, Track, View

QUIET_S = 3.0
"""An incident without a finding for so long, or for two looks, is over."""
STRONGER = 0.2
"""An update is due when the strength has risen by so much since the last one..."""
UPDATE_EVERY_S = 2.0
"""...or a track has joined, but not more often than this."""
JOIN_WITHIN_S = 1.2
"""A new track that was first found so long after an incident's own were last seen continues it:
the same visit under another number. One that comes later is another visitor."""
JOIN_REACH = 1.5
"""It must be this many box heights from where they were last seen, or nearer..."""
JOIN_SPEED = 0.8
"""...and may be so many more for each second since (a walk)."""
EDGE = 0.02
"""Whose box ended within this share of the picture's edge has left by it..."""
SAME_PLACE = 0.5
"""...unless the new box overlaps it by so much: somebody before a desk's camera, always cut off."""
MOST_TRACKS = 20
"""An incident takes in no more tracks: an event's snapshots must stay small in any crowd."""

Reason = Literal["quiet", "discontinuity", "stopped", "restarted"]


@dataclass(frozen=True, slots=True)
class Open:
    """A new happening; `incident_id` becomes the event's id."""

    incident_id: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class Update:
    """A happening has something new to tell: it is stronger, or another track has joined."""

    incident_id: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class Close:
    """A happening is over since `at`, when it was last found to hold."""

    incident_id: str
    at: datetime
    reason: Reason


Action = Open | Update | Close


def uuid7() -> str:
    """A new id that sorts by time (RFC 9562, version 7)."""
    import uuid6

    return str(uuid6.uuid7())


@dataclass(slots=True)
class _Incident:
    id: str
    rule: str
    zone: str | None
    tracks: set[int]
    last: float
    """When it was last found to hold, `monotonic`; so is `told`."""
    last_at: datetime
    seen: float
    """When one of its tracks was last seen at all, `monotonic`, and `box` where."""
    box: Box
    told: float
    told_strength: float
    restored: bool = False
    news: bool = False
    """A track has joined that no update has told of."""

    def see(self, view: View, finding: Finding) -> None:
        if self.restored:
            self.last_at = max(self.last_at, view.captured_at)
        else:
            # On the clock that showed its beginning, whatever the host's was set to since.
            self.last_at += timedelta(seconds=view.monotonic - self.last)
        self.last, self.restored = view.monotonic, False
        joined = {track.id for track in finding.tracks} - self.tracks
        self.news = self.news or bool(joined)
        self.tracks |= joined
        self.follow(finding.tracks[0], view.monotonic)

    def follow(self, track: Track, now: float) -> None:
        self.seen, self.box = now, track.detection.box

    def state(self, now: float) -> JsonObject:
        return {
            "id": self.id,
            "rule": self.rule,
            "zone": self.zone,
            "tracks": sorted(self.tracks),
            "last_s": round(now - self.last, 3),
            "last_at": self.last_at.isoformat(),
            "seen_s": round(now - self.seen, 3),
            "box": [round(value, 1) for value in self.box],
            "told_s": round(now - self.told, 3),
            "told_strength": round(self.told_strength, 3),
        }


class Incidents:
    """The open happenings of one camera.

    One for each rule, zone and visit: a new track that begins where an incident's own tracks were
    seen a moment before continues it, so that a flickering detection makes no second event.

    Args:
        quiet_s: an incident is over after so long without a finding.
        new_id: gives each incident its id.
    """

    def __init__(
        self, *, quiet_s: float = QUIET_S, new_id: Callable[[], str] | None = None
    ) -> None:
        self._quiet_s = quiet_s
        self._new_id = new_id or uuid7
        self._open: list[_Incident] = []
        self._saved: Sequence[JsonObject] = ()
        self._resume_until = -math.inf
        self._now = 0.0

    def update(self, view: View, findings: Iterable[Finding]) -> list[Action]:
        """What opens, changes and closes at this view."""
        self._now = view.monotonic
        if self._saved:
            self._resume()
        for track in view.tracks:
            for known in self._open:
                if track.id in known.tracks:
                    known.follow(track, self._now)
        actions: list[Action] = []
        for finding in findings:
            incident = self._of_track(finding) or self._continued(view, finding)
            if incident is None:
                actions.append(self._opened(view, finding))
                continue
            incident.see(view, finding)
            # What goes on under a new track does not begin anew: its strength never falls.
            strength = max(finding.strength, incident.told_strength)
            finding = replace(finding, strength=strength)
            if self._due(incident, finding):
                incident.news = False
                incident.told, incident.told_strength = self._now, finding.strength
                actions.append(Update(incident.id, finding))
        return actions + self._over(patient(self._quiet_s, view.period_s))

    @property
    def any_open(self) -> bool:
        """Whether something goes on, or may be found to go on after a restart."""
        return bool(self._open or self._saved)

    def close_all(self, reason: Reason) -> list[Action]:
        """Close what is open: the view broke off (`discontinuity`), or the camera `stopped`."""
        closed: list[Action] = [
            Close(incident.id, incident.last_at, "restarted" if incident.restored else reason)
            for incident in self._open
        ]
        closed += [
            Close(saved["id"], datetime.fromisoformat(saved["last_at"]), "restarted")
            for saved in self._saved
        ]
        self._open, self._saved = [], ()
        return closed

    def state(self) -> JsonObject:
        """The open incidents as JSON; times as seconds before the last view, and for people."""
        return {"open": [incident.state(self._now) for incident in self._open] + [*self._saved]}

    def restore(self, state: JsonObject) -> None:
        """Take over what `state` gave, before the first view.

        Incidents found again within `RESUME_WITHIN_S` of views go on under their ids; the others
        close as `restarted`.
        """
        self._saved = state["open"]

    def _resume(self) -> None:
        self._resume_until = self._now + RESUME_WITHIN_S
        self._open += [
            _Incident(
                id=saved["id"],
                rule=saved["rule"],
                zone=saved["zone"],
                tracks=set(saved["tracks"]),
                last=self._now - saved["last_s"],
                last_at=datetime.fromisoformat(saved["last_at"]),
                seen=self._now - saved["seen_s"],
                box=Box(*saved["box"]),
                told=self._now - saved["told_s"],
                told_strength=saved["told_strength"],
                restored=True,
            )
            for saved in self._saved
        ]
        self._saved = ()

    def _of_track(self, finding: Finding) -> _Incident | None:
        ids = {track.id for track in finding.tracks}
        return next((i for i in self._of_rule(finding) if i.tracks & ids), None)

    def _continued(self, view: View, finding: Finding) -> _Incident | None:
        """The nearest incident that this new track may go on with."""
        track = finding.tracks[0]
        box = track.detection.box
        # A track begins at its second look.
        within_s = patient(JOIN_WITHIN_S, view.period_s) + view.period_s
        near = []
        for incident in self._of_rule(finding):
            # If both were there at once, or one long after the other, they are two visitors.
            same_visit = incident.restored or 0 < track.first_seen - incident.seen <= within_s
            if not same_visit or len(incident.tracks) >= MOST_TRACKS:
                continue
            if _at_edge(incident.box, view.size) and iou(incident.box, box) < SAME_PLACE:
                continue
            height = max(incident.box.height, box.height)
            distance = math.dist(incident.box.foot, box.foot)
            if distance <= (JOIN_REACH + JOIN_SPEED * (self._now - incident.seen)) * height:
                near.append((distance, incident))
        return min(near, key=lambda pair: pair[0])[1] if near else None

    def _of_rule(self, finding: Finding) -> list[_Incident]:
        key = (finding.rule, finding.zone)
        return [incident for incident in self._open if (incident.rule, incident.zone) == key]

    def _opened(self, view: View, finding: Finding) -> Open:
        incident = _Incident(
            id=self._new_id(),
            rule=finding.rule,
            zone=finding.zone,
            tracks={track.id for track in finding.tracks},
            last=view.monotonic,
            last_at=view.captured_at,
            seen=view.monotonic,
            box=finding.tracks[0].detection.box,
            told=view.monotonic,
            told_strength=finding.strength,
        )
        self._open.append(incident)
        return Open(incident.id, finding)

    def _due(self, incident: _Incident, finding: Finding) -> bool:
        stronger = finding.strength >= incident.told_strength + STRONGER
        return (incident.news or stronger) and self._now - incident.told >= UPDATE_EVERY_S

    def _over(self, quiet_s: float) -> list[Action]:
        closed: list[Action] = []
        kept = []
        for incident in self._open:
            if incident.restored and self._now < self._resume_until:
                kept.append(incident)
            elif incident.restored or self._now - incident.last >= quiet_s:
                reason: Reason = "restarted" if incident.restored else "quiet"
                closed.append(Close(incident.id, incident.last_at, reason))
            else:
                kept.append(incident)
        self._open = kept
        return closed


def _at_edge(box: Box, size: Size) -> bool:
    width, height = size
    return (
        min(box.x1, width - box.x2) <= EDGE * width or min(box.y1, height - box.y2) <= EDGE * height
    )
