"""Rules: what is worth an event. One file a rule; each decides from views alone."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from pipeline import config
from pipeline.protocols import Rule
from pipeline.types import Line, Zone

RULES: Mapping[type[config.RuleBase], str] = {
    config.ZoneRule: "zone:InZone",
    config.LoiterRule: "loiter:Loitering",
    config.FallRule: "fall:Falls",
    config.NoveltyRule: "novelty:Novelty",
}
"""Where the rule of each section is, in this folder."""


def make_rule(
    key: str,
    rule: config.Rule,
    zones: Mapping[str, Zone],
    lines: Mapping[str, Line] | None = None,
) -> Rule:
    """The rule that a camera's configuration names `key`; its zone is one of `zones`, its line one
    of `lines`."""
    zone = zones[rule.zone] if rule.zone is not None else None
    module, _, name = RULES[type(rule)].partition(":")
    kind = getattr(import_module(f"{__name__}.{module}"), name)
    if isinstance(rule, config.LineRule):
        made: Rule = kind(key, rule, (lines or {})[rule.line], zone)
    else:
        made = kind(key, rule, zone)
    return made
