"""The pictures of pieces of footage, and how they are to be turned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from pipeline.clips.piece import Piece
from pipeline.encoded import opened
from pipeline.turning import quarter_turns, turned
from pipeline.types import EncodedPacket, Image

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


def ticks(packet: EncodedPacket) -> tuple[int, int]:
    """When a packet is shown, and when it is decoded."""
    # What has passed through a segment has both.
    assert packet.pts is not None
    assert packet.dts is not None
    return packet.pts, packet.dts


def first_turns(piece: Piece) -> int:
    """By how many quarter turns the first picture of a piece is to be turned."""
    frame = next((frame for frame, _, _ in decoded(piece)), None)
    return piece.stream.turns if frame is None else _turns(frame, piece)


def _turns(frame: VideoFrame, piece: Piece) -> int:
    """As the camera says in its packets, else as the container did."""
    return quarter_turns(frame.rotation) or piece.stream.turns


def upright(frame: VideoFrame, piece: Piece) -> VideoFrame:
    """A picture of a piece, turned if it has to be."""
    turns = _turns(frame, piece)
    if not turns:
        return frame
    import av

    image = cast("Image", frame.to_ndarray(format="bgr24"))
    return av.VideoFrame.from_ndarray(turned(image, turns), format="bgr24")


def decoded(piece: Piece) -> Iterator[tuple[VideoFrame, float, datetime]]:
    """The pictures of a piece in order, with their time and when they were taken."""
    import av

    # A decoder gives pictures in another order than it takes packets.
    taken: dict[int, tuple[float, datetime]] = {}
    with opened(piece.stream) as stream:
        context = stream.codec_context
        context.thread_count = 1

        def frames(packet: Any) -> Iterator[tuple[VideoFrame, float, datetime]]:
            pictures: Sequence[VideoFrame] = ()
            with suppress(av.FFmpegError):  # a damaged packet does not spoil the others
                pictures = context.decode(packet)
            for frame in pictures:
                if frame.pts is not None and frame.pts in taken and not frame.is_corrupt:
                    yield frame, *taken.pop(frame.pts)

        for packet in piece.read():
            pts, dts = ticks(packet)
            encoded = av.Packet(packet.data)
            encoded.pts, encoded.dts, encoded.time_base = pts, dts, piece.stream.time_base
            encoded.is_keyframe = packet.keyframe
            taken[pts] = (packet.time, packet.captured_at)
            yield from frames(encoded)
        yield from frames(None)
