"""What makes an event, as its users write it in streams.yaml."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from pipeline.schedule_config import Schedule
from pipeline.section import Section
from pipeline.types import Severity

OWN = "module:attribute"
"""How a rule of the user's own is told from the others; see `OwnRule`."""


class RuleBase(Section):
    zone: str | None = None
    """A zone of this camera; without one the whole picture counts."""
    labels: Annotated[tuple[str, ...], Field(min_length=1)] = ("person",)
    """Which of the detected classes count."""
    schedule: Schedule | None = None
    """When it counts: days and hours, such as {days: mon-fri, hours: "22:00-06:00"}, or a list of
    such; always if not given."""
    severity: Severity = Severity.NOTICE
    """How much its events matter; part of their Pub/Sub channel."""
    cooldown_s: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    """Events of this rule that begin so soon after its last one ended are kept, but nobody is told
    of them."""
    question: str | None = None
    """What the vision-language model is asked, answerable by Yes or No; the rule has its own."""
    verify: Literal["none", "model"] = "model"
    """Whether a configured model is asked about this rule's events."""

    @property
    def waits_s(self) -> float:
        """Seconds from the beginning of what it finds until it can find it."""
        return 0.0

    @property
    def posture(self) -> bool:
        """Whether it matters how a person moves who stays in one place."""
        return False


class ZoneRule(RuleBase):
    """Something of these labels is in the zone, or in the picture."""

    type: Literal["zone"] = "zone"
    on: Literal["inside", "enter", "leave"] = "inside"
    """Whether it is told of what is inside, of what comes in from outside, or of what goes out."""


class LineRule(RuleBase):
    """Something of these labels crosses a line."""

    type: Literal["line"]
    line: str
    """A line of this camera."""
    direction: Literal["both", "to_left", "to_right"] = "both"
    """Which crossings count; left and right are those of somebody who goes along the line."""


class LoiterRule(RuleBase):
    """Something of these labels stays in the zone, or in the picture, for longer than allowed."""

    type: Literal["loiter"]
    seconds: Annotated[float, Field(gt=0, le=86_400)] = 30.0
    """How long it may stay."""

    @property
    def waits_s(self) -> float:
        """As `RuleBase.waits_s`."""
        return self.seconds


class CrowdRule(RuleBase):
    """Many are in the zone, or in the picture, at once."""

    type: Literal["crowd"]
    count: Annotated[int, Field(ge=2, le=1000)] = 5
    """So many, or more..."""
    seconds: Annotated[float, Field(ge=0, le=3600)] = 5.0
    """...for so long."""
    growing_by: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Also needed, if given: so many more than there were..."""
    growing_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """...within so many seconds."""

    @property
    def waits_s(self) -> float:
        """As `RuleBase.waits_s`."""
        return self.seconds


class SpeedRule(RuleBase):
    """Something of these labels runs, or goes the wrong way."""

    type: Literal["speed"]
    above: Annotated[float, Field(gt=0, le=20)] | None = None
    """Faster than this, in its own heights per second: a walk is about 0.8, a run 1.5 to 3. If
    neither this nor `way` is given: 1.4."""
    way: Annotated[float, Field(ge=0, lt=360)] | None = None
    """The right way, in degrees clockwise: 0 is up in the picture, 90 to the right. What goes
    against it, within 60 degrees, is found."""
    seconds: Annotated[float, Field(gt=0, le=60)] = 1.0
    """For so long."""

    @property
    def waits_s(self) -> float:
        """As `RuleBase.waits_s`."""
        return self.seconds


class FallRule(RuleBase):
    """Somebody goes down and stays down."""

    type: Literal["fall"]
    severity: Severity = Severity.ALERT
    """How much its events matter; part of their Pub/Sub channel."""
    seconds: Annotated[float, Field(ge=0, le=3600)] = 1.0
    """How long somebody must stay down."""

    @property
    def posture(self) -> bool:
        """As `RuleBase.posture`."""
        return True

    @property
    def waits_s(self) -> float:
        """As `RuleBase.waits_s`."""
        return self.seconds


class AbandonedRule(RuleBase):
    """A thing stands there, and nobody is near it."""

    type: Literal["abandoned"]
    labels: Annotated[tuple[str, ...], Field(min_length=1)] = ("backpack", "handbag", "suitcase")
    """Which of the detected classes are such things; people are looked for besides."""
    seconds: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    """For so long."""
    near: Annotated[float, Field(gt=0, le=20)] = 1.5
    """Who is within so many of their own heights is near."""

    @property
    def waits_s(self) -> float:
        """As `RuleBase.waits_s`."""
        return self.seconds


class PresenceRule(RuleBase):
    """Something of these labels is there out of hours."""

    type: Literal["presence"]
    open: Schedule
    """When it may be there: days and hours, such as {days: mon-fri, hours: "08:00-18:00"}, or a
    list of such."""


class NoveltyRule(RuleBase):
    """Something of these labels is there in a way that is unusual for this camera and hour."""

    type: Literal["novelty"]
    warm_up_hours: Annotated[float, Field(ge=0, le=8760)] = 72.0
    """It learns so long in silence..."""
    warm_up_passages: Annotated[int, Field(ge=10, le=100_000)] = 100
    """...and until so many have passed."""
    forget_days: Annotated[float, Field(gt=0, le=3650)] = 30.0
    """What it has learned counts half after so long."""
    per_day: Annotated[float, Field(gt=0, le=1000)] = 0.5
    """So many usual passages a day, at most, may be taken for unusual: the limit of surprise
    follows from it."""


class OwnRule(RuleBase):
    """A rule of your own, found by `module:attribute`; see docs/rules.md."""

    type: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
    """Such as my_rules:Limping, importable by this installation's Python."""
    options: dict[str, Any] = Field(default={})
    """What it is given."""

    @property
    def posture(self) -> bool:
        """As `RuleBase.posture`; nobody knows."""
        return True


def _type(value: Any) -> str | None:
    name = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return OWN if isinstance(name, str) and ":" in name else name


Rule = Annotated[
    Annotated[ZoneRule, Tag("zone")]
    | Annotated[LineRule, Tag("line")]
    | Annotated[LoiterRule, Tag("loiter")]
    | Annotated[CrowdRule, Tag("crowd")]
    | Annotated[SpeedRule, Tag("speed")]
    | Annotated[FallRule, Tag("fall")]
    | Annotated[AbandonedRule, Tag("abandoned")]
    | Annotated[PresenceRule, Tag("presence")]
    | Annotated[NoveltyRule, Tag("novelty")]
    | Annotated[OwnRule, Tag(OWN)],
    Discriminator(_type),
]
DEFAULT_RULES: dict[str, Any] = {"person": ZoneRule()}
