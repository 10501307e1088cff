"""What comes in while a camera is measured: packets as they are read, pictures as decoded."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

from pipeline.encoded import describe
from pipeline.sources.figures import Arrival
from pipeline.sources.reports import taken
from pipeline.types import EncodedStream, Frame, Size

if TYPE_CHECKING:
    from av import Packet
    from av.video.stream import VideoStream

Observer = Callable[["Packet[VideoStream]"], None]
"""Looks at packets."""

KEPT_BYTES = 32_000_000
"""Packets kept to decode them again; more of a camera than is decoded."""
LOOKS_EVERY_S = 0.5
"""Pictures are compared and their brightness taken so often: at full size, since the grain of a
quiet scene is lost in a smaller one."""
_EVERY_PIXEL = 8


@dataclass
class Observed:
    """What comes in while a stream is read; the moments of a film are its own."""

    live: bool = True
    arrivals: list[Arrival] = field(default_factory=list)
    stream: EncodedStream | None = None
    packets: list[bytes] = field(default_factory=list)
    kept: int = 0
    frames: int = 0
    first_picture: float | None = None
    ended: float = 0.0
    size: Size = (0, 0)
    sizes: set[Size] = field(default_factory=set)
    shown: list[float] = field(default_factory=list)
    """Presentation times of the pictures."""
    looked_at: list[float] = field(default_factory=list)
    brightness: list[float] = field(default_factory=list)
    seen: set[bytes] = field(default_factory=set)
    new_at: float = 0.0
    """When a picture came last that had not come before."""

    def packet(self, packet: Packet[VideoStream]) -> None:
        """Take a packet as it is read."""
        now, base = time.monotonic(), packet.time_base or packet.stream.time_base

        def seconds(ticks: int | None) -> float | None:
            return None if ticks is None or not base else float(ticks * base)

        self.arrivals.append(
            Arrival(
                now,
                seconds(packet.pts),
                seconds(packet.dts),
                packet.size,
                packet.is_keyframe,
                taken(packet),
            )
        )
        if self.stream is None:
            self.stream = describe(packet.stream)
        if (self.packets or packet.is_keyframe) and self.kept + packet.size <= KEPT_BYTES:
            self.packets.append(bytes(packet))
            self.kept += packet.size

    def frame(self, frame: Frame) -> None:
        """Take a picture as it is decoded."""
        now = time.monotonic()
        self.first_picture = self.first_picture or now
        self.frames += 1
        self.size = frame.size
        self.sizes.add(frame.size)
        self.shown.append(frame.pts)
        moment = now if self.live else frame.pts
        if not self.looked_at or moment - self.looked_at[-1] >= LOOKS_EVERY_S:
            self.looked_at.append(moment)
            image = frame.image()
            self.brightness.append(float(image[::_EVERY_PIXEL, ::_EVERY_PIXEL].mean()) / 255)
            # not compared with the last one alone: each picture of a group of pictures is another
            # likeness of a scene that stands still, but the next group has the same ones
            digest = blake2b(image.tobytes(), digest_size=16).digest()
            if digest not in self.seen:
                self.seen.add(digest)
                self.new_at = moment
