"""`vigil bench rules`: what the rules find in made scenes, and what they cost."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from pipeline.cli.bench import bench


@bench.command()
def rules(
    only: Annotated[
        list[str] | None, typer.Option(help="Only this type or kind of rule; repeatable.")
    ] = None,
    fps: Annotated[float, typer.Option(min=0.5, max=60, help="Looks a second.")] = 5.0,
    seeds: Annotated[int, typer.Option(min=1, help="Disturb each scene so often.")] = 2,
    hard: Annotated[bool, typer.Option(help="Play the scenes disturbed, too.")] = True,
    films: Annotated[
        bool, typer.Option(help="Play films of some scenes with the real detector, too.")
    ] = True,
    views: Annotated[
        int, typer.Option(min=0, help="Time the rules in so many looks; 0 for not at all.")
    ] = 1000,
    markdown: Annotated[bool, typer.Option(help="Print tables instead of JSON.")] = False,
) -> None:
    """How well each rule finds what happens in made scenes, and what all rules cost."""
    from pipeline.bench.rules import measure_rules, table

    found = measure_rules(
        only=only or (), fps=fps, seeds=seeds, hard=hard, films=films, views=views
    )
    sys.stdout.write(table(found) if markdown else json.dumps(found, indent=2) + "\n")
