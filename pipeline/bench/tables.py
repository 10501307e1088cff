"""What was measured, as tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; all but its first column are figures, and stand at the right."""
    lines = [_line(heads), "| --- |" + " ---: |" * (len(heads) - 1)]
    return "\n".join([*lines, *(_line(row) for row in rows)]) + "\n"


def of_spread(found: Mapping[str, Any] | None, unit: str = "") -> str:
    """What `spread` gave: "24.1 (22.0 to 25.3) frames/s"."""
    if found is None:
        return ""
    told = f"{found['median']:g} ({found['min']:g} to {found['max']:g})"
    return f"{told} {unit}".rstrip()


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
