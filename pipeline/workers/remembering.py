"""What the parts of a camera's analysis have learned over days, gathered and given back."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from pipeline.protocols import Remembering, Rule

logger = logging.getLogger(__name__)

UNREADABLE = "Camera %s: what it had learned%s cannot be read, so it learns anew."
UNDER_WAY = "Camera %s: what was under way for its rule %s cannot be read, so the rule begins anew."
UNREADABLE_ERRORS = (AttributeError, KeyError, TypeError, ValueError)


def gathered(parts: Mapping[str, Remembering]) -> dict[str, Any]:
    """The memory of each part, by name, as JSON."""
    return {name: part.memory() for name, part in parts.items()}


def given_back(camera: str, parts: Mapping[str, Remembering], memory: Mapping[str, Any]) -> None:
    """Give each part its memory. A part whose memory cannot be read begins anew, which is said in
    the log; one that is new has none."""
    for name, part in parts.items():
        if name not in memory:
            continue
        try:
            part.recall(memory[name])
        except UNREADABLE_ERRORS:
            logger.warning(UNREADABLE, camera, f" ({name})")


def restored(camera: str, rules: Mapping[str, Rule], states: Mapping[str, Any]) -> None:
    """Let each rule go on with its state. One whose state cannot be read begins anew, which is said
    in the log."""
    for name, rule in rules.items():
        try:
            rule.restore(states[name])
        except UNREADABLE_ERRORS:
            logger.warning(UNDER_WAY, camera, name)
