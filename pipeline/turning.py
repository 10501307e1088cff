"""Pictures that are to be turned before they are shown, as films of phones and cameras on ceilings
are. By quarter turns, counter-clockwise."""

from __future__ import annotations

import numpy as np

from pipeline.types import Image, Size


def quarter_turns(degrees: float) -> int:
    """The quarter turns, 0 to 3, nearest to `degrees` counter-clockwise."""
    return round(degrees / 90) % 4


def turned_size(size: Size, turns: int) -> Size:
    """The size of a turned picture."""
    return (size[1], size[0]) if turns % 2 else size


def turned(image: Image, turns: int) -> Image:
    """A turned picture; the picture itself where it is upright."""
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image
