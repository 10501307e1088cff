"""Films as packets, and footage written of them, for tests of clips."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pipeline.clips.footage import Footage
from pipeline.clips.segments import SegmentWriter
from pipeline.sources import open_source
from pipeline.types import EncodedPacket, EncodedStream


@dataclass
class Kept:
    """A `PacketSink` that keeps all it gets."""

    items: list[tuple[EncodedStream, EncodedPacket]] = field(default_factory=list)

    def take(self, stream: EncodedStream, packet: EncodedPacket) -> None:
        self.items.append((stream, packet))

    @property
    def packets(self) -> list[EncodedPacket]:
        return [packet for _, packet in self.items]

    @property
    def begin(self) -> datetime:
        return self.packets[0].captured_at


def packets_of(film: Path) -> Kept:
    """What a film sends."""
    kept = Kept()
    for _ in open_source("cam", str(film), packets=kept).frames():
        pass
    return kept


def write(kept: Kept, folder: Path, *, lost: int = 0, **settings: float) -> Footage:
    """The packets, written as a camera's footage; so many are lost for want of a keyframe."""
    writer = SegmentWriter(folder, **settings)  # type: ignore[arg-type]
    writer.start()
    for stream, packet in kept.items:
        writer.take(stream, packet)
    writer.close(30)
    assert writer.dropped == ({"before_keyframe": lost} if lost else {})
    return Footage(folder)
