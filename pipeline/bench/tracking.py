"""How well identities are kept: our tracking beside others' on a film whose truth is known."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from pipeline.bench.detecting import detected
from pipeline.bench.followers import LEAST, Contestant, Followed, contestants, own_detections
from pipeline.bench.machine import machine
from pipeline.bench.sequence import CAMERA, Sequence, Truth, read_sequence
from pipeline.bench.tables import markdown
from pipeline.bench.target import weights
from pipeline.config import Config
from pipeline.configfile import validate
from pipeline.detectors import load_detector
from pipeline.geometry import iou
from pipeline.sources.pictures import ArrayPicture
from pipeline.types import Box, Detection, Frame

SAME_IOU = 0.5
"""From this overlap on a track is where the truth is, as MOTChallenge has it."""
PARTS = (1, 2, 3)
"""Full rate, half of it, a third of it."""


@dataclass(slots=True)
class _Score:
    """What one contestant came to at one rate, over all offsets."""

    clear: list[dict[str, Any]] = field(default_factory=list)
    identity: list[dict[str, Any]] = field(default_factory=list)
    spent_s: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        from trackers.eval.clear import aggregate_clear_metrics
        from trackers.eval.identity import aggregate_identity_metrics

        clear = aggregate_clear_metrics(self.clear)
        identity = aggregate_identity_metrics(self.identity)
        return {
            "mota": round(float(clear["MOTA"]), 4),
            "idf1": round(float(identity["IDF1"]), 4),
            "switches": int(clear["IDSW"]),
            "false": int(clear["CLR_FP"]),
            "missed": int(clear["CLR_FN"]),
            "ms_per_frame": round(1000 * median(self.spent_s), 3),
        }


@dataclass(frozen=True, slots=True)
class _Watched:
    """A film's frames, without their pictures, and who was found in each, by us and by
    ultralytics."""

    frames: list[Frame]
    ours: list[list[Detection]]
    theirs: list[list[Detection]] | None


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
    scores = {(one.name, part): _Score() for one in entrants for part in parts}
    for part in parts:
        for offset in range(part):
            # One after the other on the same frames: what else the machine does hits all alike.
            for one in entrants:
                _run(sequence, watched, one, part, offset, scores[one.name, part])
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


def _watch(sequence: Sequence, config: Config, *, rival: bool) -> _Watched:
    """Detect on every frame."""
    frames: list[Frame] = []
    ours: list[list[Detection]] = []
    with closing(load_detector(config.detector)) as shared:
        detector = shared.for_camera(CAMERA, config.cameras[CAMERA])
        for frame, found in detected(detector, sequence.frames()):
            frames.append(replace(frame, picture=_BLANK))
            ours.append(found)
    if not rival:
        return _Watched(frames, ours, None)
    with tempfile.TemporaryDirectory() as home:
        find = own_detections(weights(config), Path(home), config.cameras[CAMERA].detect.size)
        theirs = [find(frame.image()) for frame in sequence.frames()]
    return _Watched(frames, ours, theirs)


def _run(
    sequence: Sequence,
    watched: _Watched,
    one: Contestant,
    part: int,
    offset: int,
    score: _Score,
) -> None:
    from trackers.eval.clear import compute_clear_metrics
    from trackers.eval.identity import compute_identity_metrics

    follower = one.start(sequence.fps / part)
    found = watched.theirs if one.own and watched.theirs is not None else watched.ours
    true: list[Any] = []
    given: list[Any] = []
    overlaps: list[Any] = []
    for frame in _every(sequence, watched, part, offset, pictures=one.sees):
        wanted = [d for d in found[frame.index] if d.confidence >= one.least]
        image = frame.image() if one.sees else None
        began = time.perf_counter()
        followed = follower.follow(watched.frames[frame.index], wanted, image)
        score.spent_s.append(time.perf_counter() - began)
        truth = sequence.truth[frame.index]
        followed = counted(truth, followed)
        true.append(np.array([identity for identity, _ in truth.people], int))
        given.append(np.array([identity for identity, _ in followed], int))
        overlaps.append(_overlaps([box for _, box in truth.people], followed))
    score.clear.append(compute_clear_metrics(true, given, overlaps, SAME_IOU))
    score.identity.append(compute_identity_metrics(true, given, overlaps, SAME_IOU))


def _every(
    sequence: Sequence, watched: _Watched, part: int, offset: int, *, pictures: bool
) -> Iterator[Frame]:
    frames = sequence.frames() if pictures else watched.frames
    return (frame for frame in frames if frame.index % part == offset)


def counted(truth: Truth, followed: Followed) -> Followed:
    """What counts of what was followed: without what is best explained by something ambiguous."""
    from scipy.optimize import linear_sum_assignment

    if not truth.ambiguous or not followed:
        return followed
    boxes = [*(box for _, box in truth.people), *truth.ambiguous]
    overlaps = _overlaps(boxes, followed)
    overlaps[overlaps < SAME_IOU] = 0.0
    rows, columns = linear_sum_assignment(-overlaps)
    ambiguous = {
        int(column)
        for row, column in zip(rows, columns, strict=True)
        if row >= len(truth.people) and overlaps[row, column] > 0
    }
    return [one for index, one in enumerate(followed) if index not in ambiguous]


def _overlaps(boxes: list[Box], followed: Followed) -> np.ndarray[Any, np.dtype[np.float64]]:
    rows = [[iou(box, other) for _, other in followed] for box in boxes]
    return np.array(rows, np.float64).reshape(len(boxes), len(followed))


_BLANK = ArrayPicture(np.zeros((1, 1, 3), np.uint8))
