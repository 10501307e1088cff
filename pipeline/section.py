"""The base of all sections of the configuration."""

from __future__ import annotations

import zoneinfo
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FieldSerializationInfo,
    SecretStr,
    field_serializer,
)

Key = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
"""A name used in addresses: lower-case letters, digits, - and _."""


def _known(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    # What a folder of them is named, or what no file can be named, is an error of the system's.
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("write an IANA name such as Europe/Lisbon") from None
    return name


TimeZone = Annotated[str, AfterValidator(_known)]
"""The IANA name of a time zone."""


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
