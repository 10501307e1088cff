"""Whether the rule `novelty` finds unusual passages on made weeks, and how often usual ones."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.bench.spread import spread
from pipeline.bench.tables import markdown
from pipeline.bench.weeks import DAY_S, UNUSUAL, Camera, Going, unusual, views
from pipeline.config import NoveltyRule
from pipeline.rules.novelty import AWAY_S, Novelty
from pipeline.rules.passages import Passage

LABELS = ("person", "car", "dog")
TOP = 0.01
"""An unusual passage is in the top if no more than this share of the usual is as surprising."""


@dataclass(slots=True)
class _Watched:
    """What came of some days: the surprise of each passage, and the first sentence of those that
    were found, by track."""

    surprises: dict[int, float] = field(default_factory=dict)
    found: dict[int, str] = field(default_factory=dict)
    views: int = 0
    spent_s: float = 0.0


def measure_novelty(
    *,
    seeds: int,
    learn_days: int,
    days: int,
    each: int,
    per_day: float = 0.5,
    first_seed: int = 0,
) -> dict[str, Any]:
    """Let made cameras, one a seed, learn for `learn_days`; then watch usual passages for `days`,
    and `each` of every kind of unusual ones, each by itself, with what was learned until then."""
    cameras = [
        _camera(seed, learn_days, days, each, per_day)
        for seed in range(first_seed, first_seed + seeds)
    ]
    kinds = {kind: [camera["kinds"][kind] for camera in cameras] for kind in UNUSUAL}
    return {
        "seeds": seeds,
        "learn_days": learn_days,
        "days": days,
        "each": each,
        "per_day": per_day,
        "passages_per_day": spread([c["passages_per_day"] for c in cameras], 0),
        "false_per_day": spread([c["false_per_day"] for c in cameras]),
        "false_per_day_at_first": spread([c["false_per_day_at_first"] for c in cameras]),
        "limit_bits": spread([c["limit_bits"] for c in cameras], 1),
        "ms_per_view": spread([c["ms_per_view"] for c in cameras], 4),
        "memory_kb": spread([c["memory_kb"] for c in cameras], 1),
        "kinds": {
            kind: {
                "top": spread([found["top"] for found in founds], 2),
                "fired": spread([found["fired"] for found in founds], 2),
                "rank": spread([found["rank"] for found in founds], 4),
                "sentence": next((f["sentence"] for f in founds if f["sentence"]), None),
            }
            for kind, founds in kinds.items()
        },
    }


def table(measured: Mapping[str, Any]) -> str:
    """What was measured, as a Markdown table: the mean over all cameras, and the least."""
    heads = ("unusual", "in the top 1%", "worst camera", "found", "worst camera", "rank (median)")
    rows = []
    for kind, found in measured["kinds"].items():
        top, fired, rank = found["top"], found["fired"], found["rank"]
        rows.append(
            (
                kind,
                f"{np.mean(top['each']):.0%}",
                f"{top['min']:.0%}",
                f"{np.mean(fired['each']):.0%}",
                f"{fired['min']:.0%}",
                f"{rank['median']:.2%}",
            )
        )
    false = measured["false_per_day"]
    told = (
        f"\nOf usual passages {np.mean(false['each']):.2f} a day were found "
        f"({false['min']:g} to {false['max']:g}), of "
        f"{measured['passages_per_day']['median']:.0f} a day.\n"
    )
    return markdown(heads, rows) + told


def _camera(seed: int, learn_days: int, days: int, each: int, per_day: float) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    camera = Camera.made(random)
    goings = [going for day in range(learn_days + days) for going in camera.day(random, day)]
    begin, end = learn_days * DAY_S, (learn_days + days) * DAY_S
    learning = [going for going in goings if going.starts < begin]
    after = [going for going in goings if going.starts >= begin]
    first = _Watched()
    rule = _rule(first, per_day)
    _watch(rule, camera, random, learning, 0.0, begin, first)
    usual = _Watched()
    last = _rule(usual, per_day, rule)
    _watch(last, camera, random, after, begin, end, usual)
    known = np.array(sorted(usual.surprises.values()))
    kinds = {}
    for kind in UNUSUAL:
        ranks, found = [], []
        for _ in range(each):
            going = unusual(camera, random, kind, learn_days + days)
            alone = _Watched()
            single = _rule(alone, per_day, last)
            until = going.starts + 1000.0
            _watch(single, camera, random, [going], going.starts, until, alone)
            surprise = max(alone.surprises.values(), default=0.0)
            ranks.append(float((known >= surprise).mean()))
            found.append(next(iter(alone.found.values()), None))
        kinds[kind] = {
            "top": float(np.mean([rank <= TOP for rank in ranks])),
            "fired": float(np.mean([sentence is not None for sentence in found])),
            "rank": float(np.median(ranks)),
            "sentence": next((sentence for sentence in found if sentence), None),
        }
    memory = last.memory()
    return {
        "passages_per_day": len(after) / days,
        "false_per_day": len(usual.found) / days,
        "false_per_day_at_first": len(first.found) / max(learn_days - 3, 1),
        "limit_bits": last.limit_bits,
        "ms_per_view": 1000 * usual.spent_s / usual.views,
        "memory_kb": len(json.dumps(memory)) / 1024,
        "kinds": kinds,
    }


def _rule(watched: _Watched, per_day: float, before: Novelty | None = None) -> Novelty:
    """One that knows what the one before has learned."""
    config = NoveltyRule(type="novelty", labels=LABELS, per_day=per_day)

    def passed(number: int, passage: Passage, surprise: float) -> None:
        watched.surprises[number] = surprise

    rule = Novelty("novelty", config, None, passed)
    if before is not None:
        rule.recall(before.memory())
    return rule


def _watch(
    rule: Novelty,
    camera: Camera,
    random: np.random.Generator,
    goings: list[Going],
    begin: float,
    end: float,
    watched: _Watched,
) -> None:
    for view in views(camera, random, goings, begin, end + 2 * AWAY_S):
        began = time.perf_counter()
        findings = rule.update(view)
        watched.spent_s += time.perf_counter() - began
        watched.views += 1
        for finding in findings:
            watched.found.setdefault(finding.tracks[0].id, finding.rule_reason)
