"""One loaded model, shared by all cameras of a process: who waits, who looks, what it costs."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from pipeline.config import Camera
from pipeline.detectors import known_labels
from pipeline.errors import DetectorBusy, DetectorError
from pipeline.types import Detection, Frame

SPARE_WORKERS = 1
"""Workers beyond the inference streams, so that one prepares a picture while all streams run."""
LATELY = 0.1
"""The share of the newest picture in what a camera's pictures cost lately."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for: the input's longer side in pixels, the least confidence, the classes;
    and with which variant of the model, where it has several.

    With `every_label` a box is given once for each class that is sure enough, as precision is
    measured, where the model and its backend leave a choice.
    """

    size: int
    confidence: float
    wanted: frozenset[int]
    every_label: bool = False
    variant: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found in a picture, and for how many seconds one inference stream was kept busy."""

    detections: list[Detection]
    busy_s: float


class Model(Protocol):
    """A loaded model; `look` is called from `streams` threads and one more at once."""

    description: str
    """What runs where, for people: "YOLO11n on OpenVINO, processor, 2 streams"."""
    labels: Sequence[str]
    streams: int
    """How many pictures it works on at once."""

    def look(self, frame: Frame, asked: Asked) -> Answer:
        """Detections in pixels of the frame, the surest first. May raise anything."""
        ...

    def close(self) -> None: ...


class PooledDetector:
    """A model with threads of its own.

    Args:
        model: closed with this.
        capacity: pictures that may wait or be worked on together, those of all cameras. Pictures
            are worked on in the order in which they come, and a camera has no more under way than
            its `depth`, so all cameras get their turn.
    """

    def __init__(self, model: Model, *, capacity: int = 256) -> None:
        self.description = model.description
        self.labels: Sequence[str] = model.labels
        self.streams = model.streams
        self._model = model
        self._workers = model.streams + SPARE_WORKERS
        self._cameras: set[CameraDetector] = set()
        self._changing = threading.Lock()
        self._room = threading.BoundedSemaphore(capacity)
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="detect")

    def for_camera(self, key: str, camera: Camera, *, variant: str = "") -> CameraDetector:
        """A detector with one camera's own input size, confidence, labels and variant.

        Raises:
            ConfigError: the model knows no such label.
        """
        known_labels(key, camera, self.labels)
        labels = camera.labels()
        wanted = frozenset(self.labels.index(label) for label in labels)
        asked = Asked(camera.detect.size, camera.detect.confidence, wanted, variant=variant)
        return CameraDetector(self, labels, asked)

    def share(self, view: CameraDetector) -> None:
        """From now on the threads are for this camera, too."""
        with self._changing:
            self._cameras.add(view)

    def leave(self, view: CameraDetector) -> None:
        """From now on the threads are for the other cameras; nothing, if they were already."""
        with self._changing:
            self._cameras.discard(view)

    @property
    def depth(self) -> int:
        """How many pictures of one camera are worth having under way at once: one for each worker,
        and one that waits while its camera is tracking what was found in another."""
        return math.ceil((self._workers + 1) / max(len(self._cameras), 1))

    def submit(self, frame: Frame, asked: Asked) -> Future[Answer]:
        """Begin detecting; never waits. What goes wrong is raised by the future's `result`.

        Raises (from the future):
            DetectorBusy: `capacity` pictures are waiting.
            DetectorError: the picture could not be looked at, or the detector is closed.
        """
        if not self._room.acquire(blocking=False):
            return _failed(DetectorBusy("The detector is behind: this picture was not looked at."))
        try:
            future = self._pool.submit(self._look, frame, asked)
        except RuntimeError as error:  # how a pool says that it was shut down
            self._room.release()
            return _failed(DetectorError("The detector is closed."), error)
        future.add_done_callback(lambda _: self._room.release())
        return future

    def close(self) -> None:
        """Finish the pictures that were submitted, and release the model."""
        self._pool.shutdown(wait=True)
        self._model.close()

    def _look(self, frame: Frame, asked: Asked) -> Answer:
        try:
            return self._model.look(frame, asked)
        # cv2, FFmpeg, numpy and each backend raise errors of their own; whatever goes wrong with
        # one picture, the next one may be tried.
        except Exception as error:
            raise DetectorError(
                f"The detector failed on a picture of camera {frame.camera}: {last_line(error)}."
            ) from error


class CameraDetector:
    """One camera's view of a shared detector, which it leaves open when it is closed; the others
    may have more under way from then on."""

    def __init__(self, shared: PooledDetector, labels: Sequence[str], asked: Asked) -> None:
        self.labels = labels
        self.cost_s: float | None = None
        self._shared = shared
        self._asked = asked
        shared.share(self)

    @property
    def depth(self) -> int:
        """As `protocols.Detector`: the shared threads, divided by the cameras."""
        return self._shared.depth

    def submit(self, frame: Frame) -> Future[list[Detection]]:
        """As `PooledDetector.submit`, with this camera's settings."""
        found: Future[list[Detection]] = Future()

        def done(future: Future[Answer]) -> None:
            error = future.exception()
            if error is not None:
                found.set_exception(error)
                return
            answer = future.result()
            before = answer.busy_s if self.cost_s is None else self.cost_s
            self.cost_s = before + LATELY * (answer.busy_s - before)
            found.set_result(answer.detections)

        self._shared.submit(frame, self._asked).add_done_callback(done)
        return found

    def close(self) -> None:
        """Count no more as one of the cameras that share the threads; may be called again."""
        self._shared.leave(self)


def last_line(error: BaseException) -> str:
    """What an error says, as a part of a sentence, without the places in the source that OpenVINO
    and cv2 put before it."""
    lines = str(error).strip().splitlines()
    return lines[-1].rstrip(".") if lines else type(error).__name__


def _failed(error: DetectorError, cause: BaseException | None = None) -> Future[Answer]:
    error.__cause__ = cause
    future: Future[Answer] = Future()
    future.set_exception(error)
    return future
