"""`vigil demo`: the whole pipeline on a real film, or on the user's own cameras, at once."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import platformdirs
import typer

from pipeline.cli import app
from pipeline.cli.cameras import cache_folder, camera_keys
from pipeline.cli.run import Runner, log_to
from pipeline.cli.table import Display
from pipeline.config import Config
from pipeline.configfile import validate
from pipeline.describers import validate as validate_describer
from pipeline.errors import WorkerError
from pipeline.library import Pipeline
from pipeline.redact import redact
from pipeline.simulate.film import Film, demo_film
from pipeline.supervisor import Spec, Supervisor
from pipeline.workers.link import Order

VLM_HINT = (
    "Rules only: no vision-language model. To add one: "
    "make demo VLM=<folder, model id or server address>"
)
START_S = 45.0
"""From this second on there is most to be seen in the film."""
SIMULATOR_S = 30.0

CAMPUS: dict[str, Any] = {
    "name": "the campus",
    "detect": {"fps": 5},
    "zones": {
        "lawn": [
            [0, 0.5], [0.17, 0.52], [0.30, 0.62], [0.45, 0.70], [0.62, 0.79], [0.80, 0.86],
            [1, 0.93], [1, 1], [0, 1],
        ],
        "path": [[0.76, 0.58], [0.97, 0.62], [0.97, 0.80], [0.80, 0.76]],
    },
    "rules": {
        "lawn": {"type": "zone", "zone": "lawn"},
        "lingers": {"type": "loiter", "zone": "path", "seconds": 10, "severity": "alert"},
    },
}  # fmt: skip
"""What is watched for in the film; docs/demo.md says what is to be seen in it, and when."""

MADE: dict[str, Any] = {
    "name": "the made film",
    "rules": {
        "person": {"type": "zone"},
        "lingers": {"type": "loiter", "seconds": 5, "severity": "alert"},
    },
}
"""What is watched for in the film that is made where the real one cannot be had."""


@app.command()
def demo(
    source: Annotated[
        list[str] | None,
        typer.Option(help="Your own camera, film or `webcam` instead; may be repeated."),
    ] = None,
    vlm: Annotated[
        str | None,
        typer.Option(help="A vision-language model: folder, model id or server address."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Stop by itself after so many seconds.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Where events and pictures go.", metavar="FOLDER")
    ] = None,
) -> None:
    """Show what vigil does, on a film of a real camera; the last line of output is JSON."""
    describer = None if vlm is None else {"model": _model(vlm)}
    folder = data or platformdirs.user_data_path("vigil") / "demo"
    with ExitStack() as stack:
        if source:
            cameras = _own_cameras(source)
        else:
            film = demo_film(cache_folder() / "simulate", _say)
            cameras = {"campus": _campus(film, _serve(film, stack))}
        config = validate(
            {"site": "demo", "data": str(folder.absolute()), "cameras": cameras}
            | ({"describer": describer} if describer else {}),
            where="vigil demo",
            folder=Path.cwd(),
        )
        if config.describer is not None:
            validate_describer(config.describer)
        summary, failed = _run(config, seconds)
    typer.echo(json.dumps(summary))
    if failed:
        raise WorkerError("demo", f"Not every worker ended in order; see {folder / 'vigil.log'}.")


def _run(config: Config, seconds: float | None) -> tuple[dict[str, Any], bool]:
    pipeline = Pipeline(config)
    pipeline.start()
    log_to(config.data / "vigil.log")
    notes = [
        f"Events: {redact(pipeline.redis_url)}, or `vigil subscribe` in another terminal.",
        f"Pictures: {config.data / 'media'}",
        VLM_HINT if config.describer is None else f"Model: {redact(config.describer.model)}",
        "Ctrl-C stops.",
    ]
    runner = Runner(pipeline, Display(notes, config.tz()), seconds)
    summary = runner.run()
    return (
        {
            "cameras": summary.cameras,
            "frames": summary.frames,
            "detections": summary.detections,
            "events": summary.events,
            "first_event_s": summary.first_event_s,
            "judged": summary.judged,
        },
        not summary.in_order,
    )


def _serve(film: Film, stack: ExitStack) -> str:
    """Serve the film as a camera until the stack closes; its address."""
    options: dict[str, Any] = {
        "films": {"campus": str(film.path)},
        "cache": str(cache_folder() / "simulate"),
        "port": 0,
        "start_s": 0.0 if film.made else START_S,
    }

    # A simulator that is started again comes back at the same address.
    def order(_: object) -> Order:
        return Order(name="simulate", options=options)

    supervisor = Supervisor([Spec("simulate", "simulate", order)])
    stack.callback(supervisor.stop)
    supervisor.start()
    url = str(supervisor.wait_info("simulate", SIMULATOR_S)["urls"]["campus"])
    options["port"] = int(url.rpartition(":")[2].partition("/")[0])
    return url


def _campus(film: Film, url: str) -> dict[str, Any]:
    return {**(MADE if film.made else CAMPUS), "source": url}


def _own_cameras(sources: list[str]) -> dict[str, Any]:
    addresses = ["webcam:0" if source == "webcam" else source for source in sources]
    keys = camera_keys(addresses)
    return {key: {"source": url} for key, url in zip(keys, addresses, strict=True)}


def _model(text: str) -> str:
    """A folder is found from where the command is run."""
    folder = Path(text).expanduser()
    return str(folder.resolve()) if folder.is_dir() else text


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
