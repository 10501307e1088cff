"""`vigil demo`: the whole pipeline on a real film, or on the user's own cameras, at once."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import platformdirs
import typer

from pipeline.cli import app
from pipeline.cli.cameras import cache_folder
from pipeline.cli.naming import camera_keys
from pipeline.config import Describer
from pipeline.configfile import validate
from pipeline.describers import validate as validate_describer
from pipeline.errors import WorkerError
from pipeline.posts import Infos, Spec
from pipeline.redact import redact
from pipeline.simulate.film import Film, demo_film
from pipeline.supervisor import Supervisor
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
    "health": {"frozen_after_s": None},
}  # fmt: skip
"""What is watched for in the film; docs/demo.md says what is to be seen in it, and when. It repeats
itself every 34.5 s, and would be taken for the last seconds of a camera that has frozen."""

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
        Path | None, typer.Option(help="Where events, pictures and clips go.", metavar="FOLDER")
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(
            help="Serve the page on this address; browsers then enter by a one-time link.",
            metavar="ADDRESS",
        ),
    ] = None,
) -> None:
    """Show what vigil does, on a film of a real camera; the last line of output is JSON."""
    settings: dict[str, Any] = {"site": "demo", "data": str((data or _data_folder()).absolute())}
    if vlm is not None:
        settings["describer"] = {"model": _model(vlm)}
        validate_describer(Describer(model=_model(vlm)))
    if listen is not None:
        settings["web"] = {"listen": listen}
    if source:
        summary, in_order = _watch(settings | {"cameras": _own_cameras(source)}, seconds, [])
    else:
        film = demo_film(cache_folder() / "simulate", _say)
        simulator = _Simulator(film)
        try:
            import_module("pipeline.cli.run")  # takes a second, like the simulator
            camera = (MADE if film.made else CAMPUS) | {"source": simulator.url()}
            notes = [film.note] if film.note else []
            summary, in_order = _watch(settings | {"cameras": {"campus": camera}}, seconds, notes)
        finally:
            stopped = simulator.stop()
        in_order &= stopped
    typer.echo(json.dumps(summary))
    if not in_order:
        log = Path(settings["data"]) / "vigil.log"
        raise WorkerError("demo", f"Not every worker ended in order; see {log}.")


def _watch(
    settings: dict[str, Any], seconds: float | None, notes: list[str]
) -> tuple[dict[str, Any], bool]:
    """Run the pipeline with its display; the figures, and whether all ended in order."""
    from pipeline.cli.run import Runner, log_to
    from pipeline.cli.table import Display
    from pipeline.library import Pipeline

    config = validate(settings, where="vigil demo", folder=Path.cwd())
    pipeline = Pipeline(config)
    model = None if config.describer is None else redact(config.describer.model)
    # Ctrl-C before the runner has it ends the workers, too.
    with pipeline:
        log_to(config.data / "vigil.log")
        notes += [
            f"Events: {redact(pipeline.redis_url)}, or `vigil subscribe` in another terminal.",
            f"Pictures and clips: {config.data / 'media'}",
            f"Model: {model}" if model else VLM_HINT,
            "Ctrl-C stops.",
        ]
        summary = Runner(pipeline, Display(notes, config.tz()), seconds).run()
    return (
        {
            "cameras": summary.cameras,
            "frames": summary.frames,
            "detections": summary.detections,
            "events": summary.events,
            "first_event_s": summary.first_event_s,
            "judged": summary.judged,
            "clips": summary.clips,
        },
        summary.in_order,
    )


class _Simulator:
    """Serves the film as a camera, from a process of its own."""

    def __init__(self, film: Film) -> None:
        self._options: dict[str, Any] = {
            "films": {"campus": str(film.path)},
            "cache": str(cache_folder() / "simulate"),
            "port": 0,
            "start_s": 0.0 if film.made else START_S,
        }
        self._supervisor = Supervisor([Spec("simulate", "simulate", self._order)])
        self._supervisor.start()

    def url(self) -> str:
        """Its address, once it answers. Raises: WorkerError: it does not."""
        url = str(self._supervisor.wait_info("simulate", SIMULATOR_S)["urls"]["campus"])
        # Started again after a crash, it must come back at the same address.
        self._options["port"] = urlsplit(url).port
        return url

    def stop(self) -> bool:
        return self._supervisor.stop()

    def _order(self, infos: Infos) -> Order:
        return Order(name="simulate", options=self._options)


def _own_cameras(sources: list[str]) -> dict[str, Any]:
    addresses = ["webcam:0" if source == "webcam" else source for source in sources]
    keys = camera_keys(addresses)
    return {key: {"source": url} for key, url in zip(keys, addresses, strict=True)}


def _data_folder() -> Path:
    return platformdirs.user_data_path("vigil") / "demo"


def _model(text: str) -> str:
    """A folder is found from where the command is run."""
    folder = Path(text).expanduser()
    return str(folder.resolve()) if folder.is_dir() else text


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
