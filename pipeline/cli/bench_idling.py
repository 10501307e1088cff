"""`vigil bench idling`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.bench import bench


@bench.command()
def idling(
    film: Annotated[Path, typer.Argument(help="A film of a place that is empty now and then.")],
    group: Annotated[
        list[float] | None, typer.Option(help="Seconds between keyframes; repeatable.")
    ] = None,
    idle_after: Annotated[
        float, typer.Option(min=0.5, help="Idle, once nobody was there for so long, in s.")
    ] = 2.0,
    phases: Annotated[int, typer.Option(min=1, help="So many places of the keyframes.")] = 4,
    repeat: Annotated[int, typer.Option(min=1, help="Decoding is timed so often.")] = 5,
) -> None:
    """What decoding only keyframes while nobody is there saves, and what it misses."""
    from pipeline.bench.idling import measure_idling

    measured = measure_idling(
        film,
        groups_s=group or [1.0, 2.0, 4.0],
        idle_after_s=idle_after,
        phases=phases,
        repeat=repeat,
    )
    typer.echo(json.dumps(measured, indent=2))
