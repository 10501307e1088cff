"""How well identities are kept on made streets: our tracking beside ultralytics' trackers."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipeline.bench.followers import Contestant, contestants
from pipeline.bench.identities import PARTS, Score, Watched, follow
from pipeline.bench.machine import machine
from pipeline.bench.rival import prepare
from pipeline.bench.streets.kinds import KINDS, Kind, MadeSequence, made
from pipeline.bench.tables import markdown

OURS = "vigil"
YARDSTICKS = ("ByteTrack", "BoT-SORT")
"""Each with what is found from its own least confidence on, and with what our tracking gets."""


def measure_made(
    seeds: Sequence[int], *, confidence: float = 0.3, kinds: Sequence[Kind] = KINDS
) -> dict[str, Any]:
    """Follow the people of one made street of each kind for each seed, at the full rate, half, and
    a third, beginning at each frame that gives other ones.

    All get the same detections, from `confidence` on, and ultralytics' also from the confidence on
    that they want. BoT-SORT sees pictures where the camera moves; where it stands still it is told
    so, which is what its look at pictures could find out at best.
    """
    entrants = [
        one
        for one in contestants(confidence, ultralytics=find_spec("ultralytics") is not None)
        if one.name == OURS or one.name.startswith("ultralytics")
    ]
    with tempfile.TemporaryDirectory() as home:
        prepare(Path(home))
        scores = {kind.name: _kind(kind, seeds, entrants) for kind in kinds}
    return {
        "seeds": list(seeds),
        "confidence": confidence,
        "kinds": scores,
        "machine": machine(),
    }


def table(measured: Mapping[str, Any]) -> str:
    """What was measured, as Markdown: IDF1 and switches of ours and of each yardstick, with the
    detections with which it did better, and for how many seeds ours is not below the better one."""
    heads = ["street", "looks a second", OURS]
    heads += [*YARDSTICKS, "seeds not below"]
    rows = []
    for name, rates in measured["kinds"].items():
        for rate, scores in rates.items():
            ours = scores[OURS]
            best = [_best(scores, name) for name in YARDSTICKS]
            cells = [name, rate, _told(ours)]
            cells += [_told(one) if one else "" for one in best]
            there = [one for one in best if one]
            cells.append(_ahead(ours, max(there, key=lambda one: one["idf1"])) if there else "")
            rows.append(cells)
    return markdown(heads, rows)


def _kind(kind: Kind, seeds: Sequence[int], entrants: Sequence[Contestant]) -> dict[str, Any]:
    scores = {(one.name, part): Score() for one in entrants for part in PARTS}
    each: dict[tuple[str, int], list[float]] = {key: [] for key in scores}
    for seed in seeds:
        street = made(kind, seed)
        watched = _watched(street)
        for part in PARTS:
            for one in entrants:
                sees = one.sees and street.moves
                score = Score()
                for offset in range(part):
                    follow(street, watched, replace(one, sees=sees), part, offset, score)
                scores[one.name, part].add(score)
                each[one.name, part].append(score.figures()["idf1"])
    return {
        f"{kind.fps / part:.3g}": {
            one.name: {
                **scores[one.name, part].figures(),
                "idf1_by_seed": each[one.name, part],
            }
            for one in entrants
        }
        for part in PARTS
    }


def _watched(street: MadeSequence) -> Watched:
    return Watched(list(street.frames()), street.found, None)


def _best(scores: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    ran = [one for name, one in scores.items() if name.startswith(f"ultralytics {kind}")]
    return max(ran, key=lambda one: float(one["idf1"]), default=None)


def _told(one: Mapping[str, Any]) -> str:
    return f"{one['idf1']:.3f}, {one['switches']}"


def _ahead(ours: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    pairs = list(zip(ours["idf1_by_seed"], other["idf1_by_seed"], strict=True))
    return f"{sum(mine >= theirs for mine, theirs in pairs)} of {len(pairs)}"
