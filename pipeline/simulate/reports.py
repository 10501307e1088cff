"""RTCP sender reports (RFC 3550): which moment of the camera's clock an RTP time is."""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass, field

_NTP_OF_UNIX = 2_208_988_800
"""Seconds between NTP's epoch, 1900, and that of Unix, 1970."""
_CNAME = b"vigil"
"""The same for all streams: they share one clock, by which a client may align them."""
_SENDER_REPORT, _DESCRIPTION = 200, 202


@dataclass(frozen=True, slots=True)
class CameraClock:
    """The clock of all cameras of a server, `offset_s` ahead of this machine's. It is read once
    and then runs on by itself, so that a clock change here does not tear streams apart."""

    offset_s: float = 0.0
    _ahead_s: float = field(default_factory=lambda: time.time() - time.monotonic())

    def at(self, monotonic: float) -> float:
        """Seconds since 1970, UTC, by the camera, at a moment of `time.monotonic`."""
        return monotonic + self._ahead_s + self.offset_s


def sender_report(*, ssrc: int, wall: float, timestamp: int, packets: int, octets: int) -> bytes:
    """A compound RTCP packet: that at `wall` (seconds since 1970) the RTP time is `timestamp`,
    that so much was sent before, and who sends."""
    seconds, fraction = divmod(wall, 1)
    report = struct.pack(
        ">BBHIIIIII",
        0x80,
        _SENDER_REPORT,
        6,
        ssrc,
        (int(seconds) + _NTP_OF_UNIX) & 0xFFFFFFFF,
        int(fraction * 2**32),
        timestamp & 0xFFFFFFFF,
        packets & 0xFFFFFFFF,
        octets & 0xFFFFFFFF,
    )
    item = bytes((1, len(_CNAME))) + _CNAME
    # ended by at least one zero, and filled up to whole words
    item += b"\0" * (4 - len(item) % 4)
    words = (4 + len(item)) // 4
    return report + struct.pack(">BBHI", 0x81, _DESCRIPTION, words, ssrc) + item
