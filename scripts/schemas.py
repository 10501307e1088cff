"""Writes what is generated from the models: docs/schemas/*.json and docs/configuration.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.wire import config_schema, schemas

DOCS = Path(__file__).resolve().parent.parent / "docs"
ORDER = (
    "Config",
    "CameraDefaults",
    "Camera",
    "Detect",
    "ZoneSection",
    "LineSection",
    "ZoneRule",
    "LineRule",
    "LoiterRule",
    "CrowdRule",
    "SpeedRule",
    "FallRule",
    "AbandonedRule",
    "PresenceRule",
    "NoveltyRule",
    "OwnRule",
    "Window",
    "Record",
    "Health",
    "Storage",
    "Web",
    "Describer",
)
TITLES = {
    "Config": "The whole file",
    "CameraDefaults": "`defaults`",
    "Camera": "A camera, under `cameras`",
    "Detect": "`detect`",
    "ZoneSection": "A zone, under a camera's `zones`",
    "LineSection": "A line, under a camera's `lines`",
    "ZoneRule": "A rule of type `zone`, under `rules`",
    "LineRule": "A rule of type `line`, under `rules`",
    "LoiterRule": "A rule of type `loiter`, under `rules`",
    "CrowdRule": "A rule of type `crowd`, under `rules`",
    "SpeedRule": "A rule of type `speed`, under `rules`",
    "FallRule": "A rule of type `fall`, under `rules`",
    "AbandonedRule": "A rule of type `abandoned`, under `rules`",
    "PresenceRule": "A rule of type `presence`, under `rules`",
    "NoveltyRule": "A rule of type `novelty`, under `rules`",
    "OwnRule": "A rule of your own, under `rules`",
    "Window": "Hours of the week, under `schedule` and `open`",
    "Record": "`record`",
    "Health": "`health`",
    "Storage": "`storage`",
    "Web": "`web`",
    "Describer": "`describer`",
}


def configuration_page() -> str:
    """The list of all keys, from the published schema."""
    schema = config_schema()
    sections = {"Config": schema, **schema["$defs"]}
    lines = [
        "# Every key of streams.yaml",
        "",
        "Written from the models by `make schemas`; `config.schema.json` says the same to editors.",
        "A camera may be written as its source alone, a zone as its polygon alone. `${NAME}` in any"
        " text is taken from the environment, or from a file `.env` beside the configuration.",
    ]
    for name in ORDER:
        section = sections[name]
        lines += ["", f"## {TITLES[name]}", ""]
        if "description" in section and name != "Config":
            lines += [section["description"], ""]
        lines += ["| key | value | default | what it does |", "| --- | --- | --- | --- |"]
        required = section.get("required", [])
        for key, value in section["properties"].items():
            default = "required" if key in required and key != "type" else _default(value)
            lines.append(f"| `{key}` | {_kind(value)} | {default} | {_what(value)} |")
    return "\n".join(lines) + "\n"


def _what(value: dict[str, Any]) -> str:
    return " ".join(value.get("description", "").split())


def _default(value: dict[str, Any]) -> str:
    default = value.get("default", value.get("const"))
    if default is None or isinstance(default, dict):
        return ""
    if isinstance(default, list):
        return ", ".join(f"`{item}`" for item in default)
    return f"`{default}`"


def _kind(value: dict[str, Any]) -> str:
    """The values a key takes, in words."""
    if "anyOf" in value:
        kinds = [_kind(option) for option in value["anyOf"] if option.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{item}`" for item in value["enum"])
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        if name == "Severity":
            return "`info`, `notice`, `alert`"
        return f"see {TITLES[name]}" if name in TITLES else "text"
    kind = {"string": "text", "integer": "whole number", "boolean": "yes or no"}
    kind |= {"number": "number", "array": "list", "object": "by name"}
    text = kind.get(value.get("type", ""), "text")
    limits = [
        f"{sign} {value[key]:g}"
        for key, sign in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
            ("multipleOf", "a multiple of"),
        )
        if key in value
    ]
    return ", ".join([text, *limits])


def main() -> None:
    for name, text in schemas().items():
        (DOCS / "schemas" / name).write_text(text, encoding="utf-8")
    (DOCS / "configuration.md").write_text(configuration_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
