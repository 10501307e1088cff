"""RTSP cameras made from films.

A server of our own, since no maintained Python library serves RTSP and a media server as a
binary would be a second thing to install. It is small because it does one thing: H.264 over
the RTSP connection itself, each client with its own showing from the start.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.errors import FilmError, VigilError
from pipeline.simulate.accounts import Account
from pipeline.simulate.connection import HEADER_BYTES, Connection, Showing
from pipeline.simulate.reel import Progress, Reel, load

logger = logging.getLogger(__name__)

DEFAULT_PORT = 8554
MAX_CLIENTS = 32
_STOP_POLL_S = 0.1
_ANY_HOST = frozenset({"", "0.0.0.0", "::"})  # noqa: S104


class SimulatedCameras:
    """Serves films as RTSP cameras for as long as the context is entered.

    `reels` are served at `rtsp://host:port/<name>`, from `start_s` seconds on in the film's own
    time; a film that has ended begins anew from there if `loop`, with its
    presentation times 10 s ahead, else the connection ends. Port 0 takes any free one.
    """

    def __init__(
        self,
        reels: Mapping[str, Reel],
        *,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        start_s: float = 0.0,
        loop: bool = True,
        account: Account | None = None,
        max_clients: int = MAX_CLIENTS,
    ) -> None:
        for name, reel in reels.items():
            if start_s and start_s >= reel.duration_s:
                raise FilmError(
                    f"The film {name} lasts {reel.duration_s:.0f} s and cannot start at "
                    f"{start_s:g} s; choose an earlier start."
                )
        self._showing = Showing(reels, start_s, loop, account)
        self._host = host
        self._port = port
        self._max_clients = max_clients
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    @property
    def urls(self) -> Mapping[str, str]:
        """Name of a film -> its address, without account."""
        host = "127.0.0.1" if self._host in _ANY_HOST else self._host
        host = f"[{host}]" if ":" in host else host
        return {name: f"rtsp://{host}:{self._port}/{name}" for name in self._showing.reels}

    @property
    def clients(self) -> int:
        """How many clients are connected."""
        return len(self._clients)

    async def __aenter__(self) -> Self:
        """Begin to listen.

        Raises:
            VigilError: the port is in use, or the host is not of this machine.
        """
        try:
            self._server = await asyncio.start_server(
                self._connected, self._host, self._port, limit=HEADER_BYTES
            )
        except (OSError, OverflowError) as error:
            raise VigilError(_not_listening(self._host, self._port, error)) from error
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._clients:
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._clients) >= self._max_clients:
            writer.write(b"RTSP/1.0 503 Service Unavailable\r\nCSeq: 1\r\n\r\n")
            writer.close()
            return
        self._clients.add(task)
        try:
            await Connection(self._showing, reader, writer).serve()
        except asyncio.CancelledError:
            # the server stops; asyncio's own callback would report the cancellation as an error
            writer.transport.abort()
        finally:
            self._clients.discard(task)


def _not_listening(host: str, port: int, error: OSError | OverflowError) -> str:
    if isinstance(error, OverflowError):
        return f"Port {port} does not exist; choose one from 1 to 65535."
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is in use; stop what uses it, or choose another port."
    if error.errno == errno.EACCES:
        return f"Port {port} may not be used by this user; choose one above 1023."
    return f"The simulated camera cannot listen on {host}: that is no address of this machine."


def serve(
    films: Mapping[str, Path],
    cache: Path,
    *,
    stop: threading.Event,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    start_s: float = 0.0,
    loop: bool = True,
    account: Account | None = None,
    on_ready: Callable[[Mapping[str, str]], None] = lambda _: None,
    progress: Progress = lambda _: None,
) -> None:
    """Serve films, by name, until `stop` is set; blocks.

    Films that are not H.264 are turned to it first and kept in the folder `cache`. `on_ready`
    gets the addresses by name once clients can connect.

    Raises:
        FilmError: a film cannot be read, or the cache cannot be written.
        VigilError: the port is in use.
    """
    reels = {name: load(film, cache, progress) for name, film in films.items()}
    cameras = SimulatedCameras(
        reels, host=host, port=port, start_s=start_s, loop=loop, account=account
    )
    asyncio.run(_serve(cameras, stop, on_ready))


async def _serve(
    cameras: SimulatedCameras,
    stop: threading.Event,
    on_ready: Callable[[Mapping[str, str]], None],
) -> None:
    async with cameras:
        on_ready(cameras.urls)
        # looked at rather than waited for: a waiting thread could not be woken by Ctrl-C
        while not stop.is_set():  # noqa: ASYNC110
            await asyncio.sleep(_STOP_POLL_S)
