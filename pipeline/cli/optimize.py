"""`vigil optimize`: the fastest way of looking for each camera, measured here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from pipeline import instance
from pipeline.choices import NAMES, Asked, Choices, changing
from pipeline.cli import app
from pipeline.config import Config
from pipeline.configfile import read_config
from pipeline.detectors import model_folder
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.bench.contest import Verdict
    from pipeline.bench.optimize import Outcome

WIDE = 130
"""Columns of a terminal on which the reasons fit into the table."""


@app.command()
def optimize(
    cameras: Annotated[
        list[str] | None,
        typer.Argument(help="Cameras; all that are enabled if none is named.", metavar="CAMERA..."),
    ] = None,
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration.")] = Path(
        "streams.yaml"
    ),
    loss: Annotated[
        float,
        typer.Option(
            min=0.001,
            max=0.5,
            help="The share of what the float model detects that may be lost, and may be extra.",
        ),
    ] = 0.03,
    pictures: Annotated[
        int, typer.Option(min=40, max=2000, help="Pictures of each camera, at least.")
    ] = 120,
    forget: Annotated[
        bool, typer.Option("--forget", help="Drop what was chosen for these cameras instead.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Make detection faster on this machine: compares models of 8-bit integers, other arithmetic
    and smaller inputs on each camera's own pictures, and keeps the fastest that finds the same.
    """
    settings = read_config(config)
    keys = _known(settings, cameras or [])
    if forget:
        _forget(settings, keys, as_json=as_json)
        return
    from pipeline.bench.optimize import Optimizer

    optimizer = Optimizer(
        settings,
        model_folder(),
        loss=loss,
        pictures=pictures,
        progress=lambda text: typer.echo(text, err=True),
    )
    console = Console()
    outcomes = []
    for outcome in optimizer.run(keys):
        outcomes.append(outcome)
        if not as_json:
            show(outcome, console)
    if as_json:
        typer.echo(json.dumps(document(outcomes, loss=loss), indent=2))
    _what_to_do(settings, outcomes, loss)
    if any(outcome.problem for outcome in outcomes):
        raise typer.Exit(1)


def show(outcome: Outcome, console: Console) -> None:
    """A camera's table, and what came of it."""
    if outcome.problem is not None:
        typer.echo(outcome.problem, err=True)
        return
    reference = outcome.verdicts[0].entry
    table = Table(
        title=f"Camera {outcome.camera}: {reference.all.reference} detections of the float model "
        f"in {outcome.compared} pictures; {outcome.calibration} others for calibration",
        title_justify="left",
        expand=False,
    )
    for name in ("arithmetic", "pixels"):
        table.add_column(name)
    for name in ("pictures/s", "alone", "processor", "speed", "lost", "extra"):
        table.add_column(name, justify="right", no_wrap=True)
    wide = console.width >= WIDE
    if wide:
        table.add_column("why", overflow="fold")
    for verdict in outcome.verdicts:
        why = [_why(verdict)] if wide else []
        table.add_row(*_figures(verdict), *why, style="bold green" if verdict.won else None)
    console.print(table)
    for verdict in () if wide else outcome.verdicts:
        console.print(f"{verdict.entry.candidate.name}: {_why(verdict)}.", highlight=False)
    _show_labels(outcome, console)


def _figures(verdict: Verdict) -> list[str]:
    entry, speed = verdict.entry, verdict.entry.speed
    return [
        NAMES[entry.candidate.arithmetic],
        str(entry.candidate.size),
        f"{speed.pictures_per_s:.1f}",
        f"{speed.latency_ms:.0f} ms",
        f"{speed.processor_ms:.1f} ms",
        f"{speed.speedup:.2f} ± {speed.spread:.2f}",
        f"{entry.all.lost_share:.1%}",
        f"{entry.all.extra_share:.1%}",
    ]


def _why(verdict: Verdict) -> str:
    return f"won: {verdict.reason}" if verdict.won else verdict.reason


def _show_labels(outcome: Outcome, console: Console) -> None:
    """What the winner loses of each label, where there are several."""
    (winner,) = (verdict.entry for verdict in outcome.verdicts if verdict.won)
    labels = [label for label in winner.labels if label]
    if outcome.chosen is None or len(labels) < 2:
        return
    told = ", ".join(
        f"{label} {winner.labels[label].lost} of {winner.labels[label].reference} lost and "
        f"{winner.labels[label].extra} extra"
        for label in labels
    )
    console.print(f"By label: {told}.", highlight=False)


def document(outcomes: Sequence[Outcome], *, loss: float) -> dict[str, Any]:
    """All outcomes as JSON."""
    return {
        "loss": loss,
        "cameras": {
            outcome.camera: {
                "problem": outcome.problem,
                "calibration_pictures": outcome.calibration,
                "compared_pictures": outcome.compared,
                "candidates": [_as_json(verdict) for verdict in outcome.verdicts],
                "chosen": None
                if outcome.chosen is None
                else outcome.chosen.model_dump(mode="json"),
            }
            for outcome in outcomes
        },
    }


def _as_json(verdict: Verdict) -> dict[str, Any]:
    entry = verdict.entry
    return {
        **asdict(entry.candidate),
        "won": verdict.won,
        "reason": verdict.reason,
        "speed": {name: round(value, 3) for name, value in asdict(entry.speed).items()},
        **asdict(entry.all),
        "labels": {label: asdict(found) for label, found in entry.labels.items() if label},
    }


def _known(settings: Config, named: Sequence[str]) -> list[str]:
    enabled = [key for key, camera in settings.cameras.items() if camera.enabled]
    for key in named:
        if key not in settings.cameras:
            raise ConfigError(
                f"There is no camera {key!r}; the configuration has {', '.join(settings.cameras)}."
            )
    return list(dict.fromkeys(named)) or enabled


def _forget(settings: Config, keys: Sequence[str], *, as_json: bool) -> None:
    folder = model_folder()
    dropped = {(key, Asked.by(settings.cameras[key]).source) for key in keys}
    with changing(folder):
        choices = Choices.read(folder)
        kept = choices.without(dropped)
        count = len(choices.choices) - len(kept.choices)
        if count:
            kept.write(folder)
    if as_json:
        had = {(choice.camera, choice.asked.source) for choice in choices.choices}
        forgotten = [key for key in keys if (key, Asked.by(settings.cameras[key]).source) in had]
        typer.echo(json.dumps({"cameras": keys, "forgotten": forgotten}, indent=2))
        return
    typer.echo(
        f"Dropped what was chosen for {count} of {len(keys)} cameras; the float model looks for "
        "them, after a restart."
        if count
        else "Nothing was chosen for them."
    )


def _what_to_do(settings: Config, outcomes: Sequence[Outcome], loss: float) -> None:
    chosen = {o.camera: o.chosen for o in outcomes if o.chosen is not None}
    for key, choice in chosen.items():
        typer.echo(f"Camera {key}: {choice.sentence}. Kept for this machine.", err=True)
    for outcome in outcomes:
        if outcome.chosen is None and outcome.problem is None:
            typer.echo(
                f"Camera {outcome.camera}: the float model stays{_more(outcome, loss)}.", err=True
            )
    if not chosen:
        return
    if not settings.detector.optimized:
        typer.echo("It is not used while `detector.optimized` is false.", err=True)
    here = [one.pid for one in instance.running() if Path(one.data) == settings.data.absolute()]
    running = f"the vigil that runs (process {here[0]})" if here else "a vigil that runs"
    typer.echo(f"Restart {running}: until then it keeps the model it has.", err=True)


def _more(outcome: Outcome, loss: float) -> str:
    """What helps where too little was seen to choose by."""
    from pipeline.bench.agreement import enough

    detections = outcome.verdicts[0].entry.all.reference
    if detections >= enough(loss):
        return ""
    return (
        f", since {detections} detections say too little; try again when more has been recorded, "
        "or with more --pictures"
    )
