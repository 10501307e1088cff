"""Rules of the user's own, found by `module:attribute`; see docs/rules.md.

Such a rule is not this program's code. Whatever it raises becomes one sentence, and what it gives
is looked at before others rely on it, so that it cannot take its camera down.
"""

from __future__ import annotations

import json
import logging
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, TypeVar

from pipeline.config import OwnRule
from pipeline.errors import ConfigError
from pipeline.own import failing_as, imported
from pipeline.protocols import JsonObject, Remembering, Rule
from pipeline.redact import redact
from pipeline.types import Finding, Track, View, Zone

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

METHODS = ("update", "state", "restore")
TELL_EVERY_S = 60.0
"""How often the log tells of a rule that fails."""
MOST_FINDINGS = 100
"""So many findings of a look count."""
LONGEST_TEXT = 1000
"""So many characters of a sentence or question count."""
MOST_EVIDENCE = 100
"""So many numbers of a finding's evidence count."""
LONGEST_NAME = 100
"""So many characters of the name of such a number count."""
LONGEST_S = 366 * 86_400.0
"""What a finding tells of has begun at most so long ago: a year, while dates end some time."""


def own_rule(key: str, config: OwnRule, zone: Zone | None) -> Rule:
    """The rule that `config.type` names, called with these three.

    Raises:
        ConfigError: it cannot be imported, fails when it is made, or is no rule.
    """
    where = f"rules.{key}.type"
    make = imported(config.type, where)

    def failure(error: BaseException) -> ConfigError:
        return ConfigError(f"{where}: {config.type} failed ({_said(error)}); correct it.")

    with failing_as(failure):
        rule = make(key, config, zone)
        missing = [name for name in METHODS if not callable(getattr(rule, name, None))]
    if missing:
        raise ConfigError(
            f"{where}: {config.type} gives no rule, for it has no method {missing[0]!r}; "
            "see docs/rules.md."
        )
    return OwnMemory(key, config, rule) if isinstance(rule, Remembering) else Own(key, config, rule)


class _Failed(Exception):
    """The user's rule failed; the message says how."""


class Own:
    """Passes on what a rule of the user's own finds.

    A look in which it fails, or gives what cannot be used, is counted in `failures`, told in the
    log, at most once in `TELL_EVERY_S`, and has no findings of it; the next look is tried again.
    Where it gives too much, what is within the limits counts, and that is told in the same way.
    """

    def __init__(self, key: str, config: OwnRule, rule: Any) -> None:
        self._key, self._type, self._rule = key, config.type, rule
        self.failures = 0
        self._untold: Counter[str] = Counter()
        self._told: dict[str, float] = {}
        self._camera = ""
        self._now = 0.0
        self._saved: dict[str, JsonObject] = {}
        """What it has still to take over, by the method that does it."""

    def update(self, view: View) -> list[Finding]:
        """Its findings, under this rule's name."""
        self._camera, self._now = view.camera, view.monotonic
        saved, self._saved = self._saved, {}
        for method, value in saved.items():
            self._tried(None, self._ask, method, value)
        return self._tried([], self._found, view)

    def state(self) -> JsonObject:
        return self._json("state", "restore")

    def restore(self, state: JsonObject) -> None:
        # With the first view, so that a failure can be told of with the camera's name.
        self._saved["restore"] = state

    def _json(self, method: str, taken_by: str) -> JsonObject:
        """What it wants kept; nothing, where it fails."""
        if taken_by in self._saved:
            return self._saved[taken_by]
        return self._tried({}, self._plain, method)

    def _tried(self, instead: Result, do: Callable[..., Result], *given: Any) -> Result:
        try:
            return do(*given)
        except _Failed as error:
            self.failures += 1
            self._tell("is left out of this look", str(error))
            return instead

    def _tell(self, what: str, why: str) -> None:
        """In the log, unless the same was told of lately."""
        self._untold[what] += 1
        if self._now - self._told.get(what, -math.inf) < TELL_EVERY_S:
            return
        times = self._untold.pop(what)
        often = "" if times == 1 else f", {times} times lately"
        logger.warning(
            "Camera %s: rule %s (%s) %s%s: %s.",
            *(self._camera, self._key, self._type, what, often, why),
        )
        self._told[what] = self._now

    def _found(self, view: View) -> list[Finding]:
        found = self._ask("update", view)
        if not isinstance(found, list | tuple):
            raise _Failed(f"update gave {type(found).__name__}, not a list of findings")
        with failing_as(_unusable):  # what it is made of is not this program's either
            number = len(found)
            checked = [self._checked(finding, view) for finding in found[:MOST_FINDINGS]]
        if number > MOST_FINDINGS:
            self._tell(
                "gave too much in this look",
                f"of its {number} findings the first {MOST_FINDINGS} count",
            )
        elif any(cut for _, cut in checked):
            self._tell(
                "gave too much in this look",
                f"sentences and questions are cut off at {LONGEST_TEXT} characters, evidence at "
                f"{MOST_EVIDENCE} numbers and their names at {LONGEST_NAME} characters",
            )
        return [finding for finding, _ in checked]

    def _plain(self, method: str) -> JsonObject:
        value = self._ask(method)
        try:
            plain = json.loads(json.dumps(value, allow_nan=False))
        except (TypeError, ValueError, RecursionError) as error:
            raise _Failed(f"{method} gave what is no JSON, {_said(error)}") from error
        if not isinstance(plain, dict):
            raise _Failed(f"{method} gave {type(value).__name__}, not a mapping")
        return plain

    def _ask(self, method: str, *given: Any) -> Any:
        call: Callable[..., Any] = getattr(self._rule, method)
        with failing_as(lambda error: _Failed(f"{method} failed, {_said(error)}")):
            return call(*given)

    def _checked(self, finding: Any, view: View) -> tuple[Finding, bool]:
        """A finding within the limits, and whether it was cut off for that."""
        if not isinstance(finding, Finding):
            raise _Failed(f"update gave {type(finding).__name__}, not a Finding")
        if (wrong := _wrong(finding, view)) is not None:
            raise _Failed(f"a finding's {wrong}")
        whole = replace(finding, rule=self._key, tracks=tuple(finding.tracks))
        within = _within(whole)
        return within, within != whole


class OwnMemory(Own):
    """Of a rule that learns over days; see `protocols.Remembering`."""

    def memory(self) -> JsonObject:
        return self._json("memory", "recall")

    def recall(self, memory: JsonObject) -> None:
        self._saved["recall"] = memory


def _unusable(error: BaseException) -> _Failed:
    if isinstance(error, _Failed):
        return error
    return _Failed(f"a finding cannot be used, {_said(error)}")


def _wrong(finding: Any, view: View) -> str | None:
    """What others cannot use, if there is something."""
    if not isinstance(finding.tracks, tuple | list) or not all(
        isinstance(track, Track) for track in finding.tracks
    ):
        return "tracks are no tracks of the view"
    if finding.zone is not None and finding.zone not in view.zones:
        return f"zone {finding.zone!r} is none of this camera's"
    for name in ("rule_reason", "question"):
        if not _text(getattr(finding, name)):
            return f"{name} is no sentence"
    if not _number(finding.started) or not 0 <= view.monotonic - finding.started <= LONGEST_S:
        return "started is no moment of the year up to now"
    if not _number(finding.strength) or not 0 <= finding.strength <= 1:
        return "strength is no number from 0 to 1"
    if not isinstance(finding.evidence, Mapping) or not all(
        map(_number, finding.evidence.values())
    ):
        return "evidence has what is no number"
    if not all(map(_text, finding.evidence)):
        return "evidence has what is no name"
    if not isinstance(finding.group, bool):
        return "group is neither true nor false"
    return None


def _within(finding: Finding) -> Finding:
    """As much of a finding as may be written, sent and shown."""
    evidence = islice(finding.evidence.items(), MOST_EVIDENCE)
    return replace(
        finding,
        rule_reason=_cut(finding.rule_reason, LONGEST_TEXT),
        question=_cut(finding.question, LONGEST_TEXT),
        evidence={_cut(name, LONGEST_NAME): value for name, value in evidence},
    )


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _text(value: Any) -> bool:
    """Whether it says something, and can be written to a file: no half of a surrogate pair."""
    if not isinstance(value, str) or not value.strip():
        return False
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _said(error: BaseException) -> str:
    """What an exception says, in one line."""
    said = redact(" ".join(f"{type(error).__name__}: {error}".split()))
    return _cut(said, LONGEST_TEXT).rstrip(".")
