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
        Path, typer.Argument(help="Labelled films, in the layout of GMDCSA-24.", exists=True)
    ],
    fps: Annotated[float, typer.Option(min=0.5, max=60, help="Looks a second.")] = 5.0,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="Somebody must stay down so long; else as the rule.")
    ] = None,
    phases: Annotated[
        int, typer.Option(min=1, max=20, help="Watch each film so often, beginning a little later.")
    ] = 1,
    markdown: Annotated[bool, typer.Option(help="Print a table instead of JSON.")] = False,
) -> None:
    """How many falls are found, how late, and what is taken for one in daily life."""
    from pipeline.bench.falls import measure_falls, table

    measured = measure_falls(folder, fps=fps, seconds=seconds, phases=phases)
    typer.echo(table(measured) if markdown else json.dumps(measured, indent=2))
