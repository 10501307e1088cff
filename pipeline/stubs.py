"""In-memory backends for tests; they pass the contract tests of the real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future

from pipeline.config import Camera
from pipeline.errors import DetectorError
from pipeline.protocols import Detector
from pipeline.types import Detection, Frame


class StubDetector:
    """Answers at once with what `answer` finds in a frame; knows every label.

    A DetectorError that `answer` raises comes out of the future, as a real detector's would.
    """

    def __init__(self, answer: Callable[[Frame], Iterable[Detection]]) -> None:
        self.description = "a stub"
        self.streams = 1
        self._answer = answer
        self._closed = False

    def for_camera(self, key: str, camera: Camera) -> Detector:
        """A detector with one camera's own confidence and labels."""
        return _CameraStub(self, camera.labels(), camera.detect.confidence)

    def close(self) -> None:
        self._closed = True

    def look(self, frame: Frame) -> list[Detection]:
        """Raises: DetectorError: it is closed, or `answer` raised it."""
        if self._closed:
            raise DetectorError("The detector is closed.")
        return sorted(self._answer(frame), key=lambda found: -found.confidence)


class _CameraStub:
    def __init__(self, shared: StubDetector, labels: Sequence[str], confidence: float) -> None:
        self.labels = labels
        self.depth = 1
        self.cost_s: float | None = 0.0
        self._shared = shared
        self._confidence = confidence

    def submit(self, frame: Frame) -> Future[list[Detection]]:
        future: Future[list[Detection]] = Future()
        try:
            found = self._shared.look(frame)
        except DetectorError as error:
            future.set_exception(error)
        else:
            wanted = [d for d in found if d.label in self.labels]
            future.set_result([d for d in wanted if d.confidence > self._confidence])
        return future

    def close(self) -> None:
        """Nothing of this view's own is open."""
