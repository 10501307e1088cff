"""What happens to happenings: they open, change and close."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pipeline.incidents.announcing import Silence
from pipeline.types import EventRule, Finding, Severity

Reason = Literal["quiet", "discontinuity", "stopped", "restarted"]


@dataclass(frozen=True, slots=True)
class Open:
    """A new happening; `incident_id` becomes the event's id.

    `finding` is the leading one, with the tracks of all. `severity` is None where that is the
    rule's own. Nobody is to be told of it where `silence` says why.
    """

    incident_id: str
    finding: Finding
    severity: Severity | None = None
    rules: tuple[EventRule, ...] = ()
    silence: Silence | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """A happening has something new to tell: it is stronger, another track or rule has joined.

    `anew` is true where another, more severe finding leads from now on, or where nobody was told
    of it before: what is told is then told as at a beginning. `announced` is whether people are
    told.
    """

    incident_id: str
    finding: Finding
    severity: Severity | None = None
    rules: tuple[EventRule, ...] = ()
    anew: bool = False
    announced: bool = True


@dataclass(frozen=True, slots=True)
class Close:
    """A happening is over since `at`, when it was last found to hold."""

    incident_id: str
    at: datetime
    reason: Reason


Action = Open | Update | Close
