"""What clips cost on a film: cutting, drawing, and what detection notices of the drawing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from pipeline.bench.stages import CAMERA
from pipeline.clips.annotate import annotate
from pipeline.clips.cut import Cut, cut
from pipeline.clips.footage import Footage
from pipeline.clips.segments import SegmentWriter
from pipeline.clips.tracklog import TrackLog
from pipeline.config import Config
from pipeline.configfile import validate
from pipeline.detectors import load_detector
from pipeline.protocols import Detector
from pipeline.sources import open_source
from pipeline.types import Event, EventType, Frame, LoggedLook, Severity, State
from pipeline.workers.analysis import Analysis
from pipeline.workers.choosing import Pacer
from pipeline.workers.drawing import NICENESS
from pipeline.workers.keeping import logged


def measure_clips(film: Path, *, seconds: float, rounds: int) -> dict[str, Any]:
    """Keep `seconds` of a film as a camera's, cut and draw a clip of it, and time detection beside
    another process that draws, and without, `rounds` times in turn.

    Returns seconds for each, and `slowdown`: the median of detection's milliseconds a look while
    drawing, over that without. The process that draws has the priority it has in `record`.

    Raises:
        SourceError: the film cannot be read.
        ClipError: no clip can be made of it.
    """
    config = validate(
        {"cameras": {CAMERA: {"source": str(film)}}}, where="bench", folder=Path.cwd()
    )
    shared = load_detector(config.detector)
    with closing(shared), tempfile.TemporaryDirectory() as folder:
        detector = shared.for_camera(CAMERA, config.cameras[CAMERA])
        work = Path(folder)
        looked = _keep(config, detector, work / CAMERA, seconds)
        began = time.perf_counter()
        raw = work / "raw.mp4"
        whole = looked[0].captured_at, looked[-1].captured_at
        made = cut(Footage(work / CAMERA).pieces(*whole), raw)
        assert made is not None
        cut_s = time.perf_counter() - began
        began = time.perf_counter()
        draw(raw, made, work / "annotated.mp4")
        draw_s = time.perf_counter() - began
        (work / "cut.json").write_text(made.model_dump_json())
        alone, beside = _detections(config, detector, work, rounds)
    return {
        "film": film.name,
        "clip_s": round(made.duration_s, 2),
        "size": list(made.size),
        "transcoded": made.transcoded,
        "cut_s": round(cut_s, 3),
        "draw_s": round(draw_s, 3),
        "draw_s_per_s": round(draw_s / made.duration_s, 3),
        "detect_ms": {"alone": alone, "while_drawing": beside},
        "slowdown": round(median(beside) / median(alone), 3),
    }


def draw(raw: Path, made: Cut, out: Path) -> None:
    """Draw an annotated clip, as `record` does."""
    annotate(raw, made, _event(made), (), out, tz=UTC, should_stop=lambda: False)


def _keep(config: Config, detector: Detector, folder: Path, seconds: float) -> list[LoggedLook]:
    analysis = Analysis(config, CAMERA, detector)
    pace = Pacer(config.cameras[CAMERA].detect.fps)
    writer, log = SegmentWriter(folder), TrackLog(folder)
    writer.start()
    looks: list[LoggedLook] = []
    first: float | None = None
    with closing(open_source(CAMERA, config.cameras[CAMERA].address(), packets=writer)) as source:
        for frame in source.frames():
            first = frame.monotonic if first is None else first
            if frame.monotonic - first > seconds:
                break
            if pace.due(frame):
                looks.append(logged(analysis.look(frame)))
                log.append(looks[-1])
    log.close()
    writer.close(10)
    return looks


def _detections(
    config: Config, detector: Detector, work: Path, rounds: int
) -> tuple[list[float], list[float]]:
    """The median milliseconds of a look in each round, alone and beside one that draws."""
    frames = []
    with closing(open_source(CAMERA, config.cameras[CAMERA].address())) as source:
        for frame in source.frames():
            frames.append(frame)
            if len(frames) == 60:
                break
    alone, beside = [], []
    for _ in range(rounds):
        alone.append(_looks(detector, frames))
        with subprocess.Popen(
            [sys.executable, "-P", "-m", "pipeline.bench.clips", str(work)]
        ) as drawing:
            try:
                _wait_for(work / "drawing")
                beside.append(_looks(detector, frames))
            finally:
                drawing.kill()
        (work / "drawing").unlink()
    return alone, beside


def _looks(detector: Detector, frames: list[Frame]) -> float:
    spent = []
    for frame in frames:
        began = time.perf_counter()
        detector.submit(frame).result()
        spent.append(time.perf_counter() - began)
    return round(median(spent) * 1000, 2)


def _wait_for(file: Path) -> None:
    until = time.monotonic() + 30
    while not file.exists() and time.monotonic() < until:
        time.sleep(0.05)


def _event(made: Cut) -> Event:
    now = datetime.now(UTC)
    return Event(
        id="bench",
        version=1,
        type=EventType.CREATED,
        camera=CAMERA,
        camera_name="the film",
        site="bench",
        rule="person",
        severity=Severity.INFO,
        score=0.5,
        scores={},
        state=State.UNJUDGED,
        rule_reason="A clip is drawn to see what that costs.",
        question="Is it?",
        description="",
        described_by="template",
        tracks=(),
        frame_size=made.size,
        started=made.start + timedelta(seconds=made.duration_s / 3),
        updated_at=now,
    )


def _draw_until_ended(work: Path) -> None:
    os.nice(NICENESS)
    made = Cut.model_validate_json((work / "cut.json").read_text())
    draw(work / "raw.mp4", made, work / "warm.mp4")
    (work / "drawing").touch()
    while True:
        draw(work / "raw.mp4", made, work / "again.mp4")


if __name__ == "__main__":
    _draw_until_ended(Path(sys.argv[1]))
