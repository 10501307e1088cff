"""The command `vigil`. Each file holds one group of commands and only calls the library."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from pipeline import telemetry
from pipeline.errors import VigilError
from pipeline.redact import redact

HOMES = {
    "run": "run",
    "demo": "demo",
    "init": "cameras",
    "check": "cameras",
    "simulate": "simulate",
    "replay": "replay",
    "subscribe": "events",
    "review": "review",
    "clip": "review",
    "doctor": "system",
    "service": "system",
    "bench": "bench_all",
    "optimize": "optimize",
}
"""Command -> the module that has it. Only the one that is called is imported: each takes time."""

app = typer.Typer(
    name="vigil",
    help="Point it at camera streams, subscribe to event alerts, review what happened.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vigil {importlib.metadata.version('vigil')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _terminate(number: int, frame: FrameType | None) -> None:
    """A service manager's wish to stop is handled as Ctrl-C is."""
    raise KeyboardInterrupt


def _import_commands() -> None:
    """That of the command line alone, if it names one."""
    called = HOMES.get(sys.argv[1]) if len(sys.argv) > 1 else None
    for home in [called] if called else dict.fromkeys(HOMES.values()):
        importlib.import_module(f"pipeline.cli.{home}")


def main() -> None:
    """Run a command; every expected mistake is one sentence and an exit status."""
    telemetry.switch_off()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        _import_commands()
        app()
    except VigilError as error:
        sys.stderr.write(f"vigil: {redact(str(error))}\n")
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read the output has gone; the interpreter must not complain at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
