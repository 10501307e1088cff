"""An RTSP camera that misbehaves in ways too odd for `vigil simulate`, on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from pipeline.simulate.reel import AccessUnit, Reel
from pipeline.simulate.rtp import Packetiser, session_description

FAST = 0.02
"""Seconds between pictures: tests need not take the film's own time."""
OFFSET = 123_456
"""What RTP times start from; FFmpeg takes 0 for none."""


class Stream:
    """What a fault may do with a client that plays."""

    def __init__(
        self, reel: Reel, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.pictures: list[AccessUnit] = list(reel.access_units())
        self.packetiser = Packetiser(ssrc=7, sequence=65_530)
        self.reader = reader
        self.writer = writer

    async def send(self, count: int, *, pause: float = FAST) -> None:
        """Send the first pictures."""
        for unit in self.pictures[:count]:
            self.writer.write(self.packetiser.access_unit(unit.units, OFFSET + unit.pts))
            await self.writer.drain()
            await asyncio.sleep(pause)

    async def silence(self) -> None:
        """Keep the connection, send nothing, until the client goes."""
        while await self.reader.read(4096):
            pass

    async def no_slices(self) -> None:
        """Send RTP without end that never makes a picture."""
        unit = self.pictures[0]
        sets = [nal for nal in unit.units if nal[0] & 0x1F in (7, 8)]
        timestamp = OFFSET
        while True:
            timestamp += 9000
            self.writer.write(self.packetiser.access_unit(sets, timestamp))
            await self.writer.drain()
            await asyncio.sleep(0.05)


Play = Callable[[Stream], Awaitable[None]]


class RtspCamera:
    """Serves a reel at any path. `play` is what it does after PLAY; `silent_on` names a request
    it never answers, `hangs_up_on` one at which it closes, and `status` replaces the answer to
    DESCRIBE. It counts its connections."""

    def __init__(
        self,
        reel: Reel,
        play: Play,
        *,
        silent_on: str = "",
        hangs_up_on: str = "",
        status: str = "",
    ) -> None:
        self.connections = 0
        self.port = 0
        self._reel = reel
        self._play = play
        self._silent_on = silent_on
        self._hangs_up_on = hangs_up_on
        self._status = status
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._done: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/stream1"

    def with_account(self, user: str, password: str) -> str:
        return self.url.replace("//", f"//{user}:{password}@")

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._loop
        assert self._done
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._done = asyncio.Event()
        tasks: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task
            tasks.add(task)
            self.connections += 1
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._serve(reader, writer)
            writer.close()
            tasks.discard(task)

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._done.wait()
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            method, url, _ = lines[0].split(" ")
            sequence = next(line for line in lines if line.lower().startswith("cseq"))
            if method == self._hangs_up_on:
                return
            if method == self._silent_on:
                await reader.read()
                return
            status, headers, body = "200 OK", ["Session: 1"], ""
            if method == "DESCRIBE":
                status = self._status or status
                body = session_description(
                    "test", "127.0.0.1", self._reel.parameter_sets, self._reel.rate
                )
                headers = ["Content-Type: application/sdp", f"Content-Base: {url}/"]
            elif method == "SETUP":
                headers.append("Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
            head = [f"RTSP/1.0 {status}", sequence, *headers, f"Content-Length: {len(body)}"]
            writer.write(("\r\n".join(head) + "\r\n\r\n" + body).encode())
            await writer.drain()
            if method == "PLAY":
                await self._play(Stream(self._reel, reader, writer))
                return
