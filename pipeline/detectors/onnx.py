"""Detection models in ONNX format on ONNX Runtime: on the processor, or by CUDA."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.detectors.decode import boxes, detections
from pipeline.detectors.embeddings import normalised, onnx_with_features, pool
from pipeline.detectors.exported import Exported
from pipeline.detectors.pool import Answer, Asked, last_line
from pipeline.errors import ConfigError, WeightsError
from pipeline.telemetry import switch_off
from pipeline.types import Frame, Image

CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"
CUDA_STREAMS = 2
"""One picture is prepared and read while the card works on the other; it works on one at a time."""


class OnnxModel:
    """A detection model in ONNX format; see `pool.Model`.

    On the processor each core works on a picture of its own: on 2 cores a picture of 640x384 then
    took 24 ms of processor time with YOLO11n, 28 with both cores on one picture, 47 with ONNX
    Runtime's default, in which a core that waits for the other spins.

    Each object gets an embedding where the model has features for it and the package onnx is there;
    see `embeddings`.

    Args:
        weights: the ONNX file, with ultralytics' metadata.
        device: `cpu`, `cuda`, `cuda:N`, or `auto` for CUDA where it works.

    Raises:
        WeightsError: the file is no model that ONNX Runtime can run, or one of an unknown form.
        ConfigError: there is no such device.
    """

    def __init__(self, weights: Path, *, device: str = "auto") -> None:
        self._session, on = _open(weights, str(weights), device)
        try:
            self._input, self._exported = _examine(self._session)
            with_features = onnx_with_features(weights, self._exported.size)
            if with_features is not None:
                self._session, on = _open(weights, with_features, device)
            output, _ = self._infer(_tensor(self._exported.blank(), self._input.type))
            self._exported = self._exported.tried(output.shape)
        # ONNX Runtime raises errors of its own, with no common base but Exception.
        except Exception as error:
            raise _unusable(weights, error) from error
        self.labels: Sequence[str] = self._exported.labels
        self.streams = CUDA_STREAMS if on == CUDA else _cores()
        self._free = threading.BoundedSemaphore(self.streams)
        where = "CUDA" if on == CUDA else "processor"
        self.description = f"{weights.stem} on ONNX Runtime, {where}, {self.streams} streams"

    def look(self, frame: Frame, asked: Asked) -> Answer:
        """As `pool.Model`."""
        box = self._exported.letterbox(frame.size, asked.size)
        tensor = _tensor(box.apply(frame.image()), self._input.type)
        with self._free:
            began = time.perf_counter()
            output, features = self._infer(tensor)
            busy_s = time.perf_counter() - began
        found = boxes(
            output[0],
            self._exported.form,
            box.canvas,
            asked.confidence,
            asked.wanted,
            every_label=asked.every_label,
        )
        embeddings = None
        if features is not None and len(found.boxes):
            channels_last = np.ascontiguousarray(features[0].transpose(1, 2, 0))
            embeddings = pool(normalised(channels_last), found.boxes, box.canvas)
        return Answer(detections(found, box, self.labels, embeddings), busy_s)

    def close(self) -> None:
        """Release the model; nobody is looking any more."""
        del self._session

    def _infer(
        self, tensor: NDArray[np.floating[Any]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """What the model gives, and its features, (1, channels, height, width), if it has any."""
        answer, *more = self._session.run(None, {self._input.name: tensor})
        plain = np.asarray(answer).astype(np.float32, copy=False)
        return plain, more[0].astype(np.float32, copy=False) if more else None


@dataclass(frozen=True, slots=True)
class _Input:
    name: str
    type: type[np.floating[Any]]


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _tensor(canvas: Image, of: type[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """(1, 3, height, width), red green blue, 0..1."""
    import cv2

    blob: NDArray[np.floating[Any]] = cv2.dnn.blobFromImage(canvas, 1 / 255, swapRB=True)
    return blob.astype(of, copy=False)


def _open(weights: Path, model: str | bytes, device: str) -> tuple[Any, str]:
    """A session for a model's path or content, and the name of the provider it runs on."""
    switch_off()
    import onnxruntime  # type: ignore[import-untyped]

    there = CUDA in onnxruntime.get_available_providers()
    if not (device in ("auto", "cpu") or device.startswith("cuda")):
        raise ConfigError(
            f"detector.device: ONNX Runtime runs on `cpu` and `cuda`, not on {device}; "
            "write one of these, or take another `backend`."
        )
    wanted = device.startswith("cuda") or (device == "auto" and there)
    if wanted and not there:
        raise _no_cuda(device)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised, in a sentence
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers: list[Any] = [CPU]
    if wanted:
        onnxruntime.preload_dlls()  # CUDA's libraries may lie in Python packages
        card = {
            "device_id": device.partition(":")[2] or "0",
            # The default tries all algorithms anew for each shape of input, which takes seconds.
            "cudnn_conv_algo_search": "HEURISTIC",
        }
        providers.insert(0, (CUDA, card))
    try:
        session = onnxruntime.InferenceSession(model, options, providers=providers)
    except Exception as error:
        raise _unusable(weights, error) from error
    on = session.get_providers()[0]  # what could not be used is left out without an error
    if on != CUDA and device.startswith("cuda"):
        raise _no_cuda(device)
    return session, on


def _examine(session: Any) -> tuple[_Input, Exported]:
    """Raises: ValueError: it is no detector of objects in one picture; says why."""
    exported = Exported.of(session.get_modelmeta().custom_metadata_map)
    inputs = session.get_inputs()
    shape = list(inputs[0].shape) if inputs else []
    if len(inputs) != 1 or len(shape) != 4 or shape[1] != 3:
        raise ValueError("its input is not one colour picture")
    batch, _, height, width = (side if isinstance(side, int) else None for side in shape)
    if batch not in (None, 1):
        raise ValueError(f"it wants {batch} pictures at once; export it with batch=1")
    kind = np.float16 if inputs[0].type == "tensor(float16)" else np.float32
    return _Input(inputs[0].name, kind), exported.fixed(height, width)


def _unusable(weights: Path, error: Exception) -> WeightsError:
    return WeightsError(
        f"The weights {weights} are not a detector in ONNX format with its class names "
        f"({last_line(error)}); give another file."
    )


def _no_cuda(device: str) -> ConfigError:
    return ConfigError(
        f"detector.device: {device} cannot be used: this machine's ONNX Runtime finds no CUDA; "
        "install onnxruntime-gpu and NVIDIA's driver, or set `device: cpu`."
    )
