"""From findings, which rules repeat in every view, to happenings that open, change and close."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from pipeline.continuity import RESUME_WITHIN_S, patient
from pipeline.geometry import iou, near_edge
from pipeline.incidents.actions import Action, Close, Open, Reason, Update
from pipeline.incidents.announcing import Announcing, Silence
from pipeline.incidents.incident import MOST_TRACKS, STRONGER, UPDATE_EVERY_S, Incident
from pipeline.protocols import JsonObject
from pipeline.rule_config import RuleBase
from pipeline.types import Box, Finding, Severity, Track, View

__all__ = [
    "MOST_TRACKS",
    "STRONGER",
    "UPDATE_EVERY_S",
    "Action",
    "Close",
    "Incidents",
    "Open",
    "Reason",
    "Silence",
    "Update",
    "uuid7",
]

QUIET_S = 3.0
"""An incident without a finding for so long, or for two looks, is over..."""
VANISHED_S = 10.0
"""...but where its tracks vanished in the midst of the picture it waits for them so long: nobody
leaves there, so whoever is found again under the same number has not been away."""
JOIN_WITHIN_S = 1.2
"""A new track that was first found so long after an incident's own were last seen continues it:
the same visit under another number. One that comes later is another visitor."""
JOIN_REACH = 1.5
"""It must be this many box heights from where they were last seen, or nearer..."""
JOIN_SPEED = 0.8
"""...and may be so many more for each second since (a walk)."""
SAME_PLACE = 0.5
"""Whose box ended at the picture's edge has left by it, unless the new box overlaps it by so much:
somebody before a desk's camera, always cut off.
So much of an overlap also makes one of what the detector takes for two things at once."""
OUT_OF = 0.1
"""A person first seen just now, in a box that overlaps that of one who was seen before by so much,
has come out of it: two who go together are one visit, however often the detector takes them for
one."""
MOST_PER_HOUR = 60
PERSON = "person"


def uuid7() -> str:
    """A new id that sorts by time (RFC 9562, version 7)."""
    import uuid6

    return str(uuid6.uuid7())


class Incidents:
    """The open happenings of one camera.

    One for each visit, whichever rules find it: its leading finding is that of the most severe
    rule, of several the first. A new track that begins where an incident's own tracks were seen a
    moment before continues it, so that a flickering detection makes no second event. What a rule
    finds of a group, such as a crowd, is a happening of that rule and zone alone.

    Args:
        rules: the camera's rules by name: how severe each is, and how long it cools down.
        max_events_per_hour: of how many events people are told; see `Announcing`.
        quiet_s: an incident is over after so long without a finding.
        new_id: gives each incident its id.
    """

    def __init__(
        self,
        rules: Mapping[str, RuleBase] | None = None,
        *,
        max_events_per_hour: int = MOST_PER_HOUR,
        quiet_s: float = QUIET_S,
        new_id: Callable[[], str] | None = None,
    ) -> None:
        self._rules = rules or {}
        self._announcing = Announcing(self._rules, max_events_per_hour)
        self._quiet_s = quiet_s
        self._new_id = new_id or uuid7
        self._open: list[Incident] = []
        self._saved: Sequence[JsonObject] = ()
        self._resume_until = -math.inf
        self._now = 0.0

    def update(self, view: View, findings: Iterable[Finding]) -> list[Action]:
        """What opens, changes and closes at this view."""
        self._now = view.monotonic
        self._announcing.look(view.captured_at, self._now)
        if self._saved:
            self._resume()
        for track in view.tracks:
            for known in self._open:
                known.follow(track, self._now)
        begun: set[str] = set()
        for finding in findings:
            incident = self._of(view, finding)
            if incident is None:
                incident = self._begin(view, finding)
                begun.add(incident.id)
            severity = self._severity(finding)
            if incident.see(view, finding, severity):
                self._ask(incident, finding.rule, severity)
        actions: list[Action] = []
        for incident in self._open:
            if incident.id in begun:
                actions.append(self._opened(incident))
            elif incident.due(self._now):
                actions.append(self._updated(incident))
        return actions + self._over(view)

    @property
    def any_open(self) -> bool:
        """Whether something goes on, or may be found to go on after a restart."""
        return bool(self._open or self._saved)

    def close_all(self, reason: Reason) -> list[Action]:
        """Close what is open: the view broke off (`discontinuity`), or the camera `stopped`."""
        closed: list[Action] = []
        for incident in self._open:
            closed += self._closed(incident, "restarted" if incident.restored else reason)
        closed += [
            Close(saved["id"], datetime.fromisoformat(saved["last_at"]), "restarted")
            for saved in self._saved
        ]
        self._open, self._saved = [], ()
        return closed

    def state(self) -> JsonObject:
        """The open incidents as JSON, times as seconds before the last view; and `memory`."""
        return {
            "open": [incident.state(self._now) for incident in self._open] + [*self._saved],
            "memory": self.memory(),
        }

    def restore(self, state: JsonObject) -> None:
        """Take over what `state` gave, before the first view.

        Incidents found again within `RESUME_WITHIN_S` of views go on under their ids; the others
        close as `restarted`.
        """
        self._saved = state["open"]
        self.recall(state["memory"])

    def memory(self) -> JsonObject:
        """Of what people were told lately, as JSON; moments as UTC time stamps."""
        return self._announcing.memory()

    def recall(self, memory: JsonObject) -> None:
        """Take over what `memory` gave, however long ago, before the first view."""
        self._announcing.recall(memory)

    def _severity(self, finding: Finding) -> Severity:
        rule = self._rules.get(finding.rule)
        return Severity.NOTICE if rule is None else rule.severity

    def _resume(self) -> None:
        self._resume_until = self._now + RESUME_WITHIN_S
        self._open += [Incident.resumed(saved, self._now) for saved in self._saved]
        self._saved = ()

    def _of(self, view: View, finding: Finding) -> Incident | None:
        """The open incident that a finding amends."""
        if finding.group or not finding.tracks:
            key = (finding.rule, finding.zone)
            return next((i for i in self._open if i.group and key in i.parts), None)
        single = [incident for incident in self._open if not incident.group]
        # Whom it speaks of first: of a bag and its owner, each may have a happening.
        for track in finding.tracks:
            for incident in single:
                if track.id in incident.tracks:
                    return incident
        return self._continued(view, finding, single)

    def _continued(
        self, view: View, finding: Finding, single: Sequence[Incident]
    ) -> Incident | None:
        """The nearest incident that this new track may go on with."""
        track = finding.tracks[0]
        box = track.detection.box
        # A track begins at its second look.
        within_s = patient(JOIN_WITHIN_S, view.period_s) + view.period_s
        near = []
        for incident in single:
            if len(incident.tracks) >= MOST_TRACKS:
                continue
            if (track.label == PERSON) != (incident.label == PERSON):
                continue
            same_place = iou(incident.box, box) >= SAME_PLACE
            if (
                same_place
                and track.label != incident.label
                and self._now - incident.seen <= within_s
            ):
                return incident
            if self._came_out_of(incident, track, within_s) or _stood_there(incident, track):
                return incident
            # If both were there at once, or one long after the other, they are two visitors.
            same_visit = incident.restored or 0 < track.first_seen - incident.seen <= within_s
            if not same_visit or (near_edge(incident.box, view.size) and not same_place):
                continue
            height = max(incident.box.height, box.height)
            distance = math.dist(incident.box.foot, box.foot)
            if distance <= (JOIN_REACH + JOIN_SPEED * (self._now - incident.seen)) * height:
                near.append((distance, incident))
        return min(near, key=lambda pair: pair[0])[1] if near else None

    def _came_out_of(self, incident: Incident, track: Track, within_s: float) -> bool:
        if track.label != PERSON or self._now - track.first_seen > within_s:
            return False
        return any(
            other.last_seen == self._now
            and other.first_seen < track.first_seen - within_s
            and iou(other.detection.box, track.detection.box) >= OUT_OF
            for other in incident.latest.values()
        )

    def _begin(self, view: View, finding: Finding) -> Incident:
        first = finding.tracks[0] if finding.tracks else None
        incident = Incident(
            id=self._new_id(),
            group=finding.group or first is None,
            label="" if first is None else first.label,
            last=view.monotonic,
            last_at=view.captured_at,
            seen=view.monotonic,
            box=Box(0, 0, 0, 0) if first is None else first.detection.box,
            told=view.monotonic,
        )
        self._open.append(incident)
        return incident

    def _ask(self, incident: Incident, rule: str, severity: Severity) -> None:
        """Whether people are told of it, since this rule has joined: each rule is asked once, so
        what began in silence stays silent unless one joins that would be told of by itself."""
        if not incident.announced:
            incident.silence = self._announcing.silence(rule, severity, self._now)
            incident.announced = incident.silence is None
        if incident.announced:
            self._announcing.told(incident.id, severity, self._now)

    def _opened(self, incident: Incident) -> Open:
        finding = incident.tell(self._now)
        severity = incident.leading.severity
        return Open(incident.id, finding, severity, incident.rules, incident.silence)

    def _updated(self, incident: Incident) -> Update:
        anew = incident.anew
        finding = incident.tell(self._now)
        severity = incident.leading.severity
        return Update(incident.id, finding, severity, incident.rules, anew, incident.announced)

    def _over(self, view: View) -> list[Action]:
        closed: list[Action] = []
        kept = []
        for incident in self._open:
            if incident.restored and self._now < self._resume_until:
                kept.append(incident)
            elif incident.restored or self._now - incident.last >= self._patience_s(incident, view):
                closed += self._closed(incident, "restarted" if incident.restored else "quiet")
            else:
                kept.append(incident)
        self._open = kept
        return closed

    def _patience_s(self, incident: Incident, view: View) -> float:
        quiet_s = patient(self._quiet_s, view.period_s)
        there = incident.seen == self._now
        if there or incident.group or near_edge(incident.box, view.size):
            return quiet_s
        return max(quiet_s, VANISHED_S)

    def _closed(self, incident: Incident, reason: Reason) -> list[Action]:
        """Its end, after what there was still to tell."""
        actions: list[Action] = []
        if incident.has_news:
            actions.append(self._updated(incident))
        if incident.announced:
            for part in incident.parts.values():
                self._announcing.ended(part.rule, incident.last)
        return [*actions, Close(incident.id, incident.last_at, reason)]


def _stood_there(incident: Incident, track: Track) -> bool:
    """Whether one of its tracks vanished, standing still, where this new one begins: who leaves
    does not stand, so it is the same, half hidden or found only now and then."""
    return any(
        old.stationary_since is not None
        and 0 < track.first_seen - old.last_seen <= VANISHED_S
        and iou(old.detection.box, track.detection.box) >= SAME_PLACE
        for old in incident.latest.values()
    )
