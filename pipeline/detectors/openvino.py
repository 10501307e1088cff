"""YOLO on OpenVINO: one compiled model, shared by all cameras of a process."""

from __future__ import annotations

import ast
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from pipeline.detectors.decode import decode, suppress
from pipeline.detectors.letterbox import Letterbox
from pipeline.detectors.pool import Answer, Asked, last_line
from pipeline.errors import WeightsError
from pipeline.telemetry import switch_off
from pipeline.types import Box, Detection, Frame


class OpenVinoModel:
    """A YOLO in ONNX format on the CPU; see `pool.Model`.

    Pictures of any size share one model compiled for dynamic shapes: as fast as one compiled
    for each shape (within 5%), without a compilation whenever a camera of another shape comes.
    Arithmetic is float32: where a CPU has AMX, OpenVINO would choose bfloat16 by itself, which
    for so small a model was slower by a third and moved confidences by up to 0.02.

    Args:
        weights: the ONNX file, with its class names in its metadata.
        cache: folder for the compiled model, to start sooner the next time.

    Raises:
        WeightsError: the file is no model that OpenVINO can run, or names no classes.
    """

    def __init__(self, weights: Path, *, cache: Path | None = None) -> None:
        model = _compile(weights, cache)
        self.labels: Sequence[str] = model.labels
        self.streams = model.streams
        self.description = f"{weights.stem} on OpenVINO, processor, {model.streams} streams"
        self._requests: SimpleQueue[Any] = SimpleQueue()
        for _ in range(model.streams):
            self._requests.put(model.compiled.create_infer_request())
        _use_once(self._requests)

    def look(self, frame: Frame, asked: Asked) -> Answer:
        """As `pool.Model`."""
        box = _letterbox(frame.size, asked.size)
        # The whole picture is converted and then scaled by cv2, as ultralytics does: scaled by
        # swscale while converting it is 0.4 ms cheaper at 1080p, but only 93% of the boxes
        # then agree with ultralytics' at input size 640, and 63% at 320.
        canvas = box.apply(frame.image())
        request = self._requests.get()
        began = time.perf_counter()
        try:
            request.infer({0: canvas[None]}, share_inputs=True)
            busy_s = time.perf_counter() - began
            output = request.get_output_tensor().data[0]
            found = decode(output, asked.confidence, asked.wanted, every_label=asked.every_label)
        finally:
            self._requests.put(request)
        found = suppress(found)
        corners = box.undo(found.boxes).tolist()
        detections = [
            Detection(self.labels[index], confidence, Box(*corner))
            for index, confidence, corner in zip(
                found.classes.tolist(), found.confidences.tolist(), corners, strict=True
            )
        ]
        return Answer(detections, busy_s)

    def close(self) -> None:
        """Release the model; nobody is looking any more."""
        while not self._requests.empty():
            self._requests.get()


@dataclass(frozen=True, slots=True)
class _Model:
    compiled: Any
    labels: tuple[str, ...]
    streams: int


def _compile(weights: Path, cache: Path | None) -> _Model:
    """Read and compile a model that takes (1, height, width, 3) uint8, blue green red."""
    switch_off()
    import openvino as ov
    from openvino.preprocess import ColorFormat, PrePostProcessor

    core = ov.Core()
    if cache is not None:
        core.set_property({"CACHE_DIR": str(cache)})
    settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
    try:
        model = core.read_model(weights)
        names = ast.literal_eval(model.get_rt_info(["framework", "names"]).astype(str))
        steps = PrePostProcessor(model)
        picture = steps.input()
        picture.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
        picture.tensor().set_color_format(ColorFormat.BGR)
        picture.preprocess().convert_element_type(ov.Type.f32)
        picture.preprocess().convert_color(ColorFormat.RGB).scale([255.0] * 3)
        picture.model().set_layout(ov.Layout("NCHW"))
        model = steps.build()
        model.reshape([1, -1, -1, 3])
        compiled = core.compile_model(model, "CPU", settings)
        streams = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
    except (RuntimeError, ValueError, SyntaxError) as error:
        raise WeightsError(
            f"The weights {weights} are not a YOLO in ONNX format with its class names "
            f"({last_line(error)}); give another file"
        ) from error
    return _Model(compiled, tuple(names[index] for index in sorted(names)), streams)


def _use_once(requests: SimpleQueue[Any]) -> None:
    """Look at a small black picture, before several threads do.

    OpenVINO (2026.4) makes tables of types when they are first asked for: two threads that ask at
    once wait for each other, one of them with the interpreter's lock, and the process hangs.
    """
    request = requests.get()
    request.infer({0: np.zeros((1, 64, 64, 3), np.uint8)}, share_inputs=True)
    _ = request.get_output_tensor().data
    requests.put(request)


_letterbox = lru_cache(maxsize=64)(Letterbox.fit)
