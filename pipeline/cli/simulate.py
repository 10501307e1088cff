"""`vigil simulate`: test cameras made of films."""

from __future__ import annotations

import json
import os
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pipeline.camera_config import Health
from pipeline.cli import app
from pipeline.cli.cameras import cache_folder
from pipeline.errors import ConfigError
from pipeline.simulate import (
    Account,
    Auth,
    Reel,
    SimulatedCameras,
    copies,
    load,
    names_of,
    plans,
    run,
)
from pipeline.wording import listed

_PASSWORD = "VIGIL_SIMULATE_PASSWORD"  # noqa: S105
"""The environment variable that holds it."""
_FAULT_HELP = "What goes wrong, with every camera or with one: NAME or CAMERA=NAME, repeatable."


@app.command()
def simulate(
    films: Annotated[list[Path], typer.Argument(help="Films to serve.", metavar="FILM...")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8554,
    start: Annotated[float, typer.Option(help="Second of the films to begin at.", min=0)] = 0.0,
    loop: Annotated[bool, typer.Option(help="Begin anew at the end.")] = True,
    cameras: Annotated[
        int, typer.Option(help="Serve each film under so many addresses.", min=1, max=256)
    ] = 1,
    user: Annotated[str | None, typer.Option(help="User name that clients must give.")] = None,
    auth: Annotated[Auth, typer.Option(help="How they prove the password.")] = Auth.DIGEST,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate: serve rtsps://.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="The certificate's key.")] = None,
    fault: Annotated[list[str] | None, typer.Option(help=_FAULT_HELP, metavar="NAME")] = None,
    fault_after: Annotated[
        float, typer.Option(help="Seconds of playing before it; 0: from the beginning.", min=0)
    ] = 5.0,
    fault_for: Annotated[
        float | None, typer.Option(help="Seconds until all is well again; else never.", min=0)
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Addresses, and what was sent at the end, as JSON.")
    ] = False,
) -> None:
    """Serve films as RTSP cameras, one address each, until Ctrl-C; with faults if wanted.

    With --user, the password is taken from VIGIL_SIMULATE_PASSWORD. docs/simulate.md lists the
    faults.
    """
    account = _account(user)
    tls = _tls(tls_cert, tls_key)
    cache = cache_folder() / "simulate"
    reels = {
        name: load(film, cache, lambda text: typer.echo(text, err=True))
        for name, film in names_of(films).items()
    }
    hint = _frozen_hint(reels, start) if loop else None
    reels = copies(reels, cameras)
    served = SimulatedCameras(
        reels,
        host=host,
        port=port,
        start_s=start,
        loop=loop,
        account=account,
        auth=auth,
        tls=tls,
        faults=plans(fault or [], list(reels), after_s=fault_after, for_s=fault_for),
    )

    def show(addresses: Mapping[str, str]) -> None:
        for line in [json.dumps({"urls": addresses})] if as_json else addresses.values():
            typer.echo(line)
        if hint:
            typer.echo(hint, err=True)

    try:
        run(served, stop=threading.Event(), on_ready=show)
    except KeyboardInterrupt:
        if as_json:
            sent = {name: asdict(counts) for name, counts in served.sent.items()}
            typer.echo(json.dumps({"sent": sent, "cpu_s": round(time.process_time(), 2)}))


def _frozen_hint(reels: Mapping[str, Reel], start_s: float) -> str | None:
    """What becomes of cameras that show a film so short that it seems to stand still, if any is."""
    after_s = Health().frozen_after_s
    if after_s is None:
        return None
    short = [name for name, reel in reels.items() if reel.duration_s - start_s < after_s]
    if not short:
        return None
    return (
        f"{listed(short)}: shorter than {after_s:.0f} s and shown over and over, which vigil takes "
        "for a frozen camera and looks at no more; set `frozen_after_s: null` under `health` where "
        "you watch it."
    )


def _account(user: str | None) -> Account | None:
    if user is None:
        return None
    password = os.environ.get(_PASSWORD)
    if not password:
        raise ConfigError(f"--user needs a password in {_PASSWORD}.")
    return Account(user, password)


def _tls(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if certificate is None:
        if key is not None:
            raise ConfigError("--tls-key needs --tls-cert as well.")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or "no certificate with its key in PEM"
        raise ConfigError(
            f"The certificate {certificate} cannot be used ({reason}); name it with --tls-cert and "
            "its key with --tls-key."
        ) from None
    return context
