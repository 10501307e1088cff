"""What runs for a camera: backend, model and input, so that others can be measured on the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.choices import Choices, Chosen, Host, checksum
from pipeline.config import Config
from pipeline.detectors import model_folder
from pipeline.detectors.choice import Machine, choose
from pipeline.detectors.compiled import examine, unusable
from pipeline.detectors.letterbox import Letterbox
from pipeline.detectors.models import find_model
from pipeline.telemetry import switch_off
from pipeline.types import Size


@dataclass(frozen=True, slots=True)
class Target:
    """`weights` on `backend` and `device`, with an input of `canvas` (width, height) whose longer
    side is meant to be `size`; `bfloat16` tells of arithmetic, on OpenVINO."""

    backend: str
    device: str
    weights: Path
    size: int
    canvas: Size
    bfloat16: bool = False


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
    size, bfloat16 = config.cameras[camera].detect.size, False
    chosen = _chosen(config, camera, model) if backend == "openvino" else None
    if chosen is not None:
        size, bfloat16 = chosen.size, chosen.arithmetic == "bfloat16"
        model = model_folder() / chosen.file if chosen.file else model
    canvas = _letterbox(model, frame, size).canvas
    return Target(backend, settings.device, model, size, canvas, bfloat16)


def _letterbox(model: Path, frame: Size, size: int) -> Letterbox:
    """How the product lays a frame into the model's input, which may have one size only.

    Raises:
        WeightsError: the model is of no use.
    """
    if model.suffix not in (".onnx", ".xml"):
        return Letterbox.fit(frame, size)
    switch_off()
    import openvino as ov

    try:
        exported = examine(ov.Core().read_model(model), model)
    except (RuntimeError, ValueError) as error:
        raise unusable(model, error) from error
    return exported.letterbox(frame, size)


def _chosen(config: Config, camera: str, model: Path) -> Chosen | None:
    """What `vigil optimize` chose, as far as it is used."""
    settings = config.detector
    if not settings.optimized or settings.device not in ("auto", "cpu"):
        return None
    found = Choices.read(model_folder()).of(camera, config.cameras[camera])
    if found is None or found.stale(config.cameras[camera], checksum(model), Host.here()):
        return None
    return found


def weights(config: Config) -> Path:
    """The configured model's file, as it was before anything was optimised.

    Raises:
        ConfigError: the model is not there, or not for the backend.
        WeightsError: it is not the one that was meant.
    """
    return find_model(config.detector, model_folder())
