"""`vigil bench tracking`: how well identities are kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.bench import bench


@bench.command()
def tracking(
    dataset: Annotated[
        Path | None,
        typer.Argument(
            help="A MOTChallenge sequence: seqinfo.ini, gt/gt.txt, img1/ or film; "
            "made streets, if not given."
        ),
    ] = None,
    size: Annotated[int, typer.Option(help="The longer side of the detector's input.")] = 640,
    confidence: Annotated[
        float, typer.Option(min=0.1, max=0.99, help="As `detect.confidence` of a camera.")
    ] = 0.3,
    made: Annotated[int, typer.Option(min=1, help="So many made streets of each kind.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="The seed of the first of them.")] = 0,
    markdown: Annotated[bool, typer.Option(help="Print a table instead of JSON.")] = False,
) -> None:
    """Identities kept at full, half and a third of the frame rate, beside others' trackers."""
    from pipeline.bench import tracking, tracking_made

    if dataset is None:
        streets = tracking_made.measure_made(range(seed, seed + made), confidence=confidence)
        typer.echo(tracking_made.table(streets) if markdown else json.dumps(streets, indent=2))
        return
    measured = tracking.measure_tracking(dataset, size=size, confidence=confidence)
    typer.echo(tracking.table(measured) if markdown else json.dumps(measured, indent=2))
