"""The two ways of RTP to a client: within the RTSP connection, or as UDP datagrams."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from pipeline.simulate.rtp import interleaved

SLOW_S = 5.0
"""A client that is so far behind with reading is cut off."""
_BURST = 24
"""Datagrams sent at once: a receiver's buffer takes these, but not the hundreds of a keyframe."""
_PAUSE_S = 0.001
_TRIES = 50
_PORTS = re.compile(r"client_port=([^;-]*)")
_CHANNEL = re.compile(r"interleaved=([^;-]*)")


class Carrier(Protocol):
    """Takes packets to one client."""

    @property
    def header(self) -> str:
        """The value of Transport in the answer to SETUP."""

    @property
    def needs_requests(self) -> bool:
        """Whether only its requests show that a client is still there."""

    async def send(self, packets: Sequence[bytes]) -> None:
        """Send RTP packets. Raises: TimeoutError: the client does not read; OSError: it is gone."""

    async def report(self, packet: bytes) -> None:
        """Send an RTCP packet; raises as `send` does."""

    async def noise(self, data: bytes) -> None:
        """Send bytes where RTP would go; raises as `send` does."""

    def close(self) -> None:
        """Release what it holds, but not the RTSP connection."""


def carrier(writer: asyncio.StreamWriter, offered: str) -> Carrier | None:
    """What a client's Transport header asks for, by the first of its wishes that can be met.

    Raises:
        ValueError: a channel or port is no number.
        OSError: there is no pair of free UDP ports.
    """
    for wish in offered.replace(" ", "").split(","):
        if wish.upper().startswith("RTP/AVP/TCP"):
            channel = _CHANNEL.search(wish)
            return Interleaved(writer, min(max(int(channel[1]), 0), 254) if channel else 0)
        ports = _PORTS.search(wish)
        if wish.upper().startswith("RTP/AVP") and "multicast" not in wish and ports is not None:
            port = int(ports[1])
            return Datagrams(writer, port) if 0 < port < 65_535 else None
    return None


class Interleaved:
    """RTP and RTCP on two channels of the RTSP connection."""

    needs_requests = False

    def __init__(self, writer: asyncio.StreamWriter, channel: int) -> None:
        self.header = f"RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1}"
        self._writer = writer
        self._channel = channel

    async def send(self, packets: Sequence[bytes]) -> None:
        await self.noise(interleaved(packets, self._channel))

    async def report(self, packet: bytes) -> None:
        await self.noise(interleaved([packet], self._channel + 1))

    async def noise(self, data: bytes) -> None:
        self._writer.write(data)
        async with asyncio.timeout(SLOW_S):
            await self._writer.drain()

    def close(self) -> None:
        pass


class Datagrams:
    """RTP and RTCP from a pair of UDP ports to that of the client. What the network does not take
    at once is lost, as UDP's packets are."""

    needs_requests = True

    def __init__(self, writer: asyncio.StreamWriter, client_port: int) -> None:
        here, there = writer.get_extra_info("sockname"), writer.get_extra_info("peername")
        self._rtp, self._rtcp = _port_pair(here[0])
        for index, end in enumerate((self._rtp, self._rtcp)):
            end.setblocking(False)
            end.connect((there[0], client_port + index))
        port = self._rtp.getsockname()[1]
        self.header = (
            f"RTP/AVP;unicast;client_port={client_port}-{client_port + 1}"
            f";server_port={port}-{port + 1}"
        )

    async def send(self, packets: Sequence[bytes]) -> None:
        for first in range(0, len(packets), _BURST):
            if first:
                await asyncio.sleep(_PAUSE_S)
            for packet in packets[first : first + _BURST]:
                with suppress(OSError):
                    self._rtp.send(packet)

    async def report(self, packet: bytes) -> None:
        with suppress(OSError):
            self._rtcp.send(packet)

    async def noise(self, data: bytes) -> None:
        await self.send([data[first : first + 1400] for first in range(0, len(data), 1400)])

    def close(self) -> None:
        self._rtp.close()
        self._rtcp.close()


def _port_pair(host: str) -> tuple[socket.socket, socket.socket]:
    """Two sockets on an even port and the next one, as RFC 3550 wants it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(_TRIES):
        first = socket.socket(family, socket.SOCK_DGRAM)
        second = socket.socket(family, socket.SOCK_DGRAM)
        try:
            first.bind((host, 0))
            port = first.getsockname()[1]
            if port % 2 == 0:
                second.bind((host, port + 1))
                return first, second
        except OSError:
            pass  # the next one is taken
        first.close()
        second.close()
    raise OSError("no pair of UDP ports is free")
