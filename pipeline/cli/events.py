"""`vigil subscribe`: the events of a running installation, as they come."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline import instance
from pipeline.bus.subscribe import subscribe as read_events
from pipeline.cli import app
from pipeline.configfile import read_config
from pipeline.errors import BusError, ConfigError
from pipeline.types import Event
from pipeline.wire import encode
from pipeline.wording import short_id


@app.command()
def subscribe(
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Begin with the oldest event Redis still has.")
    ] = False,
    camera: Annotated[
        str | None, typer.Option(help="Only this camera's events.", metavar="KEY")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="One CloudEvents JSON object a line.")
    ] = False,
    redis: Annotated[
        str | None, typer.Option(help="Where to listen; the running vigil is found by itself.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Listen where this streams.yaml publishes.")
    ] = None,
) -> None:
    """Print events as they come, until Ctrl-C."""
    url = redis or find_redis(config)
    for event in read_events(url, from_start=from_start, camera=camera):
        sys.stdout.write((encode(event) if json else line(event)) + "\n")
        sys.stdout.flush()


def line(event: Event) -> str:
    """A version of an event as one line for people."""
    text = (
        f"{event.started.astimezone():%Y-%m-%d %H:%M:%S} {event.type.value:<8} "
        f"{event.severity.value:<6} {event.camera_name}: {event.rule_reason}"
    )
    if event.probability is not None:
        text += f" [{event.state.value}, {event.probability:.0%}]"
    else:
        text += f" [{event.state.value}]"
    return f"{text} {short_id(event.id)}"


def find_redis(config: Path | None) -> str:
    """The address that the named or the one running installation publishes to.

    Raises:
        BusError: none runs, or several do and none was named.
        ConfigError: `config` is wrong.
    """
    found = instance.running()
    if config is not None:
        settings = read_config(config)
        address = settings.redis.get_secret_value()
        if address != "embedded":
            return address
        data = str(settings.data.resolve())
        found = [one for one in found if one.data == data]
    if not found:
        raise BusError(
            "No vigil runs here for this user; start one with `vigil run` or name "
            "its Redis with --redis redis://HOST:PORT."
        )
    if len(found) > 1:
        places = ", ".join(one.config or one.data for one in found)
        raise BusError(f"Several run here ({places}); choose one with --config or --redis.")
    return _address(found[0])


def _address(one: instance.Instance) -> str:
    if one.redis is not None:
        return one.redis
    if one.config is None:
        raise BusError(
            "The vigil that runs here publishes to a Redis with a password; name it with --redis."
        )
    address = read_config(one.config).redis.get_secret_value()
    if address == "embedded":
        raise ConfigError(f"{one.config} was changed since vigil started; name --redis.")
    return address
