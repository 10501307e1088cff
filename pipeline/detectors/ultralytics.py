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

from pipeline.detectors.pool import Answer, Asked, last_line
from pipeline.errors import ConfigError, WeightsError
from pipeline.telemetry import switch_off
from pipeline.types import Box, Detection, Frame

CUDA_STREAMS = 2
"""One picture is prepared and read while the card works on the other; it works on one at a time."""
TASKS = ("detect", "segment", "pose")
"""Those whose answers hold upright boxes."""
FIRST_SIDE = 320
"""Width and height of the black picture on which a model is tried, in pixels."""


class UltralyticsModel:
    """A model with ultralytics' predictor; see `pool.Model`.

    A predictor is for one thread at a time, so each stream has one of its own, and a copy of the
    model with it.

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
        self._predictors: SimpleQueue[Any] = SimpleQueue()
        try:
            first, names = self._load(YOLO, model)
            # Told by ultralytics, when it chose the device, how many cores a picture gets.
            self.streams = CUDA_STREAMS if on_card else max(_cores() // torch.get_num_threads(), 1)
            self._predictors.put(first)
            for _ in range(self.streams - 1):
                self._predictors.put(self._load(YOLO, model)[0])
        # ultralytics raises all kinds, and what unpickling raises may be anything.
        except Exception as error:
            raise WeightsError(
                f"The weights {model} are not a detector that ultralytics can run "
                f"({last_line(error)}); give another file"
            ) from error
        self.labels: Sequence[str] = names
        where = "CUDA" if on_card else "processor"
        self.description = f"{model.stem} on ultralytics, {where}, {self.streams} streams"

    def look(self, frame: Frame, asked: Asked) -> Answer:
        """As `pool.Model`; the stream is busy while its predictor prepares and reads, too."""
        image = frame.image()
        model = self._predictors.get()
        began = time.perf_counter()
        try:
            result = self._predict(model, image, asked)
            busy_s = time.perf_counter() - began
        finally:
            self._predictors.put(model)
        found = result.boxes
        order = (-found.conf).argsort(stable=True)
        # An RT-DETR's boxes may reach beyond the picture.
        edge = np.array(frame.size * 2, np.float32)
        rows = zip(
            found.cls[order].int().tolist(),
            found.conf[order].tolist(),
            np.clip(found.xyxy[order].numpy(), 0, edge).tolist(),
            strict=True,
        )
        detections = [
            Detection(self.labels[index], confidence, Box(*box))
            for index, confidence, box in rows
            if index in asked.wanted
        ]
        return Answer(detections, busy_s)

    def close(self) -> None:
        """Release the models; nobody is looking any more."""
        while not self._predictors.empty():
            self._predictors.get()

    def _load(self, loader: Any, path: Path) -> tuple[Any, tuple[str, ...]]:
        """A model that has looked at a black picture, and its labels."""
        # Without a task ultralytics guesses that of an exported model from the file's name.
        whole = path.parent if path.suffix == ".xml" else path
        model = loader(str(whole), task=None if path.suffix == ".pt" else "detect")
        if model.task not in TASKS:
            raise ValueError(f"it was made for the task {model.task!r}")
        blank = np.zeros((FIRST_SIDE, FIRST_SIDE, 3), np.uint8)
        names = self._predict(model, blank, Asked(FIRST_SIDE, 0.5, frozenset())).names
        return model, tuple(names[index] for index in sorted(names))

    def _predict(self, model: Any, image: Any, asked: Asked) -> Any:
        (result,) = model.predict(
            image,
            imgsz=asked.size,
            conf=asked.confidence,
            iou=0.7,
            classes=sorted(asked.wanted) or None,
            rect=True,
            device=self._device,
            verbose=False,
            save=False,
        )
        return result.cpu()


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
