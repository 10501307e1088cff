"""Of which happenings people are told: caps per hour, and rules that cool down."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from pipeline.protocols import JsonObject
from pipeline.rule_config import RuleBase
from pipeline.types import Severity

HOUR_S = 3600.0
LONGEST_COOLDOWN_S = 86_400.0
"""As the configuration allows; what ended longer ago need not be remembered."""


class Silence(StrEnum):
    """Why nobody is told of an event."""

    CAPPED = "capped"
    """The camera has had as many events of this severity, or a higher one, within an hour."""
    COOLDOWN = "cooldown"
    """The rule's last event ended too short a time ago."""


class Announcing:
    """Knows of which events of one camera people were told lately, and so of which they may be.

    An event finds no room when as many of its severity *or a higher one* were told of within the
    hour: whatever is less severe never takes the room of what is more severe. A rule's cool-down
    counts from the end of its last event that was told of; silent ones do not lengthen it, or
    events that never stop would be silent for good.

    Moments are `monotonic` seconds; over restarts they are kept as UTC.
    """

    def __init__(self, rules: Mapping[str, RuleBase], most_per_hour: int) -> None:
        self._rules = rules
        self._most_per_hour = most_per_hour
        self._told: dict[str, tuple[float, Severity]] = {}
        self._ended: dict[str, float] = {}
        self._remembered: list[JsonObject] = []
        self._clock: tuple[datetime, float] | None = None

    def look(self, captured_at: datetime, now: float) -> None:
        """It is `now`; the camera's clock shows `captured_at`."""
        self._clock = (captured_at, now)
        for memory in self._remembered:
            self._recall(memory, captured_at, now)
        self._remembered = []
        for event_id in [key for key, (at, _) in self._told.items() if now - at >= HOUR_S]:
            del self._told[event_id]

    def silence(self, rule: str, severity: Severity, now: float) -> Silence | None:
        """Why nobody is told of an event that this rule begins or joins now; None if they are."""
        settings = self._rules.get(rule)
        ended = self._ended.get(rule)
        if settings is not None and ended is not None and now - ended < settings.cooldown_s:
            return Silence.COOLDOWN
        ranks = [told.rank for _, told in self._told.values()]
        if sum(rank >= severity.rank for rank in ranks) >= self._most_per_hour:
            return Silence.CAPPED
        return None

    def told(self, event_id: str, severity: Severity, now: float) -> None:
        """People are told of an event, or that it is so severe."""
        at, before = self._told.get(event_id, (now, severity))
        self._told[event_id] = (at, max(severity, before, key=lambda each: each.rank))

    def ended(self, rule: str, at: float) -> None:
        """An event that people were told of, and in which this rule took part, is over."""
        self._ended[rule] = max(at, self._ended.get(rule, at))

    def memory(self) -> JsonObject:
        """As JSON; moments as UTC time stamps."""
        told: JsonObject = {}
        ended: JsonObject = {}
        for memory in self._remembered:
            told |= memory["told"]
            ended |= memory["ended"]
        if self._clock is not None:
            captured_at, now = self._clock

            def stamp(at: float) -> str:
                return (captured_at + timedelta(seconds=at - now)).isoformat()

            told = {key: [stamp(at), severity.value] for key, (at, severity) in self._told.items()}
            ended = {
                rule: stamp(at) for rule, at in self._ended.items() if now - at < LONGEST_COOLDOWN_S
            }
        return {"told": told, "ended": ended}

    def recall(self, memory: JsonObject) -> None:
        """Take over what `memory` gave, before the first view; twice the same is as once.

        Raises:
            AttributeError, KeyError, TypeError, ValueError: it is no such memory.
        """
        if memory:
            for stamp, severity in memory["told"].values():
                _ = datetime.fromisoformat(stamp), Severity(severity)
            for stamp in memory["ended"].values():
                datetime.fromisoformat(stamp)
            self._remembered.append(memory)

    def _recall(self, memory: JsonObject, captured_at: datetime, now: float) -> None:
        def moment(stamp: str) -> float:
            # What lies in the future by a clock that was set back since was just now.
            ago_s = (captured_at - datetime.fromisoformat(stamp)).total_seconds()
            return now - max(ago_s, 0.0)

        for event_id, (stamp, severity) in memory["told"].items():
            self._told[event_id] = (moment(stamp), Severity(severity))
        for rule, stamp in memory["ended"].items():
            self.ended(rule, moment(stamp))
