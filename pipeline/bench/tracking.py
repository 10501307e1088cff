"""How well identities are kept: our tracking beside others' on a film whose truth is known."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.bench.detecting import detected
from pipeline.bench.followers import LEAST, contestants, own_detections
from pipeline.bench.identities import PARTS, Score, Watched, follow
from pipeline.bench.machine import machine
from pipeline.bench.sequence import CAMERA, Sequence, read_sequence
from pipeline.bench.tables import markdown
from pipeline.bench.target import weights
from pipeline.config import Config
from pipeline.configfile import validate
from pipeline.detectors import load_detector
from pipeline.sources.pictures import ArrayPicture
from pipeline.types import Detection, Frame


def measure_tracking(
    folder: Path, *, size: int = 640, confidence: float = 0.3, looks_per_s: float = 5.0
) -> dict[str, Any]:
    """Follow the people of a MOTChallenge sequence at its full rate, half, a third, and at about
    `looks_per_s`, beginning at each frame that gives other ones (offsets are pooled).

    Detection is done once by ours, from `confidence` on, and once by ultralytics with the same
    weights, from the confidence on that its trackers want. What ultralytics found is handed to its
    trackers, with their own settings, as its `track` does it; what we found is handed to all.
    `ms_per_frame` is the median of tracking alone.

    Raises:
        DatasetError: the sequence is wrong; the message says where.
        SourceError: its film cannot be read.
        WeightsError: the model is not there or of no use.
    """
    sequence = read_sequence(folder)
    rival = find_spec("ultralytics") is not None
    watched = _watch(sequence, _config(size), rival=rival)
    parts = sorted({*PARTS, max(round(sequence.fps / looks_per_s), 1)})
    entrants = contestants(confidence, ultralytics=rival)
    scores = {(one.name, part): Score() for one in entrants for part in parts}
    for part in parts:
        for offset in range(part):
            # One after the other on the same frames: what else the machine does hits all alike.
            for one in entrants:
                follow(sequence, watched, one, part, offset, scores[one.name, part])
    return {
        "sequence": sequence.name,
        "frames": len(watched.frames),
        "people": len({identity for one in sequence.truth for identity, _ in one.people}),
        "size": size,
        "confidence": confidence,
        "rates": {
            f"{sequence.fps / part:.3g}": {
                one.name: scores[one.name, part].figures() for one in entrants
            }
            for part in parts
        },
        "machine": machine(),
    }


def table(measured: Mapping[str, Any]) -> str:
    """What was measured, as Markdown."""
    rates = measured["rates"]
    heads = ["tracker"]
    for rate in rates:
        heads += [f"MOTA at {rate}/s", "IDF1", "switches", "ms"]
    rows = []
    for name in next(iter(rates.values())):
        cells = [name]
        for rate in rates.values():
            one = rate[name]
            cells += [f"{one['mota']:.3f}", f"{one['idf1']:.3f}", str(one["switches"])]
            cells.append(f"{one['ms_per_frame']:.2f}")
        rows.append(cells)
    return markdown(heads, rows)


def _config(size: int) -> Config:
    detect = {"size": size, "confidence": LEAST, "labels": ["person"]}
    cameras = {CAMERA: {"source": "film.mp4", "detect": detect}}
    # What was chosen for a camera is no concern of a sequence.
    settings = {"detector": {"optimized": False}, "cameras": cameras}
    return validate(settings, where="bench", folder=Path.cwd())


def _watch(sequence: Sequence, config: Config, *, rival: bool) -> Watched:
    """Detect on every frame."""
    frames: list[Frame] = []
    ours: list[list[Detection]] = []
    with closing(load_detector(config.detector)) as shared:
        detector = shared.for_camera(CAMERA, config.cameras[CAMERA])
        for frame, found in detected(detector, sequence.frames()):
            frames.append(replace(frame, picture=_BLANK))
            ours.append(found)
    if not rival:
        return Watched(frames, ours, None)
    with tempfile.TemporaryDirectory() as home:
        find = own_detections(weights(config), Path(home), config.cameras[CAMERA].detect.size)
        theirs = [find(frame.image()) for frame in sequence.frames()]
    return Watched(frames, ours, theirs)


_BLANK = ArrayPicture(np.zeros((1, 1, 3), np.uint8))
