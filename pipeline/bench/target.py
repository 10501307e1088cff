"""What runs for a camera: backend, model and input, so that others can be measured on the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.config import Config
from pipeline.detectors.letterbox import Letterbox
from pipeline.errors import WeightsError
from pipeline.types import Size
from pipeline.weights import packaged_weights

PACKAGED = "yolo11n"


@dataclass(frozen=True, slots=True)
class Target:
    """`weights` on `backend`, with an input of `canvas` (width, height) whose longer side is meant
    to be `size`."""

    backend: str
    weights: Path
    size: int
    canvas: Size


def target(config: Config, camera: str, frame: Size) -> Target:
    """What the product runs for a camera whose pictures have the size `frame`.

    Raises:
        WeightsError: the weights are not there.
    """
    backend = "openvino" if config.detector.backend == "auto" else config.detector.backend
    size = config.cameras[camera].detect.size
    return Target(backend, weights(config), size, Letterbox.fit(frame, size).canvas)


def weights(config: Config) -> Path:
    """The configured model's file, as it was before anything was optimised.

    Raises:
        WeightsError: it is not there.
    """
    if config.detector.model == PACKAGED:
        return packaged_weights()
    path = Path(config.detector.model)
    if not path.is_file():
        raise WeightsError(f"detector.model: there is no file {path}; write the path of a model.")
    return path
