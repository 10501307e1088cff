"""`vigil bench falls`: how many falls are found, and how late."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.bench import bench


@bench.command()
def falls(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Labelled films, in the layout of GMDCSA-24; made people, if not given."
        ),
    ] = None,
    fps: Annotated[float, typer.Option(min=0.5, max=60, help="Looks a second.")] = 5.0,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="Somebody must stay down so long; else as the rule.")
    ] = None,
    phases: Annotated[
        int, typer.Option(min=1, max=20, help="Watch each film so often, beginning a little later.")
    ] = 1,
    scenes: Annotated[int, typer.Option(min=1, help="So many of each kind of made ones.")] = 200,
    markdown: Annotated[bool, typer.Option(help="Print a table instead of JSON.")] = False,
) -> None:
    """How many falls are found, how late, and what is taken for one in daily life."""
    from pipeline.bench import bodies, falls

    if folder is None:
        made = bodies.measure_bodies(fps, seconds, scenes)
        typer.echo(bodies.table(made) if markdown else json.dumps(made, indent=2))
        return
    measured = falls.measure_falls(folder, fps=fps, seconds=seconds, phases=phases)
    typer.echo(falls.table(measured) if markdown else json.dumps(measured, indent=2))
