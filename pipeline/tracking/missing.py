"""Tracks that were lost from sight within the picture, which get their ids back if found again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.continuity import FOUND_AGAIN_WITHIN_S
from pipeline.tracking.families import family
from pipeline.tracking.life import Life
from pipeline.tracking.past import in_reach
from pipeline.tracking.targets import BORDER
from pipeline.types import Box, Size

Look = NDArray[np.float32]
"""(channels,), of length 1, or 0 where it is not known."""

ALIKE = 0.82
"""Who comes into sight again within `FOUND_AGAIN_WITHIN_S` is the same if the looks' cosine is at
least this..."""
RESIZED = 1.5
"""...the box is not taller or shorter by this factor, and neither was at the border of the picture
(`targets.BORDER`): who leaves there has left, and who comes from there is new."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A new track at its second look."""

    family: str
    box: Box
    look: Look


@dataclass(frozen=True, slots=True)
class _Gone:
    life: Life
    family: str
    box: Box
    seen: float
    look: Look


class Missing:
    """Those that may be found again, by id. None is, where the detector does not know what things
    look like."""

    def __init__(self) -> None:
        self._gone: dict[int, _Gone] = {}

    def miss(self, life: Life, look: Look, size: Size) -> None:
        """A track that looked like `look` was not seen, in a picture of `size`."""
        if life.id in self._gone or life.track is None or not look.any():
            return
        last, seen = life.track.detection, life.track.last_seen
        if not at_border(last.box, size):
            self._gone[life.id] = _Gone(life, family(last.label), last.box, seen, look)

    def seen(self, life: Life) -> None:
        """A track is not missing any more."""
        self._gone.pop(life.id, None)

    def find(
        self, new: Mapping[int, Arrival], before: float, now: float, size: Size
    ) -> dict[int, Life]:
        """Which of the new tracks are which of those that are missing; the most alike first.

        Args:
            new: those that were first seen in the look `before`, and again in that at `now`.
            size: (width, height) of the picture.
        """
        self._gone = {
            key: gone for key, gone in self._gone.items() if now - gone.seen <= FOUND_AGAIN_WITHIN_S
        }
        pairs = sorted(
            (-alike, key, gone.life.id)
            for key, arrival in new.items()
            if arrival.look.any() and not at_border(arrival.box, size)
            for gone in self._gone.values()
            # Who was seen beside the new one is another.
            if gone.seen < before and (alike := _alike(gone, arrival, now)) >= ALIKE
        )
        found: dict[int, Life] = {}
        for _, key, old in pairs:
            if key not in found and old in self._gone:
                found[key] = self._gone.pop(old).life
        return found

    def clear(self) -> None:
        """Nothing of before goes on."""
        self._gone.clear()


def at_border(box: Box, size: Size) -> bool:
    """Whether a box touches the border of the picture, as far as a detector can tell."""
    across, down = BORDER * size[0], BORDER * size[1]
    return box.x1 < across or box.y1 < down or box.x2 > size[0] - across or box.y2 > size[1] - down


def _alike(one: _Gone, arrival: Arrival, now: float) -> float:
    """The cosine of the looks; 0 where the way between is not plausible."""
    if one.family != arrival.family or len(one.look) != len(arrival.look):
        return 0.0
    taller = arrival.box.height / max(one.box.height, 1.0)
    if not 1 / RESIZED <= taller <= RESIZED:
        return 0.0
    if in_reach(one.box, arrival.box, now - one.seen) is None:
        return 0.0
    return float(one.look @ arrival.look)
