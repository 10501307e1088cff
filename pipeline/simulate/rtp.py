"""H.264 over RTP (RFC 6184, packetisation mode 1) and the session description (RFC 8866)."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Iterator, Sequence

CLOCK_HZ = 90_000
PAYLOAD_TYPE = 96
MAX_PAYLOAD = 1400
"""Bytes of one RTP payload; with its headers it fits an Ethernet frame."""
RTP_HEADER = 12
"""Bytes of a packet before its payload."""

_FU_A = 28
_SPS, _PPS, _DELIMITER = 7, 8, 9
_START_CODE = b"\0\0\1"


def nal_units(annex_b: bytes) -> list[bytes]:
    """The NAL units of an H.264 byte stream (Annex B), without start codes and delimiters."""
    # a start code may have a fourth, leading zero; no NAL unit ends with a zero byte
    units = [unit.rstrip(b"\0") for unit in annex_b.split(_START_CODE)[1:]]
    return [unit for unit in units if unit and unit[0] & 0x1F != _DELIMITER]


def parameter_sets(units: Sequence[bytes]) -> tuple[bytes, ...]:
    """The sequence and picture parameter sets among NAL units."""
    return tuple(unit for unit in units if unit[0] & 0x1F in (_SPS, _PPS))


class Packetiser:
    """Makes RTP packets of access units."""

    def __init__(self, *, ssrc: int, sequence: int, channel: int = 0) -> None:
        self.ssrc = ssrc
        self.sequence = sequence & 0xFFFF
        """The number of the next packet."""
        self._channel = channel

    def access_unit(self, units: Sequence[bytes], timestamp: int) -> bytes:
        """All packets of one picture, marked for the channel within an RTSP connection."""
        return interleaved(self.packets(units, timestamp), self._channel)

    def packets(self, units: Sequence[bytes], timestamp: int) -> list[bytes]:
        """The packets of one picture; `timestamp` in units of 1/90000 s, any size."""
        payloads = [payload for unit in units for payload in _payloads(unit)]
        last = len(payloads) - 1
        return [
            self._packet(payload, timestamp & 0xFFFFFFFF, marker=index == last)
            for index, payload in enumerate(payloads)
        ]

    def _packet(self, payload: bytes, timestamp: int, *, marker: bool) -> bytes:
        kind = PAYLOAD_TYPE | (0x80 if marker else 0)
        header = struct.pack(">BBHII", 0x80, kind, self.sequence, timestamp, self.ssrc)
        self.sequence = (self.sequence + 1) & 0xFFFF
        return header + payload


def interleaved(packets: Iterable[bytes], channel: int) -> bytes:
    """Packets each behind the four bytes that mark it within an RTSP connection (RFC 2326,
    section 10.12)."""
    return b"".join(struct.pack(">cBH", b"$", channel, len(packet)) + packet for packet in packets)


def _payloads(unit: bytes) -> Iterator[bytes]:
    """One NAL unit as it is, or in fragments (FU-A)."""
    if len(unit) <= MAX_PAYLOAD:
        yield unit
        return
    indicator = (unit[0] & 0xE0) | _FU_A
    kind = unit[0] & 0x1F
    step = MAX_PAYLOAD - 2
    for start in range(1, len(unit), step):
        first = 0x80 if start == 1 else 0
        last = 0x40 if start + step >= len(unit) else 0
        yield bytes((indicator, first | last | kind)) + unit[start : start + step]


def session_description(name: str, host: str, sets: Sequence[bytes], rate: float | None) -> str:
    """The SDP of one H.264 track under the control address `track0`."""
    sprop = ",".join(base64.b64encode(unit).decode() for unit in sets)
    profile = next((unit[1:4].hex() for unit in sets if unit[0] & 0x1F == _SPS), "42e01f")
    family = "IP6" if ":" in host else "IP4"
    lines = [
        "v=0",
        f"o=- 0 0 IN {family} {host}",
        f"s={name}",
        f"c=IN {family} {'::' if family == 'IP6' else '0.0.0.0'}",  # noqa: S104
        "t=0 0",
        "a=control:*",
        f"m=video 0 RTP/AVP {PAYLOAD_TYPE}",
        f"a=rtpmap:{PAYLOAD_TYPE} H264/{CLOCK_HZ}",
        f"a=fmtp:{PAYLOAD_TYPE} packetization-mode=1;profile-level-id={profile};"
        f"sprop-parameter-sets={sprop}",
        *([f"a=framerate:{rate:.3f}"] if rate else []),
        "a=control:track0",
    ]
    return "\r\n".join(lines) + "\r\n"
