"""Events as others see them: CloudEvents 1.0 in JSON, and the published schemas.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

from __future__ import annotations

import json
from typing import Any, Final, Literal, Self
from urllib.parse import quote

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from pipeline.config import Config
from pipeline.errors import EnvelopeError
from pipeline.types import Event, EventType

EVENT_SCHEMA: Final = "urn:vigil:event:1"
"""Names the shape of an envelope's `data`; its number rises when readers would break, which
they do not where a key is added."""
ENVELOPE_SCHEMA = "urn:vigil:cloudevent:1"
CONFIG_SCHEMA = "urn:vigil:config:1"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Envelope(BaseModel):
    """One version of one event as a CloudEvent. `id` is unique within `source`."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_serialization_defaults_required=True
    )

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: EventType
    subject: str
    time: AwareDatetime
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: Literal["urn:vigil:event:1"] = EVENT_SCHEMA
    data: Event

    @classmethod
    def of(cls, event: Event) -> Self:
        return cls(
            id=f"{event.id}:{event.version}",
            source=f"vigil://{quote(event.site, safe='')}/{quote(event.camera, safe='')}",
            type=event.type,
            subject=event.id,
            time=event.updated_at,
            data=event,
        )

    @model_validator(mode="after")
    def _tells_of_its_data(self) -> Self:
        if (self.id, self.type) != (f"{self.data.id}:{self.data.version}", self.data.type):
            raise ValueError("id and type are not those of data")
        return self


def to_cloudevent(event: Event) -> dict[str, Any]:
    """An event's envelope as plain JSON values."""
    return Envelope.of(event).model_dump(mode="json")


def encode(event: Event) -> str:
    """An event's envelope as JSON text on one line."""
    return Envelope.of(event).model_dump_json()


def decode(text: str | bytes) -> Event:
    """The event in an envelope. What a later version has added to it is passed over.

    Raises:
        EnvelopeError: it is no JSON, no CloudEvent, or not an event of this program's version.
    """
    try:
        return Envelope.model_validate_json(text, extra="ignore").data
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise EnvelopeError(
            f"A message is no event that this version of vigil knows: {where}: {first['msg']}."
        ) from None


def event_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of the envelope; that of its data lies inside under its own `$id`.

    Keys that it does not name are allowed, so that what is added breaks no reader.
    """
    schema = Envelope.model_json_schema(mode="serialization")
    schema["$defs"] = {
        "EventType": schema["$defs"]["EventType"],
        "Event": {
            "$schema": _DIALECT,
            "$id": EVENT_SCHEMA,
            **Event.model_json_schema(mode="serialization"),
        },
    }
    schema["properties"]["data"] = {"$ref": EVENT_SCHEMA}
    open_to_more: dict[str, Any] = _opened({"$schema": _DIALECT, "$id": ENVELOPE_SCHEMA, **schema})
    return open_to_more


def _opened(schema: Any) -> Any:
    """A schema in which no object refuses keys that it does not name."""
    if isinstance(schema, list):
        return [_opened(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _opened(part)
        for key, part in schema.items()
        if (key, part) != ("additionalProperties", False)
    }


class _ForEditors(GenerateJsonSchema):
    """As strict as reading the file is, so that an editor marks what would be refused."""

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        made = super().dict_schema(schema)
        if "patternProperties" in made:
            made["additionalProperties"] = False
        return made

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        made = super().tagged_union_schema(schema)
        # The tag is wanted even where a member has a default for it.
        return {**made, "required": ["type"]}

    def encode_default(self, dft: Any) -> Any:
        # What is a default is no secret.
        return super().encode_default(dft.get_secret_value() if isinstance(dft, SecretStr) else dft)


def config_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of streams.yaml, for editors."""
    schema = Config.model_json_schema(mode="validation", schema_generator=_ForEditors)
    # Two things may be written short: a zone as its polygon, a camera as its source.
    polygon = schema["$defs"]["ZoneSection"]["properties"]["polygon"]
    for holder, short in (
        (schema["$defs"]["Camera"]["properties"]["zones"], polygon),
        (schema["properties"]["cameras"], {"type": "string"}),
    ):
        for pattern, long in holder["patternProperties"].items():
            holder["patternProperties"][pattern] = {"anyOf": [long, short]}
    return {"$schema": _DIALECT, "$id": CONFIG_SCHEMA, **schema}


def schemas() -> dict[str, str]:
    """The published schemas as text, by file name; docs/schemas holds the same."""
    made = {"event.schema.json": event_schema(), "config.schema.json": config_schema()}
    return {
        name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in made.items()
    }
