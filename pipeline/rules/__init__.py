"""Rules: what is worth an event. One file a rule; each decides from views alone."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from pipeline import config
from pipeline.errors import ConfigError
from pipeline.protocols import Rule
from pipeline.types import Line, Zone

RULES: Mapping[type[config.RuleBase], str] = {
    config.ZoneRule: "zone:zone_rule",
    config.LineRule: "line:Crossing",
    config.LoiterRule: "loiter:Loitering",
    config.CrowdRule: "crowd:Crowd",
    config.SpeedRule: "speed:Speed",
    config.FallRule: "fall:Falls",
    config.NoveltyRule: "novelty:Novelty",
    config.AbandonedRule: "abandoned:Abandoned",
    config.PresenceRule: "presence:Presence",
    config.OwnRule: "own:own_rule",
}
"""Where the rule of each section is made, in this folder."""


def make_rule(
    key: str,
    rule: config.Rule,
    zones: Mapping[str, Zone],
    lines: Mapping[str, Line] | None = None,
) -> Rule:
    """The rule that a camera's configuration names `key`; its zone is one of `zones`, its line one
    of `lines`.

    Raises:
        ConfigError: a rule of the user's own cannot be had.
    """
    zone = zones[rule.zone] if rule.zone is not None else None
    module, _, name = RULES[type(rule)].partition(":")
    kind = getattr(import_module(f"{__name__}.{module}"), name)
    if isinstance(rule, config.LineRule):
        made: Rule = kind(key, rule, (lines or {})[rule.line], zone)
    else:
        made = kind(key, rule, zone)
    return made


def make_rules(key: str, camera: config.Camera) -> dict[str, Rule]:
    """The rules of the camera that is configured under `key`, by name.

    Raises:
        ConfigError: one of the user's own cannot be had; the message names camera and rule.
    """
    zones, lines = camera.named_zones(), camera.named_lines()
    made = {}
    for name, rule in camera.rules.items():
        try:
            made[name] = make_rule(name, rule, zones, lines)
        except ConfigError as error:
            raise ConfigError(f"cameras.{key}.{error}") from error
    return made
