"""When a camera says it took a picture: the sender reports of RTP (RFC 3550, section 6.4.1)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av import Packet
    from av.video.stream import VideoStream

_WALL_CLOCK = struct.Struct("=q")


def taken(packet: Packet[VideoStream]) -> float | None:
    """When a packet's picture was taken by the camera's clock, in seconds since 1970; None where
    no report has come.

    FFmpeg adds it to each packet after the first report as a "producer reference time", in
    microseconds.
    """
    if not packet.has_sidedata("prft"):
        return None
    (microseconds,) = _WALL_CLOCK.unpack_from(bytes(packet.get_sidedata("prft")))
    return float(microseconds / 1_000_000)
