"""What it comes to when somebody is followed in a film whose truth is known."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Protocol

import numpy as np

from pipeline.bench.followers import Contestant, Followed
from pipeline.bench.sequence import Truth
from pipeline.types import Box, Detection, Frame

SAME_IOU = 0.5
"""From this overlap on a track is where the truth is, as MOTChallenge has it."""
PARTS = (1, 2, 3)
"""Full rate, half of it, a third of it."""


class Film(Protocol):
    """Frames and who is in each, `fps` a second."""

    @property
    def fps(self) -> float: ...

    @property
    def truth(self) -> list[Truth]: ...

    def frames(self) -> Iterator[Frame]: ...


@dataclass(slots=True)
class Score:
    """What one contestant came to at one rate, over all offsets."""

    clear: list[dict[str, Any]] = field(default_factory=list)
    identity: list[dict[str, Any]] = field(default_factory=list)
    spent_s: list[float] = field(default_factory=list)

    def add(self, other: Score) -> None:
        """Pool it with another."""
        self.clear += other.clear
        self.identity += other.identity
        self.spent_s += other.spent_s

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
class Watched:
    """A film's frames, without their pictures, and who was found in each, by us and by
    ultralytics; None where both found the same."""

    frames: list[Frame]
    ours: list[list[Detection]]
    theirs: list[list[Detection]] | None


def follow(
    film: Film,
    watched: Watched,
    one: Contestant,
    part: int,
    offset: int,
    score: Score,
) -> None:
    """Have one contestant follow each `part`th picture from `offset` on, and add to its score."""
    from trackers.eval.clear import compute_clear_metrics
    from trackers.eval.identity import compute_identity_metrics

    follower = one.start(film.fps / part)
    found = watched.theirs if one.own and watched.theirs is not None else watched.ours
    true: list[Any] = []
    given: list[Any] = []
    overlaps: list[Any] = []
    for frame in _every(film, watched, part, offset, pictures=one.sees):
        wanted = [d for d in found[frame.index] if d.confidence >= one.least]
        image = frame.image() if one.sees else None
        began = time.perf_counter()
        followed = follower.follow(watched.frames[frame.index], wanted, image)
        score.spent_s.append(time.perf_counter() - began)
        truth = film.truth[frame.index]
        followed = counted(truth, followed)
        true.append(np.array([identity for identity, _ in truth.people], int))
        given.append(np.array([identity for identity, _ in followed], int))
        overlaps.append(_overlaps([box for _, box in truth.people], followed))
    score.clear.append(compute_clear_metrics(true, given, overlaps, SAME_IOU))
    score.identity.append(compute_identity_metrics(true, given, overlaps, SAME_IOU))


def _every(
    film: Film, watched: Watched, part: int, offset: int, *, pictures: bool
) -> Iterator[Frame]:
    frames = film.frames() if pictures else watched.frames
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
    from trackers.eval.box import box_iou

    if not boxes or not followed:
        return np.zeros((len(boxes), len(followed)))
    found = np.array([box for _, box in followed])
    return np.asarray(box_iou(np.array(boxes), found), np.float64)
