"""What makes an event, as its users write it in streams.yaml, and the base of all such sections."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FieldSerializationInfo,
    SecretStr,
    field_serializer,
)

from pipeline.types import Severity

Key = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
"""A name used in addresses: lower-case letters, digits, - and _."""


class Section(BaseModel):
    """Base of every part of the configuration."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )

    @field_serializer("*", when_used="json", check_fields=False)
    def _reveal(self, value: Any, info: FieldSerializationInfo) -> Any:
        """Secrets stay hidden unless the writer says otherwise (to hand them to a worker)."""
        if isinstance(value, SecretStr) and (info.context or {}).get("reveal"):
            return value.get_secret_value()
        return value


class RuleBase(Section):
    zone: str | None = None
    """A zone of this camera; without one the whole picture counts."""
    labels: Annotated[tuple[str, ...], Field(min_length=1)] = ("person",)
    """Which of the detected classes count."""
    severity: Severity = Severity.NOTICE
    """How much its events matter; part of their Pub/Sub channel."""
    cooldown_s: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    """Events of this rule that begin so soon after its last one ended are kept, but nobody is told
    of them."""
    question: str | None = None
    """What the vision-language model is asked, answerable by Yes or No; the rule has its own."""
    verify: Literal["none", "model"] = "model"
    """Whether a configured model is asked about this rule's events."""


class ZoneRule(RuleBase):
    """Something of these labels is in the zone, or in the picture."""

    type: Literal["zone"] = "zone"


class LoiterRule(RuleBase):
    """Something of these labels stays in the zone, or in the picture, for longer than allowed."""

    type: Literal["loiter"]
    seconds: Annotated[float, Field(gt=0, le=86_400)] = 30.0
    """How long it may stay."""


Rule = Annotated[ZoneRule | LoiterRule, Field(discriminator="type")]
DEFAULT_RULES: dict[str, Any] = {"person": ZoneRule()}
