"""A stretch of a camera's video, between the one who finds it and the one who cuts it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.types import EncodedPacket, EncodedStream, LoggedLook


@dataclass(frozen=True, slots=True)
class Piece:
    """Video without a break: one stream, presentation times that only go on.

    `read` gives its packets in decoding order, the first a keyframe, and may be called again;
    `looks` are the looks of the track log within it, in order of time.
    """

    stream: EncodedStream
    read: Callable[[], Iterator[EncodedPacket]]
    looks: Sequence[LoggedLook]
