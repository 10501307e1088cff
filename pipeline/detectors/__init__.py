"""Object detectors, found by name; each imports its library when it is loaded."""

from __future__ import annotations

import difflib
import importlib.util
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import platformdirs

from pipeline.config import Camera, DetectorSection
from pipeline.detectors.choice import Machine, choose
from pipeline.detectors.models import find_model, is_packaged
from pipeline.errors import ConfigError, VigilError
from pipeline.own import imported
from pipeline.protocols import Detector
from pipeline.weights import LABELS

logger = logging.getLogger(__name__)


class SharedDetector(Protocol):
    """One loaded model for all cameras of a process."""

    description: str
    """What runs where, for people."""

    @property
    def streams(self) -> int:
        """How many pictures it works on at once."""
        ...

    def for_camera(self, key: str, camera: Camera) -> Detector:
        """A detector with one camera's own size, confidence and labels.

        Raises:
            ConfigError: the model knows no such label.
        """
        ...

    def close(self) -> None:
        """Finish what was submitted, and release the model."""
        ...


def known_labels(key: str, camera: Camera, labels: Sequence[str] = LABELS) -> None:
    """Make sure that a detector of these labels can look for what a camera wants.

    Raises:
        ConfigError: it has no such label.
    """
    unknown = next((label for label in camera.labels() if label not in labels), None)
    if unknown is None:
        return
    near = difflib.get_close_matches(unknown, labels, n=1)
    if near:
        hint = f"did you mean {near[0]!r}?"
    elif tuple(labels) == LABELS:
        hint = "write a class name of COCO, such as 'car'."
    else:
        few = ", ".join(repr(label) for label in labels[:8])
        hint = f"it knows {few}" + (f" and {len(labels) - 8} more." if len(labels) > 8 else ".")
    place = "detect" if camera.detect.labels else "rules"
    raise ConfigError(f"cameras.{key}.{place}: the detector knows no label {unknown!r}; {hint}")


def expected_labels(settings: DetectorSection) -> Sequence[str] | None:
    """The labels of the configured detector, or None where they are known once it is loaded."""
    return LABELS if is_packaged(settings) and ":" not in settings.backend else None


def model_folder() -> Path:
    """Where compiled, downloaded and optimised models are kept."""
    return platformdirs.user_cache_path("vigil") / "models"


Loader = Callable[[DetectorSection, Path, Path], SharedDetector]
"""Called with the settings, the model's file and the folder of models."""


def _openvino(settings: DetectorSection, model: Path, models: Path) -> SharedDetector:
    from pipeline.detectors.openvino import OpenVinoModel
    from pipeline.detectors.pool import PooledDetector

    if settings.optimized and settings.device in ("auto", "cpu"):
        from pipeline.detectors.optimized import optimized

        found = optimized(model, models)
        if found is not None:
            return found
    return PooledDetector(OpenVinoModel(model, cache=models, device=settings.device))


def _onnx(settings: DetectorSection, model: Path, models: Path) -> SharedDetector:
    require("onnx")
    from pipeline.detectors.onnx import OnnxModel
    from pipeline.detectors.pool import PooledDetector

    return PooledDetector(OnnxModel(model, device=settings.device))


def _ultralytics(settings: DetectorSection, model: Path, models: Path) -> SharedDetector:
    require("ultralytics")
    from pipeline.detectors.pool import PooledDetector
    from pipeline.detectors.ultralytics import UltralyticsModel

    home = models / "ultralytics"
    return PooledDetector(UltralyticsModel(model, device=settings.device, home=home))


LOADERS: Mapping[str, Loader] = {
    "openvino": _openvino,
    "onnx": _onnx,
    "ultralytics": _ultralytics,
}

PACKAGES: Mapping[str, str] = {
    "openvino": "openvino",
    "onnx": "onnxruntime",
    "ultralytics": "ultralytics",
}
"""Backend -> what it cannot do without; the last two are extras of the same name."""


def load_detector(settings: DetectorSection, models: Path | None = None) -> SharedDetector:
    """Load the detector that `settings` name; `models` is a folder where models are kept.

    Raises:
        WeightsError: the weights are missing, altered or of no use.
        ConfigError: a key of `detector` is wrong for this machine; the message names it.
    """
    folder = models or model_folder()
    if ":" in settings.backend:
        return _own(settings, folder)
    model = find_model(settings, folder)
    if settings.backend != "auto":
        detector = LOADERS[settings.backend](settings, model, folder)
    else:
        choice = choose(settings, model, Machine.here())
        detector = LOADERS[choice.backend](settings, model, folder)
        detector.description += f", chosen because {choice.reason}"
    logger.info("The detector is %s.", detector.description)
    return detector


def prepare(settings: DetectorSection, models: Path | None = None) -> None:
    """Find what can be found wrong without loading the model, and download it if it must be: this
    may take minutes.

    Raises:
        WeightsError, ConfigError: as `load_detector`.
    """
    if ":" in settings.backend:
        imported(settings.backend, "detector.backend")
        return
    model = find_model(settings, models or model_folder())
    chosen = settings.backend
    if chosen == "auto":
        chosen = choose(settings, model, Machine.here()).backend
    require(chosen)


def require(backend: str) -> None:
    """Raises: ConfigError: the package of a backend is not installed."""
    if importlib.util.find_spec(PACKAGES[backend]) is None:
        raise ConfigError(
            f"detector.backend: {backend} is not installed; install it with "
            f'pip install "vigil[{backend}]", or take another `backend`.'
        )


def _own(settings: DetectorSection, folder: Path) -> SharedDetector:
    """A detector of the user's own: `attribute` is called with the settings and a folder."""
    load: Callable[[DetectorSection, Path], SharedDetector] = imported(
        settings.backend, "detector.backend"
    )
    try:
        detector = load(settings, folder)
    except VigilError:
        raise
    # It is not this program's code: whatever it raises is told in a sentence.
    except Exception as error:
        raise ConfigError(
            f"detector.backend: {settings.backend} failed ({type(error).__name__}: {error})."
        ) from error
    logger.info("The detector is %s.", detector.description)
    return detector
