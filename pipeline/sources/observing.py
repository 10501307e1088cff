"""What comes in while a camera is measured: packets as they are read, pictures as decoded."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.encoded import describe
from pipeline.sources.costs import fitted
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
"""Pictures are compared and their brightness taken about so often: at full size, since the grain
of a quiet scene is lost in a smaller one, and always equally far from a keyframe, since encoders
draw a scene that stands still in as many ways as a group of pictures has members."""
_SOONEST_S = 0.8 * LOOKS_EVERY_S
_USUAL_RATE = 25.0
_BRIGHTNESS_SIDE = 64


@dataclass
class Observed:
    """What comes in while a stream is read; the moments of a film are its own."""

    live: bool = True
    rate: float | None = None
    """Frames per second as the stream claims them."""
    arrivals: list[Arrival] = field(default_factory=list)
    stream: EncodedStream | None = None
    packets: list[bytes] = field(default_factory=list)
    kept: int = 0
    frames: int = 0
    first_picture: float | None = None
    ended: float = 0.0
    size: Size = (0, 0)
    since_keyframe: int = 0
    """Pictures."""
    sizes: set[Size] = field(default_factory=set)
    shown: list[float] = field(default_factory=list)
    """Presentation times of the pictures."""
    looked_at: list[float] = field(default_factory=list)
    brightness: list[float] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    new_at: float = 0.0
    """When a picture came last that had not come before."""

    def packet(self, packet: Packet[VideoStream]) -> None:
        """Take a packet as it is read."""
        now, base = time.monotonic(), packet.time_base or packet.stream.time_base

        def seconds(ticks: int | None) -> float | None:
            return None if ticks is None or not base else float(ticks * base)

        if not self.arrivals:
            self.stream = _described(packet.stream)
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
        every = max(1, round(LOOKS_EVERY_S * (self.rate or _USUAL_RATE)))
        if frame.keyframe:
            self.since_keyframe = 0
        due = self.since_keyframe % every == 0
        self.since_keyframe += 1
        moment = now if self.live else frame.pts
        if not self.looked_at or (due and moment - self.looked_at[-1] >= _SOONEST_S):
            self._look(frame, moment)

    def _look(self, frame: Frame, moment: float) -> None:
        self.looked_at.append(moment)
        small = frame.image(fitted(frame.size, _BRIGHTNESS_SIDE))
        self.brightness.append(float(small.mean()) / 255)
        fingerprint = frame.picture.fingerprint()
        if fingerprint not in self.seen:
            self.seen.add(fingerprint)
            self.new_at = moment


def _described(stream: VideoStream) -> EncodedStream | None:
    """The stream as a value; None where it cannot be kept, which hinders nobody from watching."""
    import av

    try:
        return describe(stream)
    except av.FFmpegError:
        return None
