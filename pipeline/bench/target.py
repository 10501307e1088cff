"""What runs for a camera: backend, model and input, so that others can be measured on the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.config import Config
from pipeline.detectors import model_folder
from pipeline.detectors.choice import Machine, choose
from pipeline.detectors.letterbox import Letterbox
from pipeline.detectors.models import find_model
from pipeline.types import Size


@dataclass(frozen=True, slots=True)
class Target:
    """`weights` on `backend` and `device`, with an input of `canvas` (width, height) whose longer
    side is meant to be `size`."""

    backend: str
    device: str
    weights: Path
    size: int
    canvas: Size


def target(config: Config, camera: str, frame: Size) -> Target:
    """What the product runs for a camera whose pictures have the size `frame`.

    Raises:
        ConfigError: the model is not there, or not for the backend.
        WeightsError: it is not the one that was meant.
    """
    settings, model = config.detector, weights(config)
    backend = settings.backend
    if backend == "auto":
        backend = choose(settings, model, Machine.here()).backend
    size = config.cameras[camera].detect.size
    return Target(backend, settings.device, model, size, Letterbox.fit(frame, size).canvas)


def weights(config: Config) -> Path:
    """The configured model's file, as it was before anything was optimised.

    Raises:
        ConfigError: the model is not there, or not for the backend.
        WeightsError: it is not the one that was meant.
    """
    return find_model(config.detector, model_folder())
