"""Joining detections over time: ByteTrack, and what rules need to know beyond its ids.

Association is ByteTrack (Zhang et al., 2022) by the library `trackers`, with boxes widened by 0.3
of their size before they are compared (buffered IoU, Yang et al., 2023). On TUD-Campus at 5 looks
a second that gave IDF1 0.66 with 3.4 identity switches; plain IoU 0.63 and 3.6, OC-SORT 0.54 and
5.0, BoT-SORT 0.54 and 7.6. At 2 looks a second it broke a campus film's people into 49 tracks
instead of 70.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pipeline.continuity import RESUME_WITHIN_S, patient
from pipeline.geometry import iou
from pipeline.protocols import JsonObject
from pipeline.types import Box, Detection, Frame, PathPoint, Track

LOST_AFTER_S = 2.0
"""A track that was not seen for longer, nor in two looks, is given up."""
PATH_POINTS = 64
STILL_AFTER_S = 2.0
"""A track is stationary once its foot has kept to one place for so long..."""
STILL_REACH = 0.25
"""...within so many of its box heights (half a metre, for a standing person)."""
RESUME_IOU = 0.3
RESUME_REACH = 1.0
"""A new track this many box heights from a restored one's foot may be it..."""
RESUME_SPEED = 0.5
"""...and so many more for each second that has passed (a walk is about 0.8 heights a second)..."""
RESUME_REACH_MOST = 3.0
"""...but never more than so many."""

_VEHICLES = ("car", "truck", "bus", "train", "motorcycle")
_ANIMALS = ("bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe")
_FAMILIES = {**dict.fromkeys(_VEHICLES, "vehicle"), **dict.fromkeys(_ANIMALS, "animal")}
"""Labels a detector takes for one another, so that one track may bear several of them."""


class Tracking:
    """Follows one camera's objects; never joins a person with a car.

    A track begins at its second look in a row, keeps the label that most of its confidence voted
    for (within vehicles, within animals; any other label stands alone), and is reported lost once,
    `LOST_AFTER_S` after it was last seen. Importing the library takes 2 s: construct this while
    the camera is being opened.

    Args:
        fps: looks per second that are meant; the true times come with the frames.
        confidence: the least that begins or continues a track, as the detector's own.
    """

    def __init__(self, *, fps: float, confidence: float) -> None:
        from trackers import BIoU, ByteTrackTracker

        def tracker() -> Any:
            return ByteTrackTracker(
                lost_track_buffer=round(LOST_AFTER_S * 30),  # the library counts at 30 a second
                frame_rate=fps,
                track_activation_threshold=confidence,
                high_conf_det_threshold=confidence,
                minimum_consecutive_frames=2,
                minimum_iou_threshold=0.1,
                iou=BIoU(0.3),
            )

        self._tracker = tracker
        self._families: dict[str, Any] = {}
        self._lives: dict[tuple[str, int], _Life] = {}
        self._next_id = 1
        self._last = -math.inf
        self._lost_after_s = LOST_AFTER_S
        self._past = _Past()

    def update(
        self, frame: Frame, detections: Sequence[Detection], period_s: float = 0.0
    ) -> tuple[tuple[Track, ...], tuple[Track, ...]]:
        """The tracks seen in this frame, by id, and those given up at it (`lost` true).

        `period_s` is how many seconds lie between two looks lately.
        """
        self._lost_after_s = patient(LOST_AFTER_S, period_s)
        # The library warns and stands still when time does; two frames of one moment are no fault.
        now = max(frame.monotonic, self._last + 1e-3)
        self._last = now
        for detection in detections:
            self._families.setdefault(_family(detection.label), None)
        found = {
            (family, number): detection
            for family in self._families
            for number, detection in self._associate(family, detections, now)
        }
        self._begin({key: found[key] for key in found if key not in self._lives}, now)
        seen = [self._lives[key].see(detection, now) for key, detection in found.items()]
        return tuple(sorted(seen, key=lambda track: track.id)), self._given_up()

    def reset(self) -> tuple[Track, ...]:
        """Give up all tracks (after a discontinuity) and return them as lost."""
        lost = tuple(replace(life.track, lost=True) for life in self._lives.values() if life.track)
        self._families.clear()
        self._lives.clear()
        self._past = _Past()
        return lost

    def state(self) -> JsonObject:
        """The live tracks as JSON; all times as seconds before the last update."""
        lives = [life.state(self._last) for life in self._lives.values() if life.track]
        return {"next_id": self._next_id, "tracks": lives + self._past.state(self._last)}

    def restore(self, state: JsonObject, age_s: float) -> None:
        """Take over what `state` gave; call it right before the first `update`.

        A new track that overlaps a restored one, or stands within reach of its foot, becomes it:
        same id, first sight and path. Restored tracks that nothing becomes are forgotten.

        Args:
            state: what `state` gave.
            age_s: seconds from that state's last update until now.
        """
        self._next_id = state["next_id"]
        self._past = _Past(list(state["tracks"]), age_s)

    def _associate(
        self, family: str, detections: Sequence[Detection], now: float
    ) -> Iterator[tuple[int, Detection]]:
        """The library's own number for each detection of a family that continues a track."""
        from supervision import Detections

        tracker = self._families[family]
        if tracker is None:
            tracker = self._families[family] = self._tracker()
        tracker.maximum_time_without_update = self._lost_after_s
        own = [detection for detection in detections if _family(detection.label) == family]
        answer = tracker.update(
            Detections(
                xyxy=np.array([detection.box for detection in own], float).reshape(-1, 4),
                confidence=np.array([detection.confidence for detection in own], float),
                data={"index": np.arange(len(own))},
            ),
            timestamp=now,
        )
        if len(answer):
            for number, index in zip(answer.tracker_id, answer.data["index"], strict=True):
                if number >= 0:
                    yield int(number), own[index]

    def _begin(self, new: dict[tuple[str, int], Detection], now: float) -> None:
        resumed = self._past.resume({key: (key[0], new[key].box) for key in new}, now)
        for key, detection in new.items():
            old = resumed.get(key)
            if old is None:
                foot = PathPoint(now, *detection.box.foot)
                self._lives[key] = _Life(self._next_id, first_seen=now, anchor=foot)
                self._next_id += 1
            else:
                self._lives[key] = _Life.resumed(old, self._past.ended)

    def _given_up(self) -> tuple[Track, ...]:
        kept = {
            (family, track.tracker_id)
            for family, tracker in self._families.items()
            for track in tracker.tracks
        }
        lost = [self._lives.pop(key) for key in list(self._lives) if key not in kept]
        return tuple(replace(life.track, lost=True) for life in lost if life.track)


def _family(label: str) -> str:
    return _FAMILIES.get(label, label)


@dataclass(slots=True)
class _Life:
    """One track as it grows. `anchor` is where and since when its foot has kept to one place."""

    id: int
    first_seen: float
    anchor: PathPoint
    votes: dict[str, float] = field(default_factory=dict)
    path: deque[PathPoint] = field(default_factory=lambda: deque(maxlen=PATH_POINTS))
    track: Track | None = None

    def see(self, detection: Detection, now: float) -> Track:
        x, y = detection.box.foot
        self.votes[detection.label] = self.votes.get(detection.label, 0.0) + detection.confidence
        self.path.append(PathPoint(now, x, y))
        if math.dist((x, y), self.anchor[1:]) > STILL_REACH * detection.box.height:
            self.anchor = PathPoint(now, x, y)
        still = now - self.anchor.monotonic >= STILL_AFTER_S
        self.track = Track(
            id=self.id,
            label=max(self.votes, key=lambda label: self.votes[label]),
            detection=detection,
            first_seen=self.first_seen,
            last_seen=now,
            path=tuple(self.path),
            stationary_since=self.anchor.monotonic if still else None,
        )
        return self.track

    def state(self, now: float) -> JsonObject:
        assert self.track is not None
        return {
            "id": self.id,
            "votes": self.votes,
            "box": [round(value, 1) for value in self.track.detection.box],
            "first_seen_s": round(now - self.first_seen, 3),
            "last_seen_s": round(now - self.track.last_seen, 3),
            "anchor": _before(self.anchor, now),
            "path": [_before(point, now) for point in self.path],
        }

    @classmethod
    def resumed(cls, state: JsonObject, ended: float) -> _Life:
        """A life from its `state`; `ended` is when, in this run's time, its last update was."""
        points = (_after(point, ended) for point in state["path"])
        return cls(
            id=state["id"],
            first_seen=ended - state["first_seen_s"],
            anchor=_after(state["anchor"], ended),
            votes=dict(state["votes"]),
            path=deque(points, maxlen=PATH_POINTS),
        )


def _before(point: PathPoint, now: float) -> tuple[float, float, float]:
    return round(now - point.monotonic, 3), round(point.x, 1), round(point.y, 1)


def _after(point: Sequence[float], ended: float) -> PathPoint:
    return PathPoint(ended - point[0], point[1], point[2])


@dataclass(slots=True)
class _Past:
    """The tracks of the run before a restart that have not been found again."""

    tracks: list[JsonObject] = field(default_factory=list)
    age_s: float = 0.0
    ended: float = math.nan
    """When, in this run's time, the last update of the run before was."""

    def resume(
        self, new: dict[tuple[str, int], tuple[str, Box]], now: float
    ) -> dict[tuple[str, int], JsonObject]:
        """Which of the new tracks (family, box) are which of the old ones; the nearest first."""
        if not self.tracks:
            return {}
        if math.isnan(self.ended):
            self.ended = now - self.age_s
        self.tracks = [old for old in self.tracks if self._gap(old, now) <= RESUME_WITHIN_S]
        pairs = sorted(
            (distance, key, index)
            for key, (family, box) in new.items()
            for index, old in enumerate(self.tracks)
            if family == _family(next(iter(old["votes"])))
            and (distance := self._distance(old, box, now)) is not None
        )
        taken: dict[tuple[str, int], int] = {}
        for _, key, index in pairs:
            if key not in taken and index not in taken.values():
                taken[key] = index
        resumed = {key: self.tracks[index] for key, index in taken.items()}
        self.tracks = [old for i, old in enumerate(self.tracks) if i not in taken.values()]
        return resumed

    def state(self, now: float) -> list[JsonObject]:
        """Those not found again, for one more restart; times as seconds before `now`."""
        passed = self.age_s if math.isnan(self.ended) else now - self.ended
        return [
            {
                **old,
                "first_seen_s": old["first_seen_s"] + passed,
                "last_seen_s": old["last_seen_s"] + passed,
                "anchor": [old["anchor"][0] + passed, *old["anchor"][1:]],
                "path": [[point[0] + passed, *point[1:]] for point in old["path"]],
            }
            for old in self.tracks
        ]

    def _gap(self, old: JsonObject, now: float) -> float:
        return now - self.ended + float(old["last_seen_s"])

    def _distance(self, old: JsonObject, box: Box, now: float) -> float | None:
        """Between the feet, in box heights; None where the new one cannot be the old one."""
        last = Box(*old["box"])
        height = max(last.height, box.height, 1.0)
        distance = math.dist(last.foot, box.foot) / height
        reach = min(RESUME_REACH + RESUME_SPEED * self._gap(old, now), RESUME_REACH_MOST)
        if distance <= reach or iou(last, box) > RESUME_IOU:
            return distance
        return None
