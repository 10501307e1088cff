"""The contestant `bare`: a model on ready pictures in memory, and nothing else, in several queue
settings; the best of them is the limit of the machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.bench.contestants import Absent, Work, serve
from pipeline.bench.machine import cores
from pipeline.bench.rival import MISSING, prepare
from pipeline.detectors.letterbox import Letterbox
from pipeline.sources import open_source
from pipeline.types import Image, Size

PICTURES = 8
"""Different ones, so that none stays in a processor's cache."""
CUDA = "CUDAExecutionProvider"
JOBS = (1, 2, 3, 4)
"""Pictures that wait or are worked on at once; more where a model works on more at once."""

Run = Callable[[int], None]
"""Has so many pictures looked at, and waits until that is done."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How a backend is asked to run, in its own words, with so many pictures under way."""

    hint: str
    jobs: int


Only = Sequence[Setting] | None
"""The settings that are wanted; None for all there are."""


class Bare:
    """A model in the settings that `job` names, or in all there are."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        make = _BACKENDS.get(job["backend"])
        if make is None:
            raise Absent(f"The backend {job['backend']} is not measured without a pipeline.")
        only = None if job["settings"] is None else [Setting(**one) for one in job["settings"]]
        prepare(Path(job["home"]))
        pictures = _pictures(job["film"], tuple(job["canvas"]))
        if job["backend"] == "openvino":
            make = partial(make, precision="bf16" if job["bfloat16"] else "f32")
        self._runs = dict(make(Path(job["weights"]), job["device"], pictures, only))
        for run in self._runs.values():
            run(job["warm_up"])
        self.facts = {"settings": [asdict(setting) for setting in self._runs]}

    def work(self, asked: Any) -> tuple[int, Mapping[str, float]]:
        """Look at `frames` pictures in the setting `setting`."""
        self._runs[Setting(**asked["setting"])](asked["frames"])
        return asked["frames"], {}


def _pictures(film: str, canvas: Size) -> list[Image]:
    """The film's first pictures in the size that the pipeline gives them: (height, width, 3), blue
    green red."""
    with closing(open_source("film", film)) as source:
        frames = islice(source.frames(), PICTURES)
        return [Letterbox.centre(frame.size, canvas).apply(frame.image()) for frame in frames]


def _planar(picture: Image) -> NDArray[np.float32]:
    """(1, 3, height, width), red green blue, 0..1."""
    import cv2

    blob: NDArray[np.float32] = cv2.dnn.blobFromImage(picture, 1 / 255, swapRB=True)
    return blob


def _openvino(
    weights: Path, device: str, pictures: Sequence[Image], only: Only, *, precision: str
) -> Iterable[tuple[Setting, Run]]:
    """The model as it is in its file, compiled for the very shape, as precise as the product's."""
    import openvino as ov

    hints = {
        "throughput": {"PERFORMANCE_HINT": "THROUGHPUT"},
        "latency": {"PERFORMANCE_HINT": "LATENCY"},
        "2 streams": {"NUM_STREAMS": "2"},
    }
    core = ov.Core()
    on = "CPU" if device == "auto" else device.upper()
    for hint, properties in hints.items():
        if only is not None and not any(one.hint == hint for one in only):
            continue
        model = core.read_model(weights)
        whole = model.input().element_type == ov.Type.u8
        ready = [picture[None] if whole else _planar(picture) for picture in pictures]
        model.reshape(list(ready[0].shape))
        precise = {**properties, "INFERENCE_PRECISION_HINT": precision}
        compiled = core.compile_model(model, on, precise)
        streams = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        jobs = sorted({*JOBS, streams, streams + 1, 2 * streams})
        for setting in _wanted(hint, jobs, only):
            yield setting, _queued(ov.AsyncInferQueue(compiled, setting.jobs), ready)


def _queued(queue: Any, ready: Sequence[Any]) -> Run:
    def run(frames: int) -> None:
        for picture in _again(ready, frames):
            queue.start_async({0: picture}, share_inputs=True)
        queue.wait_all()

    return run


def _onnx(
    weights: Path, device: str, pictures: Sequence[Image], only: Only
) -> Iterable[tuple[Setting, Run]]:
    """Sessions of 1 to all cores for a picture, with and without waiting by spinning."""
    try:
        import onnxruntime  # type: ignore[import-untyped]
    except ImportError:
        raise Absent('ONNX Runtime is not installed; pip install "vigil[onnx]".') from None
    ready = [_planar(picture) for picture in pictures]
    cuda = device != "cpu" and CUDA in onnxruntime.get_available_providers()
    for threads in range(1, cores() + 1):
        for spins in (False, True):
            settings = _wanted(
                _threads(threads) + ", spinning" * spins, range(1, cores() + 2), only
            )
            if not settings:
                continue
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
            options.add_session_config_entry("session.intra_op.allow_spinning", f"{spins:d}")
            session = onnxruntime.InferenceSession(
                str(weights), options, providers=[CUDA] * cuda + ["CPUExecutionProvider"]
            )
            name = session.get_inputs()[0].name
            for setting in settings:
                yield setting, _threaded(session, name, ready, setting.jobs)


def _threaded(session: Any, name: str, ready: Sequence[Any], jobs: int) -> Run:
    pool = ThreadPoolExecutor(jobs)

    def run(frames: int) -> None:
        for _ in pool.map(
            lambda picture: session.run(None, {name: picture}), _again(ready, frames)
        ):
            pass

    return run


def _ultralytics(
    weights: Path, device: str, pictures: Sequence[Image], only: Only
) -> Iterable[tuple[Setting, Run]]:
    """Its own loader of all formats, on 1 to all cores for a picture."""
    try:
        import torch
        from ultralytics.nn.autobackend import AutoBackend
    except ImportError:
        raise Absent(MISSING) from None
    on = "cpu" if device == "auto" and not torch.cuda.is_available() else device
    place = torch.device(on.replace("auto", "cuda"))
    model = AutoBackend(str(weights), device=place)
    ready = [torch.from_numpy(_planar(picture)).to(place) for picture in pictures]

    def run(frames: int, threads: int) -> None:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            for picture in _again(ready, frames):
                model(picture)

    for threads in range(1, cores() + 1):
        for setting in _wanted(_threads(threads), (1,), only):
            yield setting, partial(run, threads=threads)


def _threads(count: int) -> str:
    return f"{count} thread{'s' * (count > 1)}"


def _again(ready: Sequence[Any], count: int) -> Iterator[Any]:
    return (ready[number % len(ready)] for number in range(count))


def _wanted(hint: str, jobs: Iterable[int], only: Only) -> list[Setting]:
    settings = [Setting(hint, count) for count in jobs]
    return settings if only is None else [one for one in settings if one in only]


_BACKENDS: Mapping[str, Callable[..., Iterable[tuple[Setting, Run]]]] = {
    "openvino": _openvino,
    "onnx": _onnx,
    "ultralytics": _ultralytics,
}


def start(job: Any) -> Work:
    return Bare(job)


if __name__ == "__main__":
    serve(start)
