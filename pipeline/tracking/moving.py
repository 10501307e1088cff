"""How far a thing itself has moved, from two boxes of it that tremble and may be cut off.

A box is moved only as far as its opposite edges have moved together, and has grown only as far as
both its sides have: where something hides the legs, or somebody sits, bends or falls, one edge
moves and the other does not. An edge at the border of the picture is cut off there and says
nothing; the one opposite speaks alone.
"""

from __future__ import annotations

import math

from pipeline.types import Box, Size

STILL_REACH = 0.25
"""Who has not moved farther is still there; in lengths of the longer side of the box (half a metre,
for somebody who stands or lies)..."""
STILL_GROWTH = 1.3
"""...nor grown or shrunk by this factor: who comes straight towards the camera moves, too."""
BORDER = 2.0
"""An edge so near to the picture's border, in pixels, is cut off there."""


def shift(earlier: Box, later: Box, size: Size) -> tuple[float, float]:
    """How far a thing has moved to the right and down, in pixels.

    Args:
        earlier, later: boxes of it in pixels.
        size: (width, height) of the picture.
    """
    width, height = size
    return (
        _together(earlier.x1, later.x1, earlier.x2, later.x2, width),
        _together(earlier.y1, later.y1, earlier.y2, later.y2, height),
    )


def moved(earlier: Box, later: Box, size: Size) -> bool:
    """Whether a thing is no longer where it was."""
    reach = STILL_REACH * max(earlier.width, earlier.height)
    if math.hypot(*shift(earlier, later, size)) > reach:
        return True
    wider = later.width / max(earlier.width, 1.0)
    taller = later.height / max(earlier.height, 1.0)
    return min(wider, taller) > STILL_GROWTH or max(wider, taller) < 1 / STILL_GROWTH


def _together(low: float, low_now: float, high: float, high_now: float, end: float) -> float:
    """The shift that two opposite edges share."""
    by_low, by_high = low_now - low, high_now - high
    # Comparisons, not min and max: this is asked four times for each track of each look.
    low_cut = low < BORDER or low_now < BORDER
    high_cut = high > end - BORDER or high_now > end - BORDER
    if low_cut != high_cut:
        return by_high if low_cut else by_low
    if by_low * by_high <= 0:
        return 0.0
    return by_low if abs(by_low) <= abs(by_high) else by_high
