"""Pictures that are to be turned before they are shown, as films of phones and cameras on ceilings
are. By quarter turns, counter-clockwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.types import Image, Size

if TYPE_CHECKING:
    from av import VideoFrame


def quarter_turns(degrees: float) -> int:
    """The quarter turns, 0 to 3, nearest to `degrees` counter-clockwise."""
    return round(degrees / 90) % 4


class Turns:
    """Follows by how many quarter turns the pictures of a stream are to be turned.

    A container says it of all pictures (`always`). A camera says it with keyframes and means all
    up to the next one, though decoders hand it on with the keyframe alone.
    """

    def __init__(self, always: int = 0) -> None:
        self._always = self._now = always

    def of(self, frame: VideoFrame) -> int:
        """Those of the next picture in order."""
        told = quarter_turns(frame.rotation)
        if told or frame.key_frame:
            self._now = told or self._always
        return self._now


def turned_size(size: Size, turns: int) -> Size:
    """The size of a turned picture."""
    return (size[1], size[0]) if turns % 2 else size


def turned(image: Image, turns: int) -> Image:
    """A turned picture; the picture itself where it is upright."""
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image
