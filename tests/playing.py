"""Findings played to incidents, for tests."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

import handmade
from handmade import view

from pipeline.incidents import Action, Incidents
from pipeline.types import Finding


def incidents() -> Incidents:
    numbers = itertools.count(1)
    return Incidents(new_id=lambda: f"incident-{next(numbers)}")


def finding(
    track: int,
    at: float,
    *,
    x: float = 500,
    y: float = 800,
    height: float = 200,
    since: float = 0.0,
    strength: float = 0.5,
    rule: str = "lawn",
) -> Finding:
    return Finding(
        rule=rule,
        tracks=(handmade.track(track, x, y, at=at, since=since, height=height),),
        zone="lawn",
        started=5000.0 + since,
        rule_reason="A person is on the lawn, 02:14.",
        strength=strength,
        evidence={},
        question="Is a person on the lawn?",
    )


def play(
    happening: Incidents,
    moments: Iterable[float],
    found: Callable[[float], list[Finding]] = lambda _: [],
) -> list[tuple[float, Action]]:
    """What happens when, `found` giving each moment's findings."""
    return [
        (round(at, 1), action)
        for at in moments
        for findings in [found(at)]
        for action in happening.update(
            view(at, [track for finding in findings for track in finding.tracks]), findings
        )
    ]


def kinds(happened: Sequence[tuple[float, Action]]) -> list[tuple[float, str, str]]:
    return [(at, type(act).__name__, act.incident_id) for at, act in happened]
