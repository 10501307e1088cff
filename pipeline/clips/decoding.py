"""The pictures of pieces of footage, and how they are to be turned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from pipeline.clips.piece import Piece
from pipeline.encoded import opened
from pipeline.turning import Turns, turned
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
    return piece.stream.turns if frame is None else Turns(piece.stream.turns).of(frame)


def upright(piece: Piece) -> Iterator[tuple[VideoFrame, float, datetime]]:
    """As `decoded`, the pictures turned as they are to be shown."""
    turns = Turns(piece.stream.turns)
    for frame, seconds, at in decoded(piece):
        yield _turned(frame, turns.of(frame)), seconds, at


def _turned(frame: VideoFrame, turns: int) -> VideoFrame:
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
