"""`vigil bench gate` and `vigil bench decode`: what the motion gate loses, and what it costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.bench import bench


@bench.command()
def gate(
    films: Annotated[list[Path], typer.Argument(help="Films to measure on, of fixed cameras.")],
    sensitivity: Annotated[
        list[float] | None,
        typer.Option(min=0, max=1, help="Of the gate; repeatable. 0.5, if not given."),
    ] = None,
    fps: Annotated[float, typer.Option(min=0.5, max=60, help="Looks a second.")] = 5.0,
    label: Annotated[
        list[str] | None, typer.Option(help="What is tracked; repeatable. Persons, if not given.")
    ] = None,
    markdown: Annotated[bool, typer.Option(help="Print a table instead of JSON.")] = False,
) -> None:
    """How much of what is tracked the motion gate loses, and how often it spares the detector."""
    from pipeline.bench.gate import measure_gate, table

    measured = measure_gate(
        films, sensitivities=sensitivity or [0.5], fps=fps, labels=label or ["person"]
    )
    typer.echo(table(measured) if markdown else json.dumps(measured, indent=2))


@bench.command()
def decode(
    film: Annotated[
        Path | None, typer.Argument(help="A film to measure on; a quiet one is made, if not given.")
    ] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Run so often.")] = 5,
    markdown: Annotated[bool, typer.Option(help="Print a table instead of JSON.")] = False,
) -> None:
    """What a camera in which nothing happens costs, against decoding its video alone."""
    from pipeline.bench.decode import measure_decode, table

    measured = measure_decode(film, repeat=repeat)
    typer.echo(table(measured) if markdown else json.dumps(measured, indent=2))
