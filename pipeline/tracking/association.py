"""Which detection is of which target: by where it is and by what it looks like.

The cost of a pair is what their boxes lack in overlap, plus what their looks lack in likeness; the
pairs with the least cost together are joined (Kuhn, 1955). Boxes are widened before they are
compared (buffered IoU, Yang et al., 2023), the more the less sure it is where the target is, and
the overlap counts by that of their heights as well (Hybrid-SORT, Yang et al., 2024): who stands
behind another has another height in the picture. How the constants were chosen is told in
docs/tracking.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipeline.continuity import RESUME_WITHIN_S
from pipeline.tracking.targets import (
    Flags,
    Floats,
    Ints,
    Looks,
    Targets,
    centres_and_sizes,
    known,
    unused,
)
from pipeline.types import Detection

BUFFER = 0.1
"""By this share of their sides boxes are widened to each side..."""
BUFFER_PER_SPREAD = 0.8
"""...and by so many standard deviations of the target's place..."""
BUFFER_MOST = 0.6
"""...but by no more than this."""
LEAST_OVERLAP = 0.05
"""Boxes that overlap less, once widened, are of two things, however alike."""
LOOK_WEIGHT = 1.5
"""How much a cosine counts, against an overlap..."""
LOOK_MIDDLE = 0.8
"""...less what it is between looks that may be of one thing or of two."""
MISSED_COST = 0.4
"""Of a target that was looked for and not found, until it is given up; in proportion before."""
TENTATIVE_COST = 0.05
"""Of a target that was seen but once."""
MOST_COST = 0.85
"""A pair that costs more is none."""
NEAR_OVERLAP = 0.15
"""What is left over is joined with what was seen in the last look and is left over too, if the
boxes, widened as far as they may be, overlap by this: of who leaves by the border or behind a wall
a part is still seen, and who sets off again runs ahead of what was expected."""
ALONE_S = 1.5
"""Where nobody else may be meant, on either side, it may have been missed for so long: of who falls
or bends down the detector sees little, and that looks different. And it may have been seen but
once: who runs is one and a half widths of the box further on at the second look."""
STAYS_ALIKE = 0.82
"""Whose middle is expected beyond a side of the picture has left, and who is found there is
another, unless it was seen in the last look and the looks' cosine is at least this, where both are
known: somebody who stops at the border, turns back, or is not quite gone."""
PART_INSIDE = 0.8
"""A box that lies within another by this share of it..."""
PART_SURE = 0.6
"""...and is less sure by this factor shows a part of the same thing, and begins nothing."""
STALL_S = RESUME_WITHIN_S
"""What was there is looked for again after so long without any look at all."""
ALONE_BELOW = 0.3
"""What a thing looks like is learnt while its box overlaps no other's by more."""
_NONE = MOST_COST + 0.01
"""What is no pair costs hardly more, so that no good pair is given up to make two bad ones."""
_NO_PAIRS = (np.empty(0, np.int64), np.empty(0, np.int64))


@dataclass(frozen=True, slots=True)
class Joined:
    """The detection `index` continues the target `id`; `begins` at its second look."""

    id: int
    index: int
    begins: bool


class Association:
    """Follows the detections of one camera under ids of its own, 1 and on.

    A target is confirmed by a second look in a row, and kept until it was not seen for longer than
    the caller wishes.
    """

    def __init__(self) -> None:
        self.targets = Targets()
        self._next_id = 1
        self._families: dict[str, int] = {}

    def update(
        self,
        detections: Sequence[Detection],
        families: Sequence[str],
        now: float,
        keep_s: float,
        width: float,
    ) -> list[Joined]:
        """What continues what in a look at `now`, which is after the last one.

        Args:
            detections: what was found.
            families: of each detection; what is of two families is never joined.
            now: seconds.
            keep_s: targets that were not seen for longer are let go, though not because there was
                no look for up to STALL_S.
            width: of the picture.
        """
        targets, before = self.targets, self.targets.at
        targets.keep(now - targets.seen <= max(keep_s, STALL_S))
        targets.predict(now)
        boxes = np.array([one.box for one in detections], np.float64).reshape(-1, 4)
        kinds = np.array([self._family(name) for name in families], np.int64)
        looks = _looks(detections)
        alike = self._alike(len(boxes), looks)
        allowed = self._allowed(kinds, alike, before, width)
        rows, columns = _assigned(self._costs(boxes, allowed, alike, before, keep_s))
        near = self._left_over(rows, columns, boxes, allowed, alike, before)
        rows, columns = (np.concatenate(pair) for pair in zip((rows, columns), near, strict=True))
        numbers, begun = targets.ids[rows].tolist(), (~targets.confirmed[rows]).tolist()
        joined = list(map(Joined, numbers, columns.tolist(), begun))
        confidences = np.array([one.confidence for one in detections])
        if len(rows):
            targets.correct(rows, boxes[columns], confidences[columns])
            targets.confirmed[rows] = True
            if looks is not None:
                alone = _alone(boxes)[columns]
                targets.learn(rows[alone], looks[columns[alone]])
        targets.keep((targets.seen == now) | (targets.confirmed & (now - targets.seen <= keep_s)))
        others = unused(len(boxes), columns)
        if len(others):
            whole = ~_parts(boxes, kinds, confidences)
            self._begin(others[whole[others]], boxes, kinds, looks)
        return joined

    @property
    def ids(self) -> set[int]:
        """The targets that are kept."""
        return set(self.targets.ids.tolist())

    def look(self, target: int) -> Looks:
        """What a target looks like, (channels,), of length 1; 0 where it is not known."""
        row = np.flatnonzero(self.targets.ids == target)
        return self.targets.look[row].reshape(-1) if len(row) else np.zeros(0, np.float32)

    def forget(self, target: int) -> None:
        """Let go a target."""
        self.targets.keep(self.targets.ids != target)

    def _family(self, name: str) -> int:
        return self._families.setdefault(name, len(self._families))

    def _alike(self, count: int, looks: Looks | None) -> Looks:
        """The cosines of what each target (rows) and each of so many detections (columns) look
        like; not a number where that of either is not known."""
        mine = self.targets.look
        if looks is None or mine.shape[1] != looks.shape[1]:
            return np.full((len(self.targets), count), np.nan, np.float32)
        both = known(mine)[:, None] & known(looks)
        return np.where(both, mine @ looks.T, np.float32(np.nan))

    def _allowed(self, kinds: Ints, alike: Looks, before: float, width: float) -> Flags:
        """Which targets (rows) may be which detections (columns): those of one family that have
        not left."""
        targets = self.targets
        allowed: Flags = targets.families[:, None] == kinds
        outside = targets.outside(width)
        if outside.any():
            stays = (targets.seen >= before)[:, None] & ~(alike < STAYS_ALIKE)
            allowed &= stays | ~outside[:, None]
        return allowed

    def _costs(
        self, boxes: Floats, allowed: Flags, alike: Looks, before: float, keep_s: float
    ) -> Floats:
        """Of each target (rows) with each detection (columns)."""
        targets = self.targets
        spread = np.sqrt(targets.spread[:, 0]) / targets.scale
        buffer = np.minimum(BUFFER + BUFFER_PER_SPREAD * spread, BUFFER_MOST)
        overlap = _overlap(targets.centre, targets.size, boxes, buffer)
        possible = (overlap >= LEAST_OVERLAP) & allowed
        cost = 1 - overlap * np.sqrt(_overlap_of_heights(targets, boxes))
        # What is not known is as likely as not.
        cost = cost + np.where(np.isnan(alike), 0.0, LOOK_WEIGHT * (LOOK_MIDDLE - alike))
        missed = np.maximum(before - targets.seen, 0.0) / keep_s
        cost = cost + (MISSED_COST * missed + TENTATIVE_COST * ~targets.confirmed)[:, None]
        return np.where(possible & (cost <= MOST_COST), cost, _NONE)

    def _left_over(
        self,
        rows: Ints,
        columns: Ints,
        boxes: Floats,
        allowed: Flags,
        alike: Looks,
        before: float,
    ) -> tuple[Ints, Ints]:
        """Pairs of what these pairs left over, by place; of what was seen but once, whose speed
        nobody knows, only what looks alike, where that is known."""
        targets = self.targets
        free = ~targets.confirmed | (targets.seen >= before - ALONE_S)
        free[rows] = False
        rest = np.flatnonzero(free)
        others = unused(len(boxes), columns)
        if not len(rest) or not len(others):
            return _NO_PAIRS
        widened = np.full(len(rest), BUFFER_MOST)
        overlap = _overlap(targets.centre[rest], targets.size[rest], boxes[others], widened)
        possible = allowed[rest[:, None], others] & (overlap >= NEAR_OVERLAP)
        confirmed = targets.confirmed[rest]
        possible &= confirmed[:, None] | ~(alike[rest[:, None], others] < LOOK_MIDDLE)
        alone = (possible.sum(axis=1) == 1)[:, None] & (possible.sum(axis=0) == 1)
        possible &= alone | (confirmed & (targets.seen[rest] >= before))[:, None]
        near, near_columns = _assigned(np.where(possible, 1 - overlap, _NONE))
        return rest[near], others[near_columns]

    def _begin(self, columns: Ints, boxes: Floats, kinds: Ints, looks: Looks | None) -> None:
        ids = np.arange(self._next_id, self._next_id + len(columns))
        self._next_id += len(columns)
        rows = self.targets.add(ids, kinds[columns], boxes[columns])
        if looks is not None:
            self.targets.learn(rows, looks[columns])


def _looks(detections: Sequence[Detection]) -> Looks | None:
    """(n, channels), or None where the detector does not know."""
    looks = [one.embedding for one in detections if one.embedding is not None]
    if not looks or len(looks) < len(detections):
        return None
    return np.array(looks, np.float32)


def _overlap(middles: Floats, sizes: Floats, boxes: Floats, buffer: Floats) -> Floats:
    """Intersection over union, 0..1, of targets (rows), by their middles and sizes (n, 2), with
    each box (columns), both widened to each side by the share `buffer` (n,) of their sides."""
    centre, size = centres_and_sizes(boxes)
    half = 0.5 + buffer[:, None, None]
    mine = sizes[:, None]
    shared = _common(np.abs(middles[:, None] - centre), half * mine, half * size)
    both = shared[:, :, 0] * shared[:, :, 1]
    areas = mine[:, :, 0] * mine[:, :, 1] + size[:, 0] * size[:, 1]
    overlap: Floats = both / np.maximum(4 * half[:, :, 0] ** 2 * areas - both, 1e-9)
    return overlap


def _overlap_of_heights(targets: Targets, boxes: Floats) -> Floats:
    """Intersection over union, 0..1, of how far up and down each target (rows) and box reach."""
    centre, size = centres_and_sizes(boxes)
    mine, other = targets.size[:, 1, None], size[:, 1]
    shared = _common(np.abs(targets.centre[:, 1, None] - centre[:, 1]), mine / 2, other / 2)
    overlap: Floats = shared / np.maximum(mine + other - shared, 1e-9)
    return overlap


def _common(apart: Floats, half: Floats, other: Floats) -> Floats:
    """How much two lines share whose middles are `apart`, and of which these are the halves."""
    shared: Floats = np.maximum(np.minimum(half + other - apart, 2 * np.minimum(half, other)), 0.0)
    return shared


def _alone(boxes: Floats) -> Flags:
    """Which boxes overlap no other by more than ALONE_BELOW."""
    shared, area = _shared_areas(boxes)
    overlap = shared / np.maximum(area[:, None] + area - shared, 1e-9)
    alone: Flags = overlap.max(axis=1) < ALONE_BELOW
    return alone


def _parts(boxes: Floats, kinds: Ints, confidences: Floats) -> Flags:
    """Which boxes show a part of what a surer one of the same family shows."""
    shared, area = _shared_areas(boxes)
    within = shared >= PART_INSIDE * np.maximum(area, 1e-9)[:, None]
    surer = confidences[:, None] < PART_SURE * confidences
    return np.asarray((within & surer & (kinds[:, None] == kinds)).any(axis=1))


def _shared_areas(boxes: Floats) -> tuple[Floats, Floats]:
    """What boxes share with each other (n, n), 0 with themselves, and their areas (n,)."""
    centre, size = centres_and_sizes(boxes)
    shared = _common(np.abs(centre[:, None] - centre), size[:, None] / 2, size[None] / 2)
    areas: Floats = shared[:, :, 0] * shared[:, :, 1]
    np.fill_diagonal(areas, 0.0)
    return areas, size[:, 0] * size[:, 1]


def _assigned(costs: Floats) -> tuple[Ints, Ints]:
    """The pairs (rows, columns) whose costs come to the least, where all can be had."""
    rows, columns = linear_sum_assignment(costs)
    possible = costs[rows, columns] < _NONE
    return rows[possible], columns[possible]
