"""Object detectors, found by name; each imports its library when it is loaded."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import platformdirs

from pipeline.config import Camera, DetectorSection
from pipeline.errors import ConfigError
from pipeline.protocols import Detector
from pipeline.weights import LABELS


class SharedDetector(Protocol):
    """One loaded model for all cameras of a process."""

    description: str
    """What runs where, for people."""
    streams: int
    """How many pictures it works on at once."""

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
    hint = f"did you mean {near[0]!r}?" if near else "write a class name of COCO, such as 'car'"
    place = "detect" if camera.detect.labels else "rules"
    raise ConfigError(f"cameras.{key}.{place}: the detector knows no label {unknown!r}; {hint}")


def model_folder() -> Path:
    """Where compiled, downloaded and optimised models are kept."""
    return platformdirs.user_cache_path("vigil") / "models"


def _openvino(settings: DetectorSection, models: Path) -> SharedDetector:
    from pipeline.detectors.openvino import OpenVinoModel
    from pipeline.detectors.pool import PooledDetector
    from pipeline.weights import packaged_weights

    return PooledDetector(OpenVinoModel(packaged_weights(), cache=models))


LOADERS: Mapping[str, Callable[[DetectorSection, Path], SharedDetector]] = {"openvino": _openvino}


def load_detector(settings: DetectorSection, models: Path | None = None) -> SharedDetector:
    """Load the detector that `settings` name; `models` is a folder where models are kept.

    Raises:
        WeightsError: the weights are missing, altered or of no use.
    """
    backend = "openvino" if settings.backend == "auto" else settings.backend
    return LOADERS[backend](settings, models or model_folder())
