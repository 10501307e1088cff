"""YOLO on OpenVINO: one compiled model, shared by all cameras of a process."""

from __future__ import annotations

import ast
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from pipeline.config import Camera
from pipeline.detectors import known_labels
from pipeline.detectors.decode import decode, suppress
from pipeline.detectors.letterbox import Letterbox
from pipeline.errors import DetectorBusy, DetectorError, WeightsError
from pipeline.telemetry import switch_off
from pipeline.types import Box, Detection, Frame

SPARE_WORKERS = 1
"""Workers beyond the inference streams, so that one prepares a picture while all streams run."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for: the input's longer side in pixels, the least confidence, the classes."""

    size: int
    confidence: float
    wanted: frozenset[int]


class OpenVinoDetector:
    """A YOLO in ONNX format on the CPU, for several cameras at once.

    Pictures of any size share one model compiled for dynamic shapes: as fast as one compiled
    for each shape (within 5%), without a compilation whenever a camera of another shape comes.
    Arithmetic is float32: where a CPU has AMX, OpenVINO would choose bfloat16 by itself, which
    for so small a model was slower by a third and moved confidences by up to 0.02.

    Args:
        weights: the ONNX file, with its class names in its metadata.
        cache: folder for the compiled model, to start sooner the next time.
        capacity: pictures that may wait or be worked on together; cameras submit one at a time,
            so this is the greatest number of cameras of one process.

    Raises:
        WeightsError: the file is no model that OpenVINO can run, or names no classes.
    """

    def __init__(self, weights: Path, *, cache: Path | None = None, capacity: int = 64) -> None:
        model = _compile(weights, cache)
        self.labels: tuple[str, ...] = model.labels
        workers = model.streams + SPARE_WORKERS
        self._requests: SimpleQueue[Any] = SimpleQueue()
        for _ in range(workers):
            self._requests.put(model.compiled.create_infer_request())
        _use_once(self._requests)
        self._room = threading.BoundedSemaphore(capacity)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="detect")

    def for_camera(self, key: str, camera: Camera) -> CameraDetector:
        """A detector with one camera's own input size, confidence and labels.

        Raises:
            ConfigError: the model knows no such label.
        """
        known_labels(key, camera, self.labels)
        labels = camera.labels()
        wanted = frozenset(self.labels.index(label) for label in labels)
        asked = Asked(camera.detect.size, camera.detect.confidence, wanted)
        return CameraDetector(self, labels, asked)

    def submit(self, frame: Frame, asked: Asked) -> Future[list[Detection]]:
        """Begin detecting; never waits. What goes wrong is raised by the future's `result`.

        Raises (from the future):
            DetectorBusy: `capacity` pictures are waiting.
            DetectorError: the picture could not be looked at, or the detector is closed.
        """
        if not self._room.acquire(blocking=False):
            return _failed(DetectorBusy("The detector is behind: this picture was not looked at."))
        try:
            future = self._pool.submit(self._detect, frame, asked)
        except RuntimeError as error:  # how a pool says that it was shut down
            self._room.release()
            return _failed(DetectorError("The detector is closed."), error)
        future.add_done_callback(lambda _: self._room.release())
        return future

    def close(self) -> None:
        """Finish the pictures that were submitted, and release the model."""
        self._pool.shutdown(wait=True)
        while not self._requests.empty():
            self._requests.get()

    def _detect(self, frame: Frame, asked: Asked) -> list[Detection]:
        try:
            return self._look(frame, asked)
        # cv2, FFmpeg, OpenVINO and numpy each raise errors of their own; whatever goes wrong with
        # one picture, the next one may be tried.
        except Exception as error:
            raise DetectorError(
                f"The detector failed on a picture of camera {frame.camera}: {_last_line(error)}"
            ) from error

    def _look(self, frame: Frame, asked: Asked) -> list[Detection]:
        box = _letterbox(frame.size, asked.size)
        # The whole picture is converted and then scaled by cv2, as ultralytics does: scaled by
        # swscale while converting it is 0.4 ms cheaper at 1080p, but only 93% of the boxes
        # then agree with ultralytics' at input size 640, and 63% at 320.
        canvas = box.apply(frame.image())
        request = self._requests.get()
        try:
            request.infer({0: canvas[None]}, share_inputs=True)
            output = request.get_output_tensor().data[0]
            found = decode(output, asked.confidence, asked.wanted)
        finally:
            self._requests.put(request)
        found = suppress(found)
        corners = box.undo(found.boxes).tolist()
        return [
            Detection(self.labels[index], confidence, Box(*corner))
            for index, confidence, corner in zip(
                found.classes.tolist(), found.confidences.tolist(), corners, strict=True
            )
        ]


class CameraDetector:
    """One camera's view of a shared detector; closing it leaves the shared one open."""

    def __init__(self, shared: OpenVinoDetector, labels: Sequence[str], asked: Asked) -> None:
        self.labels = labels
        self._shared = shared
        self._asked = asked

    def submit(self, frame: Frame) -> Future[list[Detection]]:
        """As `OpenVinoDetector.submit`, with this camera's settings."""
        return self._shared.submit(frame, self._asked)

    def close(self) -> None:
        """Nothing of this view's own is open."""


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
            f"({_last_line(error)}); give another file"
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


def _last_line(error: BaseException) -> str:
    """What an error says, without the places in the source that OpenVINO and cv2 put before it."""
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__


_letterbox = lru_cache(maxsize=64)(Letterbox.fit)


def _failed(error: DetectorError, cause: BaseException | None = None) -> Future[list[Detection]]:
    error.__cause__ = cause
    future: Future[list[Detection]] = Future()
    future.set_exception(error)
    return future
