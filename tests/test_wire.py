"""Events as others see them."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from happenings import NOW, ROOT, asked, created, ended, judged, updated
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from pipeline import wire
from pipeline.amendment import Amendment
from pipeline.configfile import parse_config
from pipeline.errors import ConfigError, EnvelopeError
from pipeline.store.fold import fold
from pipeline.types import Event, Outcome

CHECKER = FormatChecker()
ENVELOPE = Draft202012Validator(wire.event_schema(), format_checker=CHECKER)
CONFIG = Draft202012Validator(wire.config_schema(), format_checker=CHECKER)


def event(*amendments: Amendment) -> Event:
    folded = None
    for amendment in amendments:
        folded = fold(folded, "e1", amendment, NOW)
    assert folded is not None
    return folded


LIVES = [
    event(created()),
    event(created(zone=None, images=(), tracks=(), description="Ein Mann, 黒い犬, \u2028 “?”")),
    event(asked(), updated()),
    *(event(asked(), judged(outcome)) for outcome in Outcome),
    event(asked(), judged(), ended()),
]


def test_the_envelope_is_a_cloudevent() -> None:
    envelope = wire.to_cloudevent(event(asked(), judged()))
    data = envelope.pop("data")
    assert envelope == {
        "specversion": "1.0",
        "id": "e1:2",
        "source": "vigil://shop/back-door",
        "type": "judged",
        "subject": "e1",
        "time": "2026-11-05T02:14:07.250000Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:vigil:event:1",
    }
    assert (data["id"], data["version"], data["state"]) == ("e1", 2, "confirmed")


@pytest.mark.parametrize("event", LIVES, ids=lambda event: f"{event.type}-{event.state}")
def test_what_is_sent_is_one_line_valid_under_the_schema_and_read_back(event: Event) -> None:
    text = wire.encode(event)
    assert "\n" not in text
    ENVELOPE.validate(json.loads(text))
    assert wire.decode(text) == wire.decode(text.encode()) == event
    assert json.loads(text) == wire.to_cloudevent(event)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("time", "yesterday"),
        ("specversion", "0.3"),
        ("type", "melted"),
        ("id", None),
        ("dataschema", "urn:vigil:event:2"),
        ("data.score", 1.5),
        ("data.score", None),
        ("data.state", "maybe"),
        ("data.started", "2026-11-05 02:14"),
        ("data.frame_size", [640]),
    ],
)
def test_what_is_no_event_is_refused_by_the_schema_and_by_the_reader(part: str, value: Any) -> None:
    envelope = wire.to_cloudevent(LIVES[0])
    holder, _, key = f".{part}".rpartition(".")
    (envelope["data"] if holder else envelope)[key] = value
    with pytest.raises(ValidationError):
        ENVELOPE.validate(envelope)
    if part != "data.started":  # the reader knows more ways to write a time
        with pytest.raises(EnvelopeError, match=part):
            wire.decode(json.dumps(envelope))


def test_what_a_later_version_or_a_broker_adds_breaks_no_reader() -> None:
    envelope = wire.to_cloudevent(LIVES[0])
    envelope["traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    envelope["data"]["unheard_of"] = {"deep": 1}
    envelope["data"]["tracks"][0]["unheard_of"] = 1
    ENVELOPE.validate(envelope)
    assert wire.decode(json.dumps(envelope)) == LIVES[0]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", b"\xff\xfe", '{"specversion": "1.0"}']
)
def test_what_is_no_envelope_is_a_typed_error_of_one_line(text: str | bytes) -> None:
    with pytest.raises(EnvelopeError, match=r"^A message is no event.*\.$") as refused:
        wire.decode(text)
    assert "\n" not in str(refused.value)


def test_an_envelope_that_contradicts_its_data_is_refused() -> None:
    envelope = wire.to_cloudevent(LIVES[0]) | {"id": "e2:1"}
    with pytest.raises(EnvelopeError, match="not those of data"):
        wire.decode(json.dumps(envelope))


def test_the_schema_of_the_data_is_the_one_that_the_envelope_names() -> None:
    schema = wire.event_schema()
    data = schema["$defs"]["Event"]
    assert data["$id"] == wire.to_cloudevent(LIVES[0])["dataschema"]
    Draft202012Validator(data, format_checker=CHECKER).validate(
        wire.to_cloudevent(LIVES[0])["data"]
    )


@pytest.mark.parametrize("name", wire.schemas())
def test_the_published_schemas_are_those_of_the_models(name: str) -> None:
    committed = (ROOT / "docs" / "schemas" / name).read_text(encoding="utf-8")
    assert committed == wire.schemas()[name], "generate docs/schemas anew from the models"


@pytest.mark.parametrize("text", wire.schemas().values(), ids=wire.schemas())
def test_the_schemas_are_valid_and_named(text: str) -> None:
    schema = json.loads(text)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"].startswith("urn:vigil:")


GOOD = [
    "cameras: {door: 'rtsp://192.0.2.20/stream1'}",
    "cameras: {door: {source: webcam:0}}",
    """
site: shop
redis: embedded
cameras:
  back-door:
    name: the back door
    source: rtsp://192.0.2.20/stream1
    detect: {fps: 5, labels: [person, car]}
    zones:
      step: [[0.1, 0.5], [0.9, 0.5], [0.9, 1.0], [0.1, 1.0]]
      yard: {name: the yard, polygon: [[0, 0], [1, 0], [1, 1]]}
    rules:
      lingers: {type: loiter, zone: step, seconds: 30, severity: alert}
""",
]
BAD = [
    "{}",
    "cameras: {}",
    "cameras: {Door: {source: webcam:0}}",
    "cameras: {door: {}}",
    "cameras: {door: {source: webcam:0, colour: red}}",
    "cameras: {door: {source: webcam:0, zones: {step: [[0.1, 0.5], [0.9, 0.5]]}}}",
    "cameras: {door: {source: webcam:0, rules: {a: {zone: step}}}}",
    "cameras: {door: {source: webcam:0, rules: {a: {type: juggle}}}}",
    "cameras: {door: {source: webcam:0, rules: {a: {type: zone, seconds: 3}}}}",
]


@pytest.mark.parametrize("text", GOOD)
def test_an_editor_takes_what_the_program_takes(text: str, tmp_path: Path) -> None:
    CONFIG.validate(yaml.safe_load(text))
    parse_config(text, where="streams.yaml", folder=tmp_path)


@pytest.mark.parametrize("text", BAD)
def test_an_editor_marks_what_the_program_refuses(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        CONFIG.validate(yaml.safe_load(text))
    with pytest.raises(ConfigError, match=r"streams\.yaml"):
        parse_config(text, where="streams.yaml", folder=tmp_path)


def test_no_default_is_hidden_as_if_it_were_a_secret() -> None:
    assert wire.config_schema()["properties"]["redis"]["default"] == "embedded"
    assert "****" not in wire.schemas()["config.schema.json"]


def test_times_are_sent_with_their_zone() -> None:
    local = datetime.fromisoformat("2026-11-05T04:14:07.25+02:00")
    envelope = wire.to_cloudevent(fold(None, "e1", created(started=local), local))
    assert datetime.fromisoformat(envelope["time"]) == NOW
    assert datetime.fromisoformat(envelope["data"]["started"]) == NOW
