"""`vigil bench novelty`: whether unusual passages are found, and how often usual ones."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from pipeline.cli.bench import bench


@bench.command()
def novelty(
    seeds: Annotated[int, typer.Option(min=1, help="So many made cameras.")] = 5,
    learn_days: Annotated[int, typer.Option(min=4, help="Each learns for so many days.")] = 14,
    days: Annotated[int, typer.Option(min=1, help="Then usual passages for so many days.")] = 7,
    each: Annotated[int, typer.Option(min=1, help="And so many unusual ones of each kind.")] = 10,
    per_day: Annotated[
        float, typer.Option(min=0.01, help="As in the rule: usual ones found a day, at most.")
    ] = 0.5,
    first_seed: Annotated[int, typer.Option(min=0, help="The seed of the first camera.")] = 0,
    markdown: Annotated[bool, typer.Option(help="Print a table instead of JSON.")] = False,
) -> None:
    """Which unusual passages the rule `novelty` finds on made weeks, and how often usual ones."""
    from pipeline.bench.novelty import measure_novelty, table

    measured = measure_novelty(
        seeds=seeds,
        learn_days=learn_days,
        days=days,
        each=each,
        per_day=per_day,
        first_seed=first_seed,
    )
    typer.echo(table(measured) if markdown else json.dumps(measured, indent=2))
