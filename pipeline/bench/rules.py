"""How well each rule finds what happens in made scenes, and what all rules together cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from pipeline.bench.machine import machine
from pipeline.bench.rules_cost import measure_cost
from pipeline.bench.rules_films import events, opened_in
from pipeline.bench.scenes.case import Case
from pipeline.bench.scenes.feeding import analysed
from pipeline.bench.scenes.films import film_cases
from pipeline.bench.scenes.noise import CLEAN, HARD, Noise, with_stranger
from pipeline.bench.scenes.scene import FPS
from pipeline.bench.scenes.table import cases
from pipeline.bench.scenes.truth import Happening
from pipeline.bench.tables import markdown
from pipeline.errors import ConfigError
from pipeline.rules import RULES

EARLY_S = 0.5
"""An event may begin so long before what it finds is due: looks and boxes are not exact."""
LATE_S = 2.0
"""And so long after that is over, or due: an event may not begin later."""
PLAIN, FILM = "plain", "film"


@dataclass(frozen=True, slots=True)
class Scored:
    """What came of one case: `delays` are the seconds from when each happening that was found was
    due until its event; `missed` and `false` are those without the other."""

    case: Case
    noise: str
    delays: tuple[float, ...]
    missed: tuple[Happening, ...]
    false: tuple[float, ...]

    @property
    def failed(self) -> bool:
        return bool(self.missed or self.false)


def measure_rules(
    *,
    only: Sequence[str] = (),
    fps: float = FPS,
    seeds: int = 2,
    hard: bool = True,
    films: bool = True,
    views: int = 1000,
    chosen: Sequence[Case] | None = None,
) -> dict[str, Any]:
    """Play every scene to the rule that it is for, through detections that a stub gives, tracking,
    rules and incidents, and some as films with the real detector; then time all rules at 20 tracks.

    Plain scenes have boxes that never err; each hard kind disturbs the same scenes in its own way,
    `seeds` times. An event counts as found if it begins when a happening of its scene can be found,
    and as false otherwise, also if another one has told of that happening already.

    Args:
        only: kinds or types of rules, such as `speed` or `speed running`; all if empty.
        films: whether to play those scenes that are drawn, too, with the real detector.
        views: how many views the cost is the median of; 0 for none.
        chosen: the cases, instead of all.

    Raises:
        ConfigError: nothing is of a kind that `only` names.
    """
    wanted = _wanted(cases() if chosen is None else chosen, only)
    there = [case for case in wanted if type(case.rule) in RULES]
    missing = Counter(case.kind for case in wanted if type(case.rule) not in RULES)
    scored = [score(case, fps=fps) for case in there]
    if hard:
        scored += [
            score(case, noise=noise, seed=seed, fps=fps)
            for case in there
            for noise in HARD
            for seed in range(seeds)
        ]
    if films:
        kinds = {case.kind for case in there}
        drawn = [case for case in film_cases() if case.kind in kinds]
        scored += [Scored(case, FILM, *matched(case.truth, at)) for case, at in opened_in(drawn)]
    noises = [PLAIN, *(HARD if hard else ()), *([FILM] if films else ())]
    return {
        "fps": fps,
        "seeds": seeds,
        "rules": {
            kind: {
                noise: figures(s for s in scored if (s.case.kind, s.noise) == (kind, noise))
                for noise in noises
            }
            for kind in dict.fromkeys(case.kind for case in there)
        },
        "missing": dict(missing),
        "failed": [_told(s) for s in scored if s.failed],
        "cost": measure_cost(views) if views else None,
        "machine": machine(),
    }


def score(case: Case, *, noise: str = PLAIN, seed: int = 0, fps: float = FPS) -> Scored:
    """Play one case; `noise` is `plain`, or a kind of hard ones."""
    chosen: Noise = CLEAN if noise == PLAIN else HARD[noise]
    if chosen.stranger:
        case = replace(case, scene=with_stranger(case.scene, case.rule.labels, seed))
    looks = analysed(case.scene, case.config(fps), noise=chosen, seed=seed, fps=fps)
    return Scored(case, noise, *matched(case.truth, events(looks)))


def matched(
    truth: Sequence[Happening], opened: Iterable[float]
) -> tuple[tuple[float, ...], tuple[Happening, ...], tuple[float, ...]]:
    """Each event, in order, with the first happening that it can be of and that has none: the
    delays of the pairs, the happenings without an event, and the events without a happening."""
    left, delays, false = list(truth), [], []
    for at in opened:
        fitting = (h for h in left if h.due - EARLY_S <= at <= max(h.due, h.ends) + LATE_S)
        found = next(fitting, None)
        if found is None:
            false.append(at)
        else:
            left.remove(found)
            delays.append(at - found.due)
    return tuple(delays), tuple(left), tuple(false)


def figures(scored: Iterable[Scored]) -> dict[str, Any]:
    """What came of some scenes together; precision is null without an event, recall without a
    happening."""
    all_of = list(scored)
    delays = [delay for s in all_of for delay in s.delays]
    found = len(delays)
    missed = sum(len(s.missed) for s in all_of)
    false = sum(len(s.false) for s in all_of)
    return {
        "scenes": len(all_of),
        "failed": sum(s.failed for s in all_of),
        "found": found,
        "missed": missed,
        "false": false,
        "precision": round(found / (found + false), 4) if found + false else None,
        "recall": round(found / (found + missed), 4) if found + missed else None,
        "delay_s": round(median(delays), 2) if delays else None,
        "delay_most_s": round(max(delays), 2) if delays else None,
    }


def table(found: Mapping[str, Any]) -> str:
    """The figures as Markdown: precision and recall of each rule, which scenes failed, costs."""
    noises = list(next(iter(found["rules"].values()), {}))
    rows = [
        [kind, str(of[PLAIN]["scenes"]), *(_pair(of[noise]) for noise in noises)]
        for kind, of in found["rules"].items()
    ]
    parts = [markdown(["precision / recall", "scenes", *noises], rows)]
    notes = [
        f"- There is no rule for the {count} scenes of {kind}."
        for kind, count in found["missing"].items()
    ]
    notes += [
        f"- Failed, though plain: {told['rule']}: {told['scene']}."
        for told in found["failed"]
        if told["noise"] == PLAIN
    ]
    parts += ["\n".join(notes) + "\n"] if notes else []
    if found["cost"]:
        cost = found["cost"]
        costs = {"all rules": cost["rules"], "tracking": cost["track"]}
        costs |= {f"rule {name}": of for name, of in cost["each"].items()}
        rows = [[name, f"{of['median_ms']:g}", f"{of['p95_ms']:g}"] for name, of in costs.items()]
        heads = [f"of one look at {cost['tracks']} tracks", "median ms", "p95 ms"]
        parts.append(markdown(heads, rows))
    return "\n".join(parts)


def _wanted(all_of: Sequence[Case], only: Sequence[str]) -> list[Case]:
    kinds = list(dict.fromkeys(case.kind for case in all_of))
    for name in only:
        if not any(_is_of(kind, name) for kind in kinds):
            raise ConfigError(f"There are no scenes for {name!r}; choose among {', '.join(kinds)}.")
    return [case for case in all_of if not only or any(_is_of(case.kind, name) for name in only)]


def _is_of(kind: str, name: str) -> bool:
    return name in (kind, kind.split()[0])


def _pair(of: Mapping[str, Any]) -> str:
    """Precision and recall; a dash for the one that is not known, nothing without a scene."""
    if not of["scenes"]:
        return ""
    return " / ".join(
        "-" if of[key] is None else f"{of[key]:.2f}" for key in ("precision", "recall")
    )


def _told(scored: Scored) -> dict[str, Any]:
    return {
        "rule": scored.case.kind,
        "scene": scored.case.name,
        "noise": scored.noise,
        "missed": [
            {
                "who": list(missed.who),
                "due_s": round(missed.due, 2),
                "ends_s": round(missed.ends, 2),
            }
            for missed in scored.missed
        ],
        "false_s": [round(at, 2) for at in scored.false],
    }
