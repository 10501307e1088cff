"""What is wrong in a configuration, as people would say it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, get_args, get_origin

from pydantic import ValidationError

from pipeline.config import Camera, CameraDefaults, Config, Section

_PROBLEMS = {
    "dict_type": "keys and values belong here, such as {key: value}",
    "missing": "this key is required",
    "model_type": "keys and values belong here, such as {key: value}",
    "path_type": "write the name of a folder",
    "tuple_type": "write a list, such as [a, b]",
    "union_tag_not_found": "write the rule's `type`, such as zone, line or loiter",
}
"""What is wrong, by pydantic's name for it, where its own words are none for people."""

Path_ = tuple[str | int, ...]


def mistakes(error: ValidationError, lines: Mapping[Path_, int]) -> list[str]:
    """Each mistake that pydantic found, in a sentence with its line. Entries that are too few only
    because pydantic left out wrong ones are not told of."""
    found = error.errors(include_url=False)
    return [_sentence(item, lines) for item in found if not _follows(item, found)]


def _follows(item: Any, found: list[Any]) -> bool:
    within = item["loc"]
    return item["type"] == "too_short" and any(
        len(other["loc"]) > len(within) and other["loc"][: len(within)] == within for other in found
    )


def dotted(path: Path_) -> str:
    """A key with those that it stands under."""
    return ".".join(str(part) for part in path) or "the file"


def _sentence(item: Any, lines: Mapping[Path_, int]) -> str:
    """One mistake that pydantic found, as people would say it; never with the value, which may
    be a password."""
    path = tuple(part for part in item["loc"] if part != "[key]")
    holder = {"cameras": 2, "defaults": 1}.get(str(path[0])) if path else None
    if holder is not None and path[holder : holder + 1] == ("rules",):
        # In a union of rules pydantic adds the rule's type to the path; the file has no such key.
        path = path[: holder + 2] + path[holder + 3 :]
    problem = _problem(item, path)
    # What is found wrong between two keys begins with the one that is to be mended.
    whole = (*path, *problem.partition(": ")[0].split("."))
    known = next((lines[whole[:n]] for n in range(len(whole), 0, -1) if whole[:n] in lines), None)
    place = f"line {known}, {dotted(path)}" if known else dotted(path)
    return f"{place}: {problem}" + ("" if problem.endswith("?") else ".")


def _problem(item: Any, path: Path_) -> str:
    context = item.get("ctx", {})
    match item["type"]:
        case "extra_forbidden":
            return _unknown(path)
        case "too_short":
            return _too_few(path, context)
        case "union_tag_invalid":
            return f"there is no rule of this type; known are {context['expected_tags']}"
        case "less_than_equal" if _is_place(path):
            return "write fractions of the picture, from 0 to 1, not pixels"
        case "greater_than_equal" if _is_place(path):
            return "write fractions of the picture, from 0 to 1"
        case "string_pattern_mismatch" if path[-1] == "type":
            return "write a rule of your own as module:attribute, such as my_rules:Limping"
        case "string_pattern_mismatch":
            return "use lower-case letters, digits, - and _ only"
        case "value_error":
            return str(context["error"])
        case _:
            message: str = item["msg"]
            return _PROBLEMS.get(item["type"], message[0].lower() + message[1:])


def _unknown(path: Path_) -> str:
    """What to do about a key that is known nowhere, or elsewhere."""
    key = str(path[-1])
    if len(path) == 1 and key in CameraDefaults.model_fields:
        return "this belongs to a camera, or to all of them under `defaults`; move it there"
    here = {name for section in _sections(path[:-1]) for name in section.model_fields}
    if key in here:
        return "rules of this type have no such key; remove it"
    if key in Config.model_fields:
        return "this belongs at the top of the file; move it there"
    if key in Camera.model_fields:
        return "this belongs to a camera; move it there"
    if near := difflib.get_close_matches(key, here, n=1):
        return f"unknown key; did you mean `{near[0]}`?"
    for name, field in Camera.model_fields.items():
        if any(key in section.model_fields for section in _of_type(field.annotation)):
            return f"this belongs under a camera's `{name}`; move it there"
    return "unknown key; remove it"


def _sections(path: Path_) -> list[type[Section]]:
    """The kinds of section that may stand at a place of the file."""
    kinds: list[Any] = [Config]
    for part in path:
        kinds = [below for kind in kinds for below in _below(kind, part)]
    return [section for kind in kinds for section in _of_type(kind)]


def _below(kind: Any, part: str | int) -> list[Any]:
    """The types of what stands under a key, or at a place, of something of a type."""
    if isinstance(kind, type) and issubclass(kind, Section):
        field = kind.model_fields.get(str(part))
        return [] if field is None else [field.annotation]
    inner = get_args(kind)
    if isinstance(get_origin(kind), type) and issubclass(get_origin(kind), Mapping):
        return [inner[1]]
    return [below for one in inner for below in _below(one, part)]


def _of_type(kind: Any) -> list[type[Section]]:
    """The sections that something of a type may be."""
    if isinstance(kind, type) and issubclass(kind, Section):
        return [kind]
    if isinstance(get_origin(kind), type) and issubclass(get_origin(kind), Mapping):
        return []
    return [section for one in get_args(kind) for section in _of_type(one)]


def _is_place(path: Path_) -> bool:
    """Whether it is a coordinate."""
    return isinstance(path[-1], int) and bool({"zones", "lines", "masks"} & set(path))


def _too_few(path: Path_, context: Mapping[str, Any]) -> str:
    least, here = context["min_length"], context["actual_length"]
    if path[-1] == "points" or "lines" in path:
        return f"a line needs at least {least} points, here are {here}"
    if path[-1] == "polygon" or "zones" in path or "masks" in path:
        return f"a polygon needs at least {least} points, here are {here}"
    if path[-1] == "token":
        return f"needs at least {least} letters; `openssl rand -hex 32` makes some"
    return f"needs at least {least} entry"
