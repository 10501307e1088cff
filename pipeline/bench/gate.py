"""What the motion gate loses: tracks on films with it, against detecting on every picture."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from pipeline.bench.detecting import detected
from pipeline.bench.tables import markdown
from pipeline.config import Config
from pipeline.configfile import validate
from pipeline.detectors import SharedDetector, load_detector
from pipeline.geometry import iou
from pipeline.motion import luma_size
from pipeline.protocols import Detector
from pipeline.sources import open_source
from pipeline.sources.pictures import ArrayPicture
from pipeline.tracking import Tracking
from pipeline.types import Box, Detection, Frame
from pipeline.workers.analysis import GAPS, Analysis
from pipeline.workers.choosing import Pacer

CAMERA = "film"
SAME_IOU = 0.5
"""A track is still where it was if its box overlaps that of the reference by so much."""

Boxes = list[Box]


@dataclass(frozen=True, slots=True)
class Watched:
    """A film whose every due picture was detected on. The frames hold only the small picture that
    the gate looks at; `found` is by their place."""

    name: str
    frames: list[Frame]
    found: list[list[Detection]]

    @property
    def weights(self) -> list[float]:
        """For how many seconds each frame stands."""
        gaps = [later.monotonic - earlier.monotonic for earlier, later in pairwise(self.frames)]
        return [*gaps, median(gaps)] if gaps else [1.0] * len(self.frames)


@dataclass(frozen=True, slots=True)
class Passed:
    """What a film came to: the boxes of the tracks at each frame, on which ones the detector was
    asked, and at which ones something moved."""

    tracks: list[Boxes]
    detected: list[bool]
    moved: list[bool]


class RecordedDetector:
    """Answers at once with what was found before in the frame of the same index."""

    depth = 1
    cost_s: float | None = 0.0

    def __init__(self, labels: Sequence[str], found: Sequence[list[Detection]]) -> None:
        self.labels = labels
        self._found = found

    def submit(self, frame: Frame) -> Future[list[Detection]]:
        """As `protocols.Detector`."""
        future: Future[list[Detection]] = Future()
        future.set_result(self._found[frame.index])
        return future

    def close(self) -> None:
        """Nothing is open."""


def measure_gate(
    films: Sequence[Path], *, sensitivities: Sequence[float], fps: float, labels: Sequence[str]
) -> dict[str, Any]:
    """Look at films `fps` times a second, tracking `labels`: detecting on every one of these
    pictures, and as a camera does that has the motion gate, for each of the `sensitivities`.

    Returns for each film and for all together how many seconds of tracks there are without the
    gate; and for each sensitivity `lost`, the share of them for which a track with an IoU of at
    least 0.5 is missing at that very picture, `detected`, the share of pictures that were detected
    on, and `moved`, of those in which the gate saw something.

    Raises:
        SourceError: a film cannot be read.
        ConfigError: the detector knows no such label, or a value is out of range.
    """
    settings = [_config(fps, labels, sensitivity) for sensitivity in sensitivities]
    shared = load_detector(settings[0].detector)
    rows: list[dict[str, Any]] = []
    with closing(shared):
        for film in films:
            watched = watch_all(film, settings[0], shared)
            reference = track_all(watched, settings[0])
            variants = [
                _compared(watched, reference, with_gate(watched, config)) for config in settings
            ]
            rows.append(
                {
                    "film": watched.name,
                    "frames": len(watched.frames),
                    "seconds": round(sum(watched.weights), 1),
                    "track_s": _seconds(watched, reference),
                    "gated": _keyed(sensitivities, variants),
                }
            )
    return {
        "fps": fps,
        "labels": list(labels),
        "films": rows,
        "all": {
            "track_s": round(sum(row["track_s"] for row in rows), 1),
            "gated": _keyed(sensitivities, [_pooled(rows, _key(value)) for value in sensitivities]),
        },
    }


def table(measured: dict[str, Any]) -> str:
    """What was measured, as a Markdown table."""
    keys = list(measured["all"]["gated"])
    head = ["film", "seconds of tracks"]
    for key in keys:
        head += [f"lost at {key}", f"detected on at {key}"]
    rows = []
    for row in [*measured["films"], {"film": "all", **measured["all"]}]:
        cells = [f"`{row['film']}`" if row["film"] != "all" else "all", f"{row['track_s']:.1f}"]
        for key in keys:
            gated = row["gated"][key]
            cells += [f"{gated['lost']:.2%}", f"{gated['detected']:.0%}"]
        rows.append(cells)
    return markdown(head, rows)


def watch_all(film: Path, config: Config, shared: SharedDetector) -> Watched:
    """Read a film, and detect on each picture that is due."""
    camera = config.cameras[CAMERA]
    detector = shared.for_camera(CAMERA, camera)
    watched = Watched(f"{film.parent.name}/{film.name}", [], [])
    pace = Pacer(camera.detect.fps)
    with closing(detector), closing(open_source(CAMERA, str(film))) as source:
        for frame, found in detected(detector, filter(pace.due, source.frames())):
            watched.frames.append(_small(frame, len(watched.frames)))
            watched.found.append(found)
    return watched


def track_all(watched: Watched, config: Config) -> list[Boxes]:
    """The tracks at each frame if every one is detected on: `Analysis` would choose."""
    detect = config.cameras[CAMERA].detect
    tracking = Tracking()
    gaps = deque([1.0 / detect.fps], maxlen=GAPS)
    tracks: list[Boxes] = []
    last: Frame | None = None
    for frame, found in zip(watched.frames, watched.found, strict=True):
        if last is not None and (frame.discontinuity or frame.size != last.size):
            tracking.reset()
        elif last is not None:
            gaps.append(frame.monotonic - last.monotonic)
        last = frame
        seen, _ = tracking.update(frame, found, median(gaps))
        tracks.append([track.detection.box for track in seen])
    return tracks


def with_gate(watched: Watched, config: Config) -> Passed:
    """The tracks at each frame as a camera has them."""
    detector: Detector = RecordedDetector(config.cameras[CAMERA].labels(), watched.found)
    analysis = Analysis(config, CAMERA, detector)
    passed = Passed([], [], [])
    for look in map(analysis.look, watched.frames):
        passed.tracks.append([track.detection.box for track in look.view.tracks])
        passed.detected.append(look.detections is not None)
        passed.moved.append(look.view.motion is None or look.view.motion.any)
    return passed


def missing(reference: Boxes, boxes: Boxes) -> int:
    """How many of the reference's boxes have no box of their own that is the same; the best
    overlaps are matched first."""
    pairs = sorted(
        (
            (iou(one, other), i, j)
            for i, one in enumerate(reference)
            for j, other in enumerate(boxes)
        ),
        reverse=True,
    )
    known: set[int] = set()
    taken: set[int] = set()
    for overlap, i, j in pairs:
        if overlap >= SAME_IOU and i not in known and j not in taken:
            known.add(i)
            taken.add(j)
    return len(reference) - len(known)


def _config(fps: float, labels: Sequence[str], sensitivity: float) -> Config:
    detect = {"fps": fps, "labels": list(labels), "sensitivity": sensitivity}
    return validate(
        {"cameras": {CAMERA: {"source": "film.mp4", "detect": detect}}},
        where="bench",
        folder=Path.cwd(),
    )


def _small(frame: Frame, index: int) -> Frame:
    """The frame without its full picture, which would fill the memory."""
    luma = frame.picture.luma(luma_size(frame.size))
    return replace(frame, index=index, picture=ArrayPicture(np.dstack([luma] * 3)))


def _seconds(watched: Watched, tracks: list[Boxes]) -> float:
    return round(sum(w * len(boxes) for w, boxes in zip(watched.weights, tracks, strict=True)), 2)


def _compared(watched: Watched, reference: list[Boxes], passed: Passed) -> dict[str, float]:
    weights = watched.weights
    lost = map(missing, reference, passed.tracks)
    lost_s = sum(w * count for w, count in zip(weights, lost, strict=True))
    return {
        "lost_s": round(lost_s, 2),
        "lost": round(lost_s / max(_seconds(watched, reference), 1e-9), 4),
        "detected": round(sum(passed.detected) / len(weights), 3),
        "moved": round(sum(passed.moved) / len(weights), 3),
    }


def _pooled(rows: Sequence[dict[str, Any]], key: str) -> dict[str, float]:
    """Of all films together: seconds of tracks and pictures count alike, whichever film's."""
    frames: int = sum(row["frames"] for row in rows)
    lost_s: float = sum(row["gated"][key]["lost_s"] for row in rows)

    def share(name: str) -> float:
        total: float = sum(row["gated"][key][name] * row["frames"] for row in rows)
        return round(total / frames, 3)

    return {
        "lost_s": round(lost_s, 2),
        "lost": round(lost_s / max(sum(row["track_s"] for row in rows), 1e-9), 4),
        "detected": share("detected"),
        "moved": share("moved"),
    }


def _key(sensitivity: float) -> str:
    return f"{sensitivity:g}"


def _keyed(
    sensitivities: Sequence[float], variants: Iterator[Any] | Sequence[Any]
) -> dict[str, Any]:
    return dict(zip(map(_key, sensitivities), variants, strict=True))
