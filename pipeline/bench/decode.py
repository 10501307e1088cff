"""What watching a camera in whose pictures nothing happens costs, against decoding them alone."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from pipeline.bench.spread import ratios, spread
from pipeline.bench.tables import markdown, of_spread
from pipeline.config import Config
from pipeline.configfile import validate
from pipeline.detectors import load_detector
from pipeline.protocols import Detector
from pipeline.simulate.encoding import write_film
from pipeline.simulate.rtp import CLOCK_HZ
from pipeline.sources import FrozenPictures, open_source
from pipeline.types import Detection, Frame, Size
from pipeline.workers.analysis import Analysis
from pipeline.workers.choosing import Pacer

CAMERA = "film"
FULL_HD = (1920, 1080)
FILM_S = 75.0
RATE = 10
WARM_UP_S = 15.0
"""Until then a camera is looked at because it is new; its cost is that of a whole day."""
NOISE = 3.0
"""Levels of a sensor's noise, standard deviation."""
BIT_RATE = 3_000_000


class _Nobody:
    """A detector that costs nothing and finds nothing."""

    labels: Sequence[str] = ("person",)
    depth = 1
    cost_s: float | None = 0.0

    def submit(self, frame: Frame) -> Future[list[Detection]]:
        future: Future[list[Detection]] = Future()
        future.set_result([])
        return future

    def close(self) -> None:
        pass


def measure_decode(film: Path | None, *, repeat: int) -> dict[str, Any]:
    """Read a film (None: a quiet one of 1080p at 10 pictures a second is made) in four ways, one
    after the other, `repeat` times: decoded alone, with PyAV; read by the pipeline; looked at by
    the gate at the default settings, with the detector left out; with the detector.

    Counted is the processor time of all threads, after the first 15 s of the film: in these
    everything is new. Every picture is decoded each time.

    Returns each one's milliseconds a picture (median, least, most) and `ratio_to_decoding` (median
    of the ratios within each repetition, least, most); how many pictures were looked at and
    detected on in that time.

    Raises:
        SourceError: the film cannot be read.
    """
    with ExitStack() as stack:
        if film is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            film = Path(folder) / "quiet.mp4"
            make_quiet_film(film, FULL_HD, RATE, FILM_S)
        config = _config(film)
        shared = stack.enter_context(closing(load_detector(config.detector)))
        detector = shared.for_camera(CAMERA, config.cameras[CAMERA])
        looks: dict[str, int] = {}
        ways: dict[str, Callable[[], Iterator[float]]] = {
            "decoding": lambda: _decoded(film),
            "reading": lambda: _read(film),
            "gate": lambda: _watched(film, config, _Nobody(), looks),
            "gate_and_detector": lambda: _watched(film, config, detector, looks),
        }
        spent: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(repeat):
            for name, way in ways.items():
                spent[name].append(_cost_s(way()))
        return {
            "film": film.name,
            "repeat": repeat,
            "looks": looks["looks"],
            "detected": looks["detected"],
            "ways": {name: _figures(spent[name], spent["decoding"]) for name in ways},
            "ratio_to_decoding": ratios(spent["gate_and_detector"], spent["decoding"])["median"],
        }


def table(measured: Mapping[str, Any]) -> str:
    """What was measured, as a Markdown table."""
    rows = [
        (name.replace("_", " "), of_spread(way["ms"], "ms"), of_spread(way["ratio_to_decoding"]))
        for name, way in measured["ways"].items()
    ]
    return markdown(("", "processor time a picture", "to decoding alone"), rows)


def make_quiet_film(path: Path, size: Size, rate: int, seconds: float) -> None:
    """A room in which nothing happens, as a camera sends it: H.264 of about 3 Mbit/s at 1080p, a
    keyframe each 2 s, the noise of a sensor in every picture."""
    bits = BIT_RATE * size[0] * size[1] // (FULL_HD[0] * FULL_HD[1])
    options = {"preset": "veryfast", "bf": "0", "b": str(bits)}
    write_film(_quiet(size, rate, seconds), path, Fraction(rate), options=options, keyframe_s=2.0)


def _quiet(size: Size, rate: int, seconds: float) -> Iterator[tuple[av.VideoFrame, int]]:
    width, height = size
    random = np.random.default_rng(1)
    coarse = random.uniform(40.0, 200.0, (height // 24 + 1, width // 24 + 1))
    room = np.kron(coarse, np.ones((24, 24)))[:height, :width]
    noise = random.normal(0.0, NOISE, (2 * height, 2 * width)).astype(np.float32)
    picture = np.full((height * 3 // 2, width), 128, np.uint8)
    for index in range(round(seconds * rate)):
        down, across = random.integers(0, height), random.integers(0, width)
        picture[:height] = room + noise[down : down + height, across : across + width]
        yield av.VideoFrame.from_ndarray(picture, format="yuv420p"), index * CLOCK_HZ // rate


def _config(film: Path) -> Config:
    return validate({"cameras": {CAMERA: {"source": str(film)}}}, where="bench", folder=Path.cwd())


def _cost_s(times: Iterator[float]) -> float:
    """Processor seconds for a picture from `WARM_UP_S` of the film's own time on."""
    pictures, began, first = 0, 0.0, None
    for at in times:
        first = at if first is None else first
        if at - first < WARM_UP_S:
            began = time.process_time()
        else:
            pictures += 1
    return (time.process_time() - began) / max(pictures, 1)


def _decoded(film: Path) -> Iterator[float]:
    """As `sources.stream` decodes a film."""
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for packet in container.demux(stream):
            for frame in packet.decode():
                assert frame.pts is not None
                assert frame.time_base is not None
                yield float(frame.pts * frame.time_base)


def _read(film: Path) -> Iterator[float]:
    with closing(open_source(CAMERA, str(film))) as source:
        for frame in source.frames():
            yield frame.pts


def _watched(
    film: Path, config: Config, detector: Detector, looks: dict[str, int]
) -> Iterator[float]:
    """As a live camera is: a picture that is due goes through the gate, keyframes are compared."""
    camera = config.cameras[CAMERA]
    analysis = Analysis(config, CAMERA, detector)
    frozen = FrozenPictures(camera.health.frozen_after_s)
    pace = Pacer(camera.detect.fps)
    looks.update(looks=0, detected=0)
    first = None
    with closing(open_source(CAMERA, str(film))) as source:
        for frame in source.frames():
            first = frame.pts if first is None else first
            frozen.look(frame)
            if pace.due(frame):
                look = analysis.look(frame)
                if frame.pts - first >= WARM_UP_S:
                    looks["looks"] += 1
                    looks["detected"] += look.detections is not None
            yield frame.pts


def _figures(spent: Sequence[float], decoding: Sequence[float]) -> dict[str, Any]:
    return {
        "ms": spread([value * 1000 for value in spent]),
        "ratio_to_decoding": ratios(spent, decoding),
    }
