"""Looks for each camera with what `vigil optimize` chose for it; see `choices`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.choices import Choices, Chosen, Host, checksum
from pipeline.config import Camera
from pipeline.detectors.openvino import OpenVinoModel
from pipeline.detectors.pool import Answer, Asked, CameraDetector, Model, PooledDetector
from pipeline.errors import WeightsError
from pipeline.types import Frame

logger = logging.getLogger(__name__)

PLAIN = ""
"""The variant that is the configured model as it is."""

Load = Callable[[str], Model]


class Variants:
    """One model in several variants, which have labels and streams in common; see `pool.Model`.

    Args:
        load: called with a variant's name, `Asked.variant`.
        first: the variant to begin with.

    Raises:
        WeightsError: it cannot be loaded.
    """

    def __init__(self, load: Load, first: str) -> None:
        self._load = load
        model = load(first)
        self._loaded = {first: model}
        self.description = model.description
        self.labels: Sequence[str] = model.labels
        self.streams = model.streams

    def need(self, variant: str) -> None:
        """Load a variant unless it is loaded. Raises: WeightsError: it cannot be loaded."""
        if variant not in self._loaded:
            self._loaded[variant] = self._load(variant)

    def look(self, frame: Frame, asked: Asked) -> Answer:
        """As `pool.Model`, with the variant that is asked for, which was needed before."""
        return self._loaded[asked.variant].look(frame, asked)

    def close(self) -> None:
        """As `pool.Model`."""
        for model in self._loaded.values():
            model.close()


class OptimizedDetector:
    """A `SharedDetector` of which each camera has the variant and the input size that were chosen
    for it. What no camera needs is not loaded.

    Args:
        chosen: what was chosen for a camera, by its key; None for the configured model at the
            configured size.
    """

    def __init__(
        self, load: Load, chosen: Callable[[str, Camera], Chosen | None], description: str
    ) -> None:
        self._load, self._chosen = load, chosen
        self._variants: Variants | None = None
        self._pool: PooledDetector | None = None
        self._description = description
        self._told: dict[str, list[str]] = {}

    @property
    def description(self) -> str:
        """What runs where, and which cameras have something else."""
        others = [f"{what} for {', '.join(keys)}" for what, keys in self._told.items()]
        return "; ".join([self._description, *others])

    @description.setter
    def description(self, value: str) -> None:
        self._description = value

    @property
    def streams(self) -> int:
        return self._having(PLAIN).streams if self._pool is None else self._pool.streams

    def for_camera(self, key: str, camera: Camera) -> CameraDetector:
        """As `SharedDetector`. A choice whose model cannot be loaded is told of and left alone."""
        chosen = self._chosen(key, camera)
        if chosen is not None:
            try:
                pool = self._having(chosen.variant)
            except WeightsError as error:
                logger.warning(
                    "Camera %s: what `vigil optimize` chose cannot be used (%s); run it again.",
                    key,
                    str(error).rstrip("."),
                )
                chosen = None
        if chosen is None:
            return self._having(PLAIN).for_camera(key, camera)
        detect = camera.detect.model_copy(update={"size": chosen.size})
        resized = camera.model_copy(update={"detect": detect})
        view = pool.for_camera(key, resized, variant=chosen.variant)
        self._told.setdefault(f"{chosen.name} at {chosen.size} pixels", []).append(key)
        return view

    def close(self) -> None:
        """Finish what was submitted, and release the models."""
        if self._pool is not None:
            self._pool.close()

    def _having(self, variant: str) -> PooledDetector:
        """The pool, with a variant loaded. Raises: WeightsError: it cannot be loaded."""
        if self._pool is None or self._variants is None:
            self._variants = Variants(self._load, variant)
            self._pool = PooledDetector(self._variants)
        self._variants.need(variant)
        return self._pool


def optimized(model: Path, folder: Path) -> OptimizedDetector | None:
    """The detector that uses what was chosen for this model, an .onnx or .xml, on the processor,
    and kept in `folder`; None where nothing was chosen."""
    choices = Choices.read(folder)
    if not choices.choices:
        return None
    of, host = checksum(model), Host.here()

    def chosen(key: str, camera: Camera) -> Chosen | None:
        found = choices.of(key, camera)
        why = None if found is None else found.stale(camera, of, host)
        if why is not None:
            logger.info(
                "Camera %s: what `vigil optimize` chose is not used, since %s; run it again.",
                key,
                why,
            )
            return None
        return found

    return OptimizedDetector(
        lambda variant: load_variant(model, folder, variant, cache=folder),
        chosen,
        f"{model.stem} on OpenVINO, processor",
    )


def load_variant(
    model: Path, folder: Path, variant: str, *, cache: Path | None = None
) -> OpenVinoModel:
    """A variant of a model: PLAIN, `bfloat16`, or a file in `folder`.

    Raises:
        WeightsError: it cannot be loaded.
    """
    if variant in (PLAIN, "bfloat16"):
        return OpenVinoModel(model, cache=cache, bfloat16=bool(variant))
    return OpenVinoModel(folder / variant, cache=cache)
