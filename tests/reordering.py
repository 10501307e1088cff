"""Streams with B-frames, as FFmpeg reads them from RTSP."""

from __future__ import annotations

import math
from collections.abc import Sequence


def decoding_times(shown: Sequence[float], *, levels: int) -> list[float | None]:
    """What FFmpeg gives packets with these presentation times, in the order of sending.

    Of an encoder with so many levels of B-frames it is the least of those it holds, as many and
    one more; the newest takes the place of the least. So decoding times leap ahead later than
    presentation times do, and are the same as these once they were set back.
    """
    held = [-math.inf] * (levels + 1)
    found: list[float | None] = []
    for pts in shown:
        held = sorted([pts, *held[1:]])
        found.append(None if held[0] == -math.inf else held[0])
    return found
