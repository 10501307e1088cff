"""Any model that ultralytics loads, with its own predictor: boxes exactly as it gives them."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.detectors.decode import IOU_LIMIT, Candidates, detections
from pipeline.detectors.embeddings import STRIDE, normalised, pool
from pipeline.detectors.letterbox import Letterbox
from pipeline.detectors.pool import Answer, Asked, last_line
from pipeline.errors import ConfigError, WeightsError
from pipeline.telemetry import switch_off
from pipeline.types import Frame, Image, Size

CUDA_STREAMS = 2
"""One picture is prepared and read while the card works on the other; it works on one at a time."""
TASKS = ("detect", "segment", "pose")
"""Those whose answers hold upright boxes."""
FIRST_SIDE = 320
"""Width and height of the black picture on which a model is tried, in pixels."""


class UltralyticsModel:
    """A model with ultralytics' predictor; see `pool.Model`.

    A predictor is for one thread at a time, so each stream has one of its own, and a copy of the
    model with it. Each object of a model that runs on torch gets an embedding where the model has
    features for it; see `embeddings`.

    Args:
        model: a file that ultralytics reads, the .xml of an OpenVINO model among them; a .pt is
            trusted.
        device: `cpu`, `cuda`, `cuda:N`, or `auto` for CUDA where torch sees it.
        home: folder for ultralytics' own settings, so that a user's are neither read nor changed.

    Raises:
        WeightsError: ultralytics cannot load the file, or it detects no objects.
        ConfigError: there is no such device, or the extra `ultralytics` is missing.
    """

    def __init__(self, model: Path, *, device: str = "auto", home: Path) -> None:
        _prepare(home)
        try:
            import torch
            from ultralytics import YOLO
        except ImportError as error:
            raise ConfigError(
                "detector.backend: ultralytics is not installed; install it with "
                'pip install "vigil[ultralytics]", or take another `backend`.'
            ) from error
        self._device = _device(device, torch)
        on_card = self._device.startswith("cuda")
        self._predictors: SimpleQueue[_Predictor] = SimpleQueue()
        try:
            first = _Predictor(YOLO, model, self._device)
            # Told by ultralytics, when it chose the device, how many cores a picture gets.
            self.streams = CUDA_STREAMS if on_card else max(_cores() // torch.get_num_threads(), 1)
            self._predictors.put(first)
            for _ in range(self.streams - 1):
                self._predictors.put(_Predictor(YOLO, model, self._device))
        # ultralytics raises all kinds, and what unpickling raises may be anything.
        except Exception as error:
            raise WeightsError(
                f"The weights {model} are not a detector that ultralytics can run "
                f"({last_line(error)}); give another file."
            ) from error
        self.labels: Sequence[str] = first.labels
        where = "CUDA" if on_card else "processor"
        self.description = f"{model.stem} on ultralytics, {where}, {self.streams} streams"

    def look(self, frame: Frame, asked: Asked) -> Answer:
        """As `pool.Model`; the stream is busy while its predictor prepares and reads, too."""
        image = frame.image()
        predictor = self._predictors.get()
        began = time.perf_counter()
        try:
            found, features = predictor.look(image, asked)
            busy_s = time.perf_counter() - began
        finally:
            self._predictors.put(predictor)
        kept = np.flatnonzero(np.isin(found.classes, list(asked.wanted)))
        found = found[kept[np.argsort(-found.confidences[kept], kind="stable")]]
        embeddings = None
        if features is not None and len(found.boxes):
            box = predictor.letterbox(frame.size, asked.size)
            embeddings = pool(normalised(features), box.lay(found.boxes), box.canvas)
        # Its boxes are in pixels of the picture; those of an RT-DETR may reach beyond.
        whole = Letterbox.stretch(frame.size, frame.size)
        return Answer(detections(found, whole, self.labels, embeddings), busy_s)

    def close(self) -> None:
        """Release the models; nobody is looking any more."""
        while not self._predictors.empty():
            self._predictors.get()


class _Predictor:
    """A model and ultralytics' predictor for it, for one thread at a time."""

    def __init__(self, loader: Any, path: Path, device: str) -> None:
        self._device = device
        # Without a task ultralytics guesses that of an exported model from the file's name.
        whole = path.parent if path.suffix == ".xml" else path
        self._model = loader(str(whole), task=None if path.suffix == ".pt" else "detect")
        if self._model.task not in TASKS:
            raise ValueError(f"it was made for the task {self._model.task!r}")
        names = self._blank().names
        self.labels = tuple(str(names[index]) for index in sorted(names))
        self._stride = int(self._model.predictor.model.stride)
        # Only what runs on torch has layers that can be listened to.
        network = getattr(self._model.predictor.model, "model", None)
        layers: Sequence[Any] = getattr(network, "model", ())
        self._features: Any = None
        self._stretches = len(layers) > 0 and "RTDETR" in type(layers[-1]).__name__
        layer = self._layer(layers)
        if layer is not None:
            layer.register_forward_hook(self._keep)

    def look(self, image: Image, asked: Asked) -> tuple[Candidates, NDArray[np.float32] | None]:
        """What is in a picture, in its pixels, and the feature map, (height, width, channels)."""
        found = self._predict(image, asked).boxes
        boxes = Candidates(
            found.xyxy.numpy(), found.conf.numpy(), found.cls.numpy().astype(np.intp)
        )
        if self._features is None:
            return boxes, None
        map_ = self._features[0].permute(1, 2, 0).float().cpu().contiguous().numpy()
        return boxes, map_

    def letterbox(self, frame: Size, longer_side: int) -> Letterbox:
        """How a model that runs on torch gets a frame."""
        if self._stretches:
            return Letterbox.stretch(frame, (longer_side, longer_side))
        return Letterbox.fit(frame, longer_side, self._stride)

    def _blank(self) -> Any:
        blank = np.zeros((FIRST_SIDE, FIRST_SIDE, 3), np.uint8)
        return self._predict(blank, Asked(FIRST_SIDE, 0.5, frozenset()))

    def _predict(self, image: Image, asked: Asked) -> Any:
        (result,) = self._model.predict(
            image,
            imgsz=asked.size,
            conf=asked.confidence,
            iou=IOU_LIMIT,
            classes=sorted(asked.wanted) or None,
            rect=True,
            device=self._device,
            verbose=False,
            save=False,
        )
        return result.cpu()

    def _keep(self, _layer: Any, _given: Any, output: Any) -> None:
        self._features = output

    def _layer(self, layers: Sequence[Any]) -> Any:
        """The layer of the feature map, by the rule of `embeddings.add_features`, or None."""
        cells: dict[int, list[int]] = {}

        def note(index: int, output: Any) -> None:
            if len(getattr(output, "shape", ())) == 4:
                cells[index] = list(output.shape[2:])

        hooks = [
            layer.register_forward_hook(lambda _layer, _given, output, at=index: note(at, output))
            for index, layer in enumerate(layers)
        ]
        self._blank()
        for hook in hooks:
            hook.remove()
        small, half = ([FIRST_SIDE // stride] * 2 for stride in (STRIDE, 2 * STRIDE))
        at = next((index for index in range(len(layers)) if cells.get(index) == half), 0)
        while at > 0:
            before = layers[at].f
            before = before[0] if isinstance(before, list) else before
            at = at + before if before < 0 else before
            if cells.get(at) == small:
                return layers[at]
        return None


def _prepare(home: Path) -> None:
    """Nothing is reported, installed, downloaded or printed: before it is imported."""
    switch_off()
    os.environ.setdefault("YOLO_CONFIG_DIR", str(home))
    os.environ.setdefault("YOLO_VERBOSE", "false")
    logging.getLogger("ultralytics").setLevel(logging.ERROR)


def _device(device: str, torch: Any) -> str:
    there = torch.cuda.is_available()
    if device == "cpu" or (device == "auto" and not there):
        return "cpu"
    if there and (device == "auto" or device.startswith("cuda")):
        return device if ":" in device else "cuda:0"
    raise ConfigError(
        f"detector.device: {device} cannot be used: torch knows `cpu` and `cuda`, and finds "
        f"{'it' if there else 'no CUDA'} on this machine; set one that is there."
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0))
