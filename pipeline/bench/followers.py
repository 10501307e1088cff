"""Trackers to be compared, ours and others', each behind one call a frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.bench.rival import load
from pipeline.tracking import LOST_AFTER_S, Tracking
from pipeline.types import Box, Detection, Frame, Image

Followed = list[tuple[int, Box]]
"""Ids and boxes in one frame."""

LEAST = 0.1
"""ultralytics has its trackers see boxes down to this confidence (`YOLO.track`)."""


class Follower(Protocol):
    """A tracker of one film."""

    def follow(self, frame: Frame, found: Sequence[Detection], image: Image | None) -> Followed:
        """Who is where in a frame, in which so much was found; `image` is its picture, for those
        that asked for it."""
        ...


Start = Callable[[float], Follower]
"""Begins to follow in a film of so many frames a second."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """`start` it for each run. `least` is the confidence from which on it gets detections: ours,
    or those of ultralytics if it has its `own`. `sees` tells whether it looks at the pictures."""

    name: str
    start: Start
    least: float
    own: bool = False
    sees: bool = False


class _Ours:
    def __init__(self, fps: float) -> None:
        self._tracking, self._period_s = Tracking(), 1.0 / fps

    def follow(self, frame: Frame, found: Sequence[Detection], image: Image | None) -> Followed:
        seen, _ = self._tracking.update(frame, found, self._period_s)
        return [(track.id, track.detection.box) for track in seen]


class _Library:
    """One of the package `trackers`, in the product's terms: a second look, two seconds."""

    def __init__(self, tracker: Any) -> None:
        self._tracker = tracker

    def follow(self, frame: Frame, found: Sequence[Detection], image: Image | None) -> Followed:
        import supervision as sv

        tracked = self._tracker.update(
            sv.Detections(xyxy=_boxes(found), confidence=_confidences(found)),
            timestamp=frame.monotonic + 1.0,
        )
        if not len(tracked):
            return []
        return [
            (int(number), Box(*map(float, box)))
            for number, box in zip(tracked.tracker_id, tracked.xyxy, strict=True)
            if number >= 0
        ]


class _Ultralytics:
    """One of ultralytics' trackers with its own settings, fed as `YOLO.track` does it."""

    def __init__(self, kind: str) -> None:
        from ultralytics.trackers.track import TRACKER_MAP
        from ultralytics.utils import YAML, IterableSimpleNamespace
        from ultralytics.utils.checks import check_yaml

        settings = IterableSimpleNamespace(**YAML.load(check_yaml(f"{kind}.yaml")))
        self._tracker = TRACKER_MAP[kind](args=settings)

    def follow(self, frame: Frame, found: Sequence[Detection], image: Image | None) -> Followed:
        from ultralytics.engine.results import Boxes

        rows = np.column_stack((_boxes(found), _confidences(found), np.zeros(len(found))))
        boxes = Boxes(rows.astype(np.float32), (frame.size[1], frame.size[0]))
        tracked = self._tracker.update(boxes, image)
        return [(int(row[4]), Box(*map(float, row[:4]))) for row in tracked]


def contestants(confidence: float, *, ultralytics: bool) -> list[Contestant]:
    """All there are; ours begins and continues tracks from `confidence` on, as a camera does."""
    return [
        Contestant("vigil", _Ours, confidence),
        *_libraries(confidence),
        *(_ultralytics(confidence) if ultralytics else ()),
    ]


def own_detections(weights: Path, home: Path, size: int) -> Callable[[Image], list[Detection]]:
    """People as ultralytics finds them for its trackers.

    Raises:
        Absent: ultralytics is not installed.
    """
    model = load(weights, home)

    def find(image: Image) -> list[Detection]:
        (result,) = model.predict(
            image, imgsz=size, conf=LEAST, classes=[0], verbose=False, save=False
        )
        boxes = result.boxes.cpu().numpy()
        return [
            Detection("person", float(confidence), Box(*map(float, box)))
            for box, confidence in zip(boxes.xyxy, boxes.conf, strict=True)
        ]

    return find


def _libraries(confidence: float) -> list[Contestant]:
    from trackers import BIoU, BoTSORTTracker, ByteTrackTracker, CBIoUTracker, OCSORTTracker

    common = {
        "lost_track_buffer": round(LOST_AFTER_S * 30),  # the library counts at 30 a second
        "minimum_consecutive_frames": 2,
        "high_conf_det_threshold": confidence,
    }
    begins = {"track_activation_threshold": confidence}

    def start(kind: Any, **settings: Any) -> Start:
        return lambda fps: _Library(kind(frame_rate=fps, **common, **settings))

    return [
        Contestant("trackers ByteTrack", start(ByteTrackTracker, **begins), confidence),
        Contestant(
            "trackers ByteTrack, buffered IoU",
            start(ByteTrackTracker, iou=BIoU(0.3), **begins),
            confidence,
        ),
        Contestant("trackers OC-SORT", start(OCSORTTracker), confidence),
        # It stands still: no camera moves here.
        Contestant(
            "trackers BoT-SORT", start(BoTSORTTracker, enable_cmc=False, **begins), confidence
        ),
        Contestant("trackers C-BIoU", start(CBIoUTracker, **begins), confidence),
    ]


def _ultralytics(confidence: float) -> list[Contestant]:
    found = []
    for kind, name in (("bytetrack", "ByteTrack"), ("botsort", "BoT-SORT")):

        def start(_: float, kind: str = kind) -> Follower:
            return _Ultralytics(kind)

        sees = kind == "botsort"
        found.append(Contestant(f"ultralytics {name}", start, LEAST, own=True, sees=sees))
        found.append(
            Contestant(f"ultralytics {name}, our detections", start, confidence, sees=sees)
        )
    return found


def _boxes(found: Sequence[Detection]) -> NDArray[np.float64]:
    return np.array([one.box for one in found], np.float64).reshape(-1, 4)


def _confidences(found: Sequence[Detection]) -> NDArray[np.float64]:
    return np.array([one.confidence for one in found], np.float64)
