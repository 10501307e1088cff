"""What each stage costs on a film: the product's own analysis, one look after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from pipeline.config import Config
from pipeline.configfile import validate
from pipeline.detectors import load_detector
from pipeline.protocols import Detector
from pipeline.sources import open_source
from pipeline.types import Frame
from pipeline.workers.analysis import Analysis
from pipeline.workers.choosing import Pacer

CAMERA = "film"
STAGES = ("decode", "detect", "track", "rules")


def measure_stages(film: Path, *, frames: int, repeat: int) -> dict[str, Any]:
    """Run at most `frames` frames of a film through decoding and, those that are due at the
    configured looks per second, through detection, tracking and rules; `repeat` times.

    Returns the median and 95th percentile of each stage in milliseconds over all repetitions
    (decoding per frame, the others per look), and the frames per second of each repetition. One
    frame is in work at a time, so the figures are costs, not the throughput of several cameras.

    Raises:
        SourceError: the film cannot be read.
    """
    config = validate(
        {
            "cameras": {
                CAMERA: {
                    "source": str(film),
                    # Each look costs what it costs where something happens.
                    "detect": {"motion_gate": False},
                    "rules": {
                        "person": {"type": "zone"},
                        "lingers": {"type": "loiter", "seconds": 10},
                    },
                }
            }
        },
        where="bench",
        folder=Path.cwd(),
    )
    shared = load_detector(config.detector)
    spent: dict[str, list[float]] = {stage: [] for stage in STAGES}
    rates = []
    with closing(shared):
        detector = shared.for_camera(CAMERA, config.cameras[CAMERA])
        for _ in range(repeat):
            began = time.perf_counter()
            done = _run(config, detector, spent, frames)
            rates.append(round(done / (time.perf_counter() - began), 2))
    return {
        "film": film.name,
        "frames": len(spent["decode"]),
        "looks": len(spent["detect"]),
        "repeat": repeat,
        "stages": figures(spent),
        "frames_per_s": {"each": rates, "median": median(rates)},
    }


def figures(spent: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    """Median and 95th percentile of each stage's seconds, in milliseconds."""
    return {
        stage: {
            "median_ms": round(median(values) * 1000, 3),
            "p95_ms": round(quantiles(values, n=20)[-1] * 1000, 3),
        }
        for stage, values in spent.items()
        if len(values) > 1
    }


def _run(config: Config, detector: Detector, spent: dict[str, list[float]], frames: int) -> int:
    camera = config.cameras[CAMERA]
    analysis = Analysis(config, CAMERA, detector)
    pace = Pacer(camera.detect.fps)
    done = 0
    with closing(open_source(CAMERA, camera.address())) as source:
        stream = source.frames()
        while done < frames and (frame := _decoded(stream, spent["decode"])) is not None:
            done += 1
            if pace.due(frame):
                took = analysis.look(frame).spent
                for stage in STAGES[1:]:
                    spent[stage].append(took[stage])
    return done


def _decoded(stream: Iterator[Frame], spent: list[float]) -> Frame | None:
    began = time.perf_counter()
    frame = next(stream, None)
    if frame is not None:
        spent.append(time.perf_counter() - began)
    return frame
