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
    size: Annotated[
        int | None,
        typer.Option(
            help="The longer side of the detector's input, for a sequence.", show_default="640"
        ),
    ] = None,
    confidence: Annotated[
        float, typer.Option(min=0.1, max=0.99, help="As `detect.confidence` of a camera.")
    ] = 0.3,
    made: Annotated[
        int | None,
        typer.Option(min=1, help="So many made streets of each kind.", show_default="10"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="The seed of the first of them.", show_default="0")
    ] = None,
    markdown: Annotated[bool, typer.Option(help="Print a table instead of JSON.")] = False,
) -> None:
    """Identities kept at full, half and a third of the frame rate, beside others' trackers."""
    from pipeline.bench import tracking, tracking_made

    if dataset is None:
        _of_no_use("of a sequence, which is not given", {"--size": size})
        first = seed or 0
        seeds = range(first, first + (made or 10))
        streets = tracking_made.measure_made(seeds, confidence=confidence)
        typer.echo(tracking_made.table(streets) if markdown else json.dumps(streets, indent=2))
        return
    _of_no_use("of made streets, and a sequence is given", {"--made": made, "--seed": seed})
    measured = tracking.measure_tracking(dataset, size=size or 640, confidence=confidence)
    typer.echo(tracking.table(measured) if markdown else json.dumps(measured, indent=2))


def _of_no_use(what: str, options: dict[str, int | None]) -> None:
    """Refuse options that would be ignored. Raises: typer.BadParameter: one of them is given."""
    for name, value in options.items():
        if value is not None:
            raise typer.BadParameter(f"It is {what}; leave it out.", param_hint=name)
