"""`vigil bench detect` and `vigil bench accuracy`: how fast and how good detection is."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.bench import _film, bench
from pipeline.config import Config
from pipeline.configfile import read_config
from pipeline.errors import ConfigError

Size = Annotated[int, typer.Option(help="The longer side of the detector's input, in pixels.")]
Backend = Annotated[str, typer.Option(help="As `detector.backend` of streams.yaml.")]
Model = Annotated[str, typer.Option(help="As `detector.model` of streams.yaml.")]
Markdown = Annotated[bool, typer.Option(help="Print tables instead of JSON.")]


@bench.command()
def detect(
    film: Annotated[
        Path | None, typer.Argument(help="A film to measure on; the demo's, if not given.")
    ] = None,
    frames: Annotated[int, typer.Option(min=20, help="At most so many frames of it.")] = 150,
    repeat: Annotated[int, typer.Option(min=1, help="Run so often.")] = 5,
    size: Size = 640,
    backend: Backend = "auto",
    model: Model = "yolo11n",
    config: Annotated[
        Path | None, typer.Option(help="A streams.yaml, instead of size, backend and model...")
    ] = None,
    camera: Annotated[str | None, typer.Option(help="...and which camera of it.")] = None,
    markdown: Markdown = False,
) -> None:
    """How near every frame of a film, detected, tracked and ruled, comes to the bare model."""
    from pipeline.bench.detect import CAMERA, film_config, measure_detect, table

    if config is None:
        if camera is not None:
            raise ConfigError("--camera names a camera of a streams.yaml: give --config, too.")
        key, shown = CAMERA, film or _film()
        settings = film_config(shown, {"backend": backend, "model": model}, size)
    else:
        settings = read_config(config)
        key = _camera(settings, camera, config)
        shown = film or _film_of(settings, key) or _film()
    found = measure_detect(shown, settings, key, frames=frames, repeat=repeat)
    _print(found, table(found) if markdown else None)


@bench.command()
def accuracy(
    dataset: Annotated[Path, typer.Argument(help="A folder in YOLO format, or its data.yaml.")],
    split: Annotated[str, typer.Option(help="Which of its splits: val, train or test.")] = "val",
    size: Size = 640,
    backend: Backend = "auto",
    model: Model = "yolo11n",
    compare: Annotated[
        bool, typer.Option(help="Have ultralytics validate the same weights on them, too.")
    ] = False,
    markdown: Markdown = False,
) -> None:
    """How good the boxes are on labelled pictures: COCO's mean average precision."""
    from pipeline.bench.accuracy import measure_accuracy, pictures_config, table

    settings = pictures_config({"backend": backend, "model": model}, size)
    found = measure_accuracy(dataset, settings, split=split, compare=compare)
    _print(found, table(found) if markdown else None)


def _camera(config: Config, wanted: str | None, file: Path) -> str:
    if wanted is None and len(config.cameras) == 1:
        return next(iter(config.cameras))
    if wanted is None or wanted not in config.cameras:
        known = ", ".join(config.cameras)
        said = "name one with --camera" if wanted is None else f"there is no camera {wanted!r}"
        raise ConfigError(f"{file}: {said}; it has {known}.")
    return wanted


def _film_of(config: Config, camera: str) -> Path | None:
    """What a camera shows, if that is a film."""
    from pipeline.sources import is_film

    address = config.cameras[camera].address()
    return Path(address) if is_film(address) else None


def _print(found: dict[str, Any], table: str | None) -> None:
    sys.stdout.write(table if table is not None else json.dumps(found, indent=2) + "\n")
