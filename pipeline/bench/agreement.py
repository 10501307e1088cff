"""How far two detectors agree on the same pictures, one of them being the reference.

What is detected and what is not is decided at a camera's confidence, near to which it is decided by
chance: from one picture of a video to the next the confidence of one and the same thing changes by
0.03 in the median and by more than 0.06 in a quarter of cases (vtest.avi, YOLO11n at 640 pixels,
those less sure than 0.5). The reference itself loses and finds things so. Hence a detection of the
reference counts as found again if the other has it at most MARGIN below the confidence, and as many
may fade to below it as rise above it. What fades in excess of what rises is lost, and the other way
around it is extra: a detector that is a little less sure of everything does not get away with it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.geometry import iou
from pipeline.types import Detection

SAME_PLACE = 0.6
"""Intersection over union of boxes that are of one thing."""
MARGIN = 0.05
CERTAINTY_Z = 1.645
"""Standard deviations: what was counted holds with 95% certainty on one side."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Counts of detections: `reference` of the reference, of which `lost` were not found again;
    `extra` were found that the reference has not. `at_limit` crossed the confidence one way or the
    other, and are among neither unless one way prevails."""

    reference: int = 0
    lost: int = 0
    extra: int = 0
    at_limit: int = 0

    @property
    def lost_share(self) -> float:
        return self.lost / self.reference if self.reference else 0.0

    @property
    def extra_share(self) -> float:
        """Extra detections for each one of the reference."""
        return self.extra / self.reference if self.reference else 0.0


def agreement(
    reference: Iterable[Sequence[Detection]],
    other: Iterable[Sequence[Detection]],
    confidence: float,
) -> Mapping[str, Agreement]:
    """Compare what was found in the same pictures, surer than `confidence` less MARGIN.

    Returns:
        Label -> what became of its detections; those of all labels together under "".
    """
    counts: dict[str, Counter[str]] = {}
    for expected, found in zip(reference, other, strict=True):
        for label, fate in _fates(expected, found, confidence):
            counts.setdefault(label, Counter())[fate] += 1
    total = sum(counts.values(), Counter[str]())
    return {"": _counted(total)} | {label: _counted(counts[label]) for label in sorted(counts)}


def at_most(count: int, of: int) -> float:
    """The share that `count` in `of` may be one of by chance, with 95% certainty: the upper end of
    Wilson's interval (E. B. Wilson, "Probable inference", 1927); 1 of nothing."""
    if of == 0:
        return 1.0
    share, square = min(count / of, 1.0), CERTAINTY_Z**2
    middle = share + square / (2 * of)
    half = CERTAINTY_Z * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    return min((middle + half) / (1 + square / of), 1.0)


def at_least(count: int, of: int) -> float:
    """The other end: what is surely lost; 0 of nothing."""
    return 1 - at_most(of - count, of) if of else 0.0


def enough(loss: float) -> int:
    """So many detections must have been compared to know that no more than this share is lost,
    even where none was."""
    return math.ceil(CERTAINTY_Z**2 * (1 - loss) / loss)


def _fates(
    expected: Sequence[Detection], found: Sequence[Detection], confidence: float
) -> Iterable[tuple[str, str]]:
    """Each thing's label and what became of it; those below the confidence on both sides do not
    count."""
    left = list(found)
    for one in expected:
        same = [o for o in left if o.label == one.label and iou(o.box, one.box) >= SAME_PLACE]
        twin = max(same, key=lambda o: iou(o.box, one.box), default=None)
        if twin is not None:
            left.remove(twin)
        sure = twin is not None and twin.confidence > confidence
        if one.confidence > confidence:
            yield one.label, "missed" if twin is None else "kept" if sure else "faded"
        elif sure:
            yield one.label, "risen"
    for other in left:
        if other.confidence > confidence:
            yield other.label, "invented"


def _counted(counts: Counter[str]) -> Agreement:
    faded, risen = counts["faded"], counts["risen"]
    return Agreement(
        reference=counts["kept"] + counts["missed"] + faded,
        lost=counts["missed"] + max(0, faded - risen),
        extra=counts["invented"] + max(0, risen - faded),
        at_limit=faded + risen,
    )
