"""Rules: what is worth an event. One file a rule; each decides from views alone."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline import config
from pipeline.protocols import Rule
from pipeline.rules.loiter import Loitering
from pipeline.rules.zone import InZone
from pipeline.types import Zone


def make_rule(key: str, rule: config.Rule, zones: Mapping[str, Zone]) -> Rule:
    """The rule that a camera's configuration names `key`; its zone is one of `zones`."""
    zone = zones[rule.zone] if rule.zone is not None else None
    match rule:
        case config.ZoneRule():
            return InZone(key, rule, zone)
        case config.LoiterRule():
            return Loitering(key, rule, zone)
