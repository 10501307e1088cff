"""`vigil bench`: measurements, as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import app
from pipeline.errors import ConfigError

bench = typer.Typer(help="Measure this machine; prints JSON.", no_args_is_help=True)
app.add_typer(bench, name="bench")


@bench.callback()
def _bench() -> None:
    pass


@bench.command()
def stages(
    film: Annotated[
        Path | None, typer.Argument(help="A film to measure on; the demo's, if not given.")
    ] = None,
    frames: Annotated[int, typer.Option(min=2, help="At most so many frames of it.")] = 200,
    repeat: Annotated[int, typer.Option(min=1, help="Run so often.")] = 3,
) -> None:
    """What decoding, detection, tracking and rules cost per frame."""
    from pipeline.bench.stages import measure_stages

    typer.echo(json.dumps(measure_stages(film or _film(), frames=frames, repeat=repeat), indent=2))


@bench.command()
def clips(
    film: Annotated[
        Path | None, typer.Argument(help="A film to measure on; the demo's, if not given.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=2, help="A clip of so many seconds of it.")] = 20,
    rounds: Annotated[int, typer.Option(min=1, help="Detection alone and beside, so often.")] = 5,
) -> None:
    """What cutting and drawing clips cost, and what detection notices of it."""
    from pipeline.bench.clips import measure_clips

    measured = measure_clips(film or _film(), seconds=seconds, rounds=rounds)
    typer.echo(json.dumps(measured, indent=2))


@bench.command()
def faults(
    limit: Annotated[float, typer.Option(min=1, help="Time limits of the cameras, in s.")] = 2.0,
    hold: Annotated[float, typer.Option(min=5, help="Each fault lasts so many seconds.")] = 20.0,
    only: Annotated[list[str] | None, typer.Option(help="Only this fault; repeatable.")] = None,
    markdown: Annotated[bool, typer.Option(help="Print a table instead of JSON.")] = False,
) -> None:
    """What each fault of a camera costs: seconds to notice and to recover, what is lost."""
    from pipeline.bench.faults import measure_faults, table

    measured = measure_faults(limit_s=limit, hold_s=hold, only=only or ())
    typer.echo(table(measured) if markdown else json.dumps(measured, indent=2))


@bench.command()
def reconnects(
    times: Annotated[int, typer.Option(min=1, help="Break the connection so often.")] = 200,
) -> None:
    """What many reconnections leave behind: threads, open files, memory."""
    from pipeline.bench.reconnects import measure_reconnects

    typer.echo(json.dumps(measure_reconnects(times), indent=2))


@bench.command()
def cameras(
    count: Annotated[int, typer.Option("--cameras", min=1, help="So many cameras.")] = 8,
    width: Annotated[int, typer.Option(min=64, help="Of their pictures, in pixels.")] = 1920,
    height: Annotated[int, typer.Option(min=64, help="Of their pictures, in pixels.")] = 1080,
    rate: Annotated[int, typer.Option(min=1, help="Pictures a second.")] = 10,
    activity: Annotated[
        float, typer.Option(min=0, max=1, help="In this share of the time a person walks by.")
    ] = 0.2,
    detect_fps: Annotated[
        float, typer.Option(min=0.5, max=60, help="Looks a second while something happens.")
    ] = 5.0,
    gate: Annotated[bool, typer.Option(help="Look seldom where nothing moves.")] = True,
    seconds: Annotated[float, typer.Option(min=5, help="Watch for so long.")] = 60.0,
    fault: Annotated[str, typer.Option(help="Of one of them; `none` for none.")] = "none",
    memory: Annotated[
        bool, typer.Option(help="Watch one camera first, to learn what each further one adds.")
    ] = True,
    repeat: Annotated[int, typer.Option(min=1, help="Run so often.")] = 1,
    markdown: Annotated[bool, typer.Option(help="Print a table instead of JSON.")] = False,
) -> None:
    """How many cameras this machine can watch: what arrives, how soon it is looked at, what it
    takes; with one of them faulty if wanted."""
    from pipeline.bench.cameras import measure_cameras, table
    from pipeline.cli.cameras import cache_folder

    if fault != "none" and count < 2:
        raise ConfigError("--fault needs a camera that is not faulty; give --cameras 2 or more.")
    measured = measure_cameras(
        cameras=count,
        size=(width, height),
        rate=rate,
        seconds=seconds,
        cache=cache_folder() / "bench",
        activity=activity,
        detect_fps=detect_fps,
        motion_gate=gate,
        fault=None if fault == "none" else fault,
        memory=memory,
        repeat=repeat,
    )
    typer.echo(table(measured) if markdown else json.dumps(measured, indent=2))


def _film() -> Path:
    from pipeline.cli.cameras import cache_folder
    from pipeline.simulate.film import demo_film

    return demo_film(cache_folder() / "simulate", lambda text: typer.echo(text, err=True)).path
