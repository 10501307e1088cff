"""Packets as a stream sends them: their times, and copies that outlive it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.encoded import describe
from pipeline.protocols import PacketSink
from pipeline.sources.reports import taken
from pipeline.sources.timing import Stamp, Timeline
from pipeline.types import EncodedPacket, EncodedStream

if TYPE_CHECKING:
    from av import Packet
    from av.video.stream import VideoStream


class Tap:
    """Hands on what a stream sends, as values that outlive it."""

    def __init__(self, sink: PacketSink) -> None:
        self._sink = sink
        self._described: tuple[Any, ...] | None = None
        self._stream: EncodedStream | None = None

    def take(self, stream: VideoStream, packet: Packet[VideoStream], stamp: Stamp) -> None:
        own = seconds(packet, packet.dts if packet.pts is None else packet.pts)
        time_base = packet.time_base or stream.time_base
        # Where the stream's times are moved, so are those that a file is written with.
        moved = 0 if own is None or not time_base else round((stamp.pts - own) / time_base)
        self._sink.take(
            self._describe(stream),
            EncodedPacket(
                data=bytes(packet),
                pts=None if packet.pts is None else packet.pts + moved,
                dts=None if packet.dts is None else packet.dts + moved,
                duration=packet.duration or None,
                keyframe=packet.is_keyframe,
                time=stamp.pts,
                captured_at=stamp.captured_at,
                monotonic=stamp.monotonic,
                discontinuity=stamp.discontinuity,
            ),
        )

    def _describe(self, stream: VideoStream) -> EncodedStream:
        context = stream.codec_context
        now = (context.width, context.height, context.extradata)
        if self._stream is None or now != self._described:
            self._stream, self._described = describe(stream), now
        return self._stream


def sent_at(timeline: Timeline, packet: Packet[VideoStream], arrival: float) -> Stamp:
    """The times of a packet."""
    pts = seconds(packet, packet.dts if packet.pts is None else packet.pts)
    return timeline.sent(pts, arrival, dts=seconds(packet, packet.dts), taken=taken(packet))


def seconds(packet: Packet[VideoStream], ticks: int | None) -> float | None:
    """Ticks of a packet's time base in seconds."""
    time_base = packet.time_base or packet.stream.time_base
    if ticks is None or not time_base:
        return None
    # A fraction's own product is slow.
    return ticks * time_base.numerator / time_base.denominator
