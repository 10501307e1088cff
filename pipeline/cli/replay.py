"""`vigil replay`: what a camera's settings make of recordings."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from os.path import realpath
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli import app
from pipeline.config import Config
from pipeline.configfile import read_config
from pipeline.errors import ConfigError
from pipeline.wording import duration

if TYPE_CHECKING:
    from pipeline.replaying import Replayed, Seen

CONFIG = Path("streams.yaml")


@app.command()
def replay(
    films: Annotated[
        list[str],
        typer.Argument(
            help="Films, or folders of films that follow on each other.", metavar="FILM..."
        ),
    ],
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            help="The configuration; streams.yaml if there is one, else a person anywhere.",
        ),
    ] = None,
    camera: Annotated[
        str | None,
        typer.Option(help="Whose settings count, if there are several cameras.", metavar="NAME"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    mot: Annotated[
        Path | None,
        typer.Option(help="Write the film's tracks in MOTChallenge format.", metavar="FILE"),
    ] = None,
    render: Annotated[
        Path | None, typer.Option(help="Write the annotated film (MP4).", metavar="FILE")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            help="When the film was begun, such as 2026-11-25T22:00, if not as it says itself.",
            metavar="TIME",
        ),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(
            min=0.5, max=60, help="Looks a second, if not `detect.fps`; 60 for every picture."
        ),
    ] = None,
) -> None:
    """Run recordings through a camera's settings: what would have fired, when and why."""
    from pipeline.replaying import (
        Replay,
        chosen_camera,
        default_config,
        events_and_files,
        moment,
    )

    several = len(films) > 1
    if several and (mot is not None or render is not None):
        raise ConfigError("--mot and --render are of one film; name one, or one folder of films.")
    if mot is not None and render is not None and realpath(mot) == realpath(render):
        raise ConfigError("--mot and --render name the same file; name two.")
    configured = config is not None or CONFIG.exists()
    settings = read_config(config or CONFIG) if configured else default_config()
    key = chosen_camera(settings, camera)
    if fps is not None:
        settings = _looking(settings, key, fps)
    begins = None if start is None else moment(start, settings.tz())
    rules = settings.cameras[key].rules
    types = {name: rule.type for name, rule in rules.items()}
    if not configured:
        _refuse_no_films(settings, key, films)
        sys.stderr.write(f"There is no {CONFIG} here: a person anywhere is an event.\n")
    write = partial(_json_line, types=types) if as_json else _line
    with Replay(settings, key) as replaying:
        for film in films:
            events = events_and_files(replaying, film, start=begins, mot=mot, render=render)
            with closing(events):
                for found in events:
                    prefix = f"{film}  " if several and not as_json else ""
                    sys.stdout.write(f"{prefix}{write(found)}\n")
                    sys.stdout.flush()
            _tell(film, replaying.seen[-1])


def _refuse_no_films(settings: Config, key: str, films: Sequence[str]) -> None:
    """Raises: SourceError: one is not there, or is none."""
    from pipeline.replaying import open_film

    for film in films:
        open_film(settings, key, film, datetime.now(UTC)).close()


def _looking(settings: Config, key: str, fps: float) -> Config:
    """The configuration with another number of looks a second."""
    camera = settings.cameras[key]
    detect = camera.detect.model_copy(update={"fps": fps})
    cameras = {**settings.cameras, key: camera.model_copy(update={"detect": detect})}
    return settings.model_copy(update={"cameras": cameras})


def _line(found: Replayed) -> str:
    """An event for people: when in the film, where, what and why."""
    event = found.event
    return (
        f"{_clock(found.time_s):>9}  {event.camera}  {event.rule}  {event.severity.value}  "
        f"{event.score:.2f}  {event.rule_reason}"
    )


def _json_line(found: Replayed, *, types: Mapping[str, str]) -> str:
    """An event for programs; docs/replay.md explains its keys."""
    event = found.event
    told: dict[str, Any] = {
        "film": found.film,
        "camera": event.camera,
        "rule": event.rule,
        "type": found.type,
        "time_s": found.time_s,
        "started_s": found.started_s,
        "ended_s": found.ended_s,
        "score": round(event.score, 4),
        "rule_reason": event.rule_reason,
    }
    told["rules"] = [
        {
            "rule": part.rule,
            "type": types[part.rule],
            "time_s": found.fired[part.rule],
            "zone": part.zone,
            "severity": part.severity.value,
            "rule_reason": part.rule_reason,
        }
        for part in event.rules
    ]
    keys = {"id", "severity", "zone", "tracks", "started", "ended", "announced"}
    return json.dumps({**told, **event.model_dump(mode="json", include=keys)}, ensure_ascii=False)


def _tell(film: str, seen: Seen) -> None:
    """On standard error: what the film came to, and what must be known of it."""
    for note in seen.notes:
        sys.stderr.write(f"{note}\n")
    unused = ", ".join(f"{number} {cause}" for cause, number in sorted(seen.dropped.items()))
    if unused:
        sys.stderr.write(f"{film}: some pictures could not be used ({unused}).\n")
    if not seen.dated:
        begins = f"{seen.begins:%A %d %B %Y, %H:%M}"
        sys.stderr.write(
            f"{film} does not say when it was taken: replayed as from {begins}; --start sets "
            "another time.\n"
        )
    rate = seen.length_s / max(seen.took_s, 1e-3)
    rules = ", ".join(f"{rule} {number}" for rule, number in sorted(seen.events.items()))
    events = _many(seen.events.total(), "event") + (f": {rules}" if rules else "")
    sys.stderr.write(
        f"{film}: {duration(seen.length_s)} of film in {duration(seen.took_s)} ({rate:.1f} times "
        f"real time), {_many(seen.looks, 'look')}, {seen.detected} of them with the detector, "
        f"{events}.\n"
    )


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _clock(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any: 1:02.4, 2:01:02.4."""
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"
