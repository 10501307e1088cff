"""What each stage costs on a film, frame by frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import platformdirs

from pipeline.config import Config
from pipeline.configfile import validate
from pipeline.detectors import load_detector
from pipeline.incidents import Incidents
from pipeline.rules import make_rule
from pipeline.sources import open_source
from pipeline.tracking import Tracking
from pipeline.types import Finding, Frame, View

CAMERA = "film"
STAGES = ("decode", "detect", "track", "rules")


@dataclass
class Stopwatch:
    """Seconds spent in each stage, one figure a frame."""

    clock: Callable[[], float] = time.perf_counter
    spent: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in STAGES})

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        began = self.clock()
        yield
        self.spent[stage].append(self.clock() - began)

    def figures(self) -> dict[str, dict[str, float]]:
        """Median and 95th percentile of each stage, in milliseconds."""
        return {
            stage: {
                "median_ms": round(median(values) * 1000, 3),
                "p95_ms": round(quantiles(values, n=20)[-1] * 1000, 3),
            }
            for stage, values in self.spent.items()
            if len(values) > 1
        }


def measure_stages(film: Path, *, frames: int, repeat: int) -> dict[str, Any]:
    """Run `frames` frames of a film through decoding, detection, tracking and rules, one after
    the other, `repeat` times.

    Returns the median and 95th percentile of each stage in milliseconds over all repetitions, and
    the frames per second of each repetition. One frame is in work at a time, so the figures are
    costs, not the throughput of several cameras.

    Raises:
        SourceError: the film cannot be read.
    """
    config = validate(
        {
            "cameras": {
                CAMERA: {
                    "source": str(film),
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
    shared = load_detector("openvino", platformdirs.user_cache_path("vigil") / "models")
    watch = Stopwatch()
    rates = []
    with closing(shared):
        detector = shared.for_camera(CAMERA, config.cameras[CAMERA])
        for _ in range(repeat):
            began = time.perf_counter()
            done = _run(config, detector, watch, frames)
            rates.append(round(done / (time.perf_counter() - began), 2))
    return {
        "film": film.name,
        "frames": len(watch.spent["detect"]),
        "repeat": repeat,
        "stages": watch.figures(),
        "frames_per_s": {"each": rates, "median": median(rates)},
    }


def _run(config: Config, detector: Any, watch: Stopwatch, frames: int) -> int:
    camera = config.cameras[CAMERA]
    tracking = Tracking(fps=camera.detect.fps, confidence=camera.detect.confidence)
    rules = [make_rule(key, rule, {}) for key, rule in camera.rules.items()]
    incidents = Incidents()
    done = 0
    with closing(open_source(CAMERA, camera.address())) as source:
        stream = source.frames()
        while done < frames:
            with watch.time("decode"):
                frame = next(stream, None)
            if frame is None:
                break
            with watch.time("detect"):
                found = detector.submit(frame).result()
            with watch.time("track"):
                seen, lost = tracking.update(frame, found)
            view = _view(frame, seen, lost)
            with watch.time("rules"):
                findings: list[Finding] = []
                for rule in rules:
                    findings += rule.update(view)
                incidents.update(view, findings)
            done += 1
    return done


def _view(frame: Frame, seen: Any, lost: Any) -> View:
    return View(
        camera=CAMERA,
        camera_name=CAMERA,
        size=frame.size,
        captured_at=frame.captured_at,
        monotonic=frame.monotonic,
        pts=frame.pts,
        tracks=seen,
        lost=lost,
    )
