"""RTSP cameras made from films.

A server of our own, since no maintained Python library serves RTSP and a media server as a
binary would be a second thing to install. It does what a camera does, each client with its own
showing from the start, and on request what a camera should not do.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Self

from pipeline.errors import ConfigError, FilmError, VigilError
from pipeline.simulate.accounts import Account, Auth
from pipeline.simulate.camera import Camera, Sent
from pipeline.simulate.connection import Connection, Showing
from pipeline.simulate.faults import Fault, FaultKind, FaultPlan
from pipeline.simulate.feed import KEPT_BYTES, SEAM_S, Material
from pipeline.simulate.messages import HEADER_BYTES
from pipeline.simulate.reel import Reel
from pipeline.simulate.reports import CameraClock

logger = logging.getLogger(__name__)

DEFAULT_PORT = 8554
MAX_CLIENTS = 32
CLIENTS_PER_CAMERA = 4
_LOOK_S = 0.05
"""So often it is looked whether the port is to be open."""
_ANY_HOST = frozenset({"", "0.0.0.0", "::"})  # noqa: S104


class SimulatedCameras:
    """Serves films as RTSP cameras for as long as the context is entered.

    `reels` are served at `rtsp://host:port/<name>` (`rtsps://` with `tls`), from `start_s` seconds
    on in the film's own time; a film that has ended begins anew from there if `loop`, with its
    presentation times `seam_s` ahead, else the connection ends. The cameras in `ahead` begin by so
    many seconds later in their films, at the last keyframe before, and go round like the others.
    Port 0 takes any free one. At most `max_clients` are served at once: 32, or four for each
    camera, where it is not given.

    `faults` says what goes wrong with which camera, and when; `fault` does so at run time. The
    cameras' clock, which sender reports tell of, is `clock_offset_s` ahead of this machine's.

    Raises:
        FilmError: `start_s` is past a film's end.
        ConfigError: a fault is for a camera that there is not, or redirects to one.
    """

    def __init__(
        self,
        reels: Mapping[str, Reel],
        *,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        start_s: float = 0.0,
        loop: bool = True,
        seam_s: float = SEAM_S,
        ahead: Mapping[str, float] | None = None,
        account: Account | None = None,
        auth: Auth = Auth.DIGEST,
        tls: ssl.SSLContext | None = None,
        faults: Mapping[str, FaultPlan] | None = None,
        sender_reports: bool = True,
        clock_offset_s: float = 0.0,
        max_clients: int | None = None,
    ) -> None:
        for name, reel in reels.items():
            if start_s and start_s >= reel.duration_s:
                raise FilmError(
                    f"The film {name} lasts {reel.duration_s:.0f} s and cannot start at "
                    f"{start_s:g} s; choose an earlier start."
                )
        self._plans = dict(faults or {})
        self._materials = {reel: Material(reel, start_s) for reel in reels.values()}
        cameras = {
            name: Camera(
                name, self._materials[reel], self._plans.get(name), (ahead or {}).get(name, 0.0)
            )
            for name, reel in reels.items()
        }
        clock = CameraClock(clock_offset_s)
        self._showing = Showing(cameras, clock, loop, seam_s, account, auth, sender_reports)
        for name, plan in self._plans.items():
            self._check(name, plan.fault)
        self._host = host
        self._port = port
        self._tls = tls
        self._max_clients = max_clients or max(MAX_CLIENTS, CLIENTS_PER_CAMERA * len(reels))
        self._server: asyncio.Server | None = None
        self._watching: asyncio.Task[None] | None = None
        self._clients: set[asyncio.Task[None]] = set()

    @property
    def urls(self) -> Mapping[str, str]:
        """Name of a camera -> its address, without account."""
        host = "127.0.0.1" if self._host in _ANY_HOST else self._host
        host = f"[{host}]" if ":" in host else host
        scheme = "rtsp" if self._tls is None else "rtsps"
        return {name: f"{scheme}://{host}:{self._port}/{name}" for name in self._showing.cameras}

    @property
    def clients(self) -> int:
        """How many clients are connected."""
        return len(self._clients)

    @property
    def sent(self) -> Mapping[str, Sent]:
        """Name of a camera -> what it has sent so far; a copy, from any thread."""
        return {name: replace(camera.sent) for name, camera in self._showing.cameras.items()}

    def fault(self, camera: str, fault: Fault | str | None) -> float:
        """Let something go wrong with a camera from now on, as `packet-loss:0.1`, or nothing any
        more; what was planned for it is forgotten. To be called from any thread; may first take a
        second or so, where a picture has to be encoded.

        Returns the moment of `time.monotonic` from which no picture is sent in another way. A
        connection that is to end does so within 0.05 s, and as soon the port closes or opens.

        Raises:
            ConfigError: there is no such camera or fault.
            FilmError: the film cannot be read.
        """
        chosen = Fault.parse(fault) if isinstance(fault, str) else fault
        self._check(camera, chosen)
        shown = self._showing.cameras[camera]
        if chosen is not None:
            shown.material.prepare(chosen.kind)
        shown.choose(chosen)
        return time.monotonic()

    def _check(self, camera: str, fault: Fault | None) -> None:
        names = self._showing.cameras
        wanted = [camera]
        if fault is not None and fault.kind is FaultKind.REDIRECT and "://" not in fault.parameter:
            wanted.append(fault.parameter)
        for name in wanted:
            if name not in names:
                raise ConfigError(f"There is no camera {name}; choose one of {', '.join(names)}.")

    async def __aenter__(self) -> Self:
        """Read short films into memory, make what planned faults show, and begin to listen.

        Raises:
            VigilError: the port is in use, or the host is not of this machine; a film cannot be
                read.
        """
        await asyncio.to_thread(self._prepare)
        try:
            self._server = await self._listen()
        except (OSError, OverflowError) as error:
            raise VigilError(_not_listening(self._host, self._port, error)) from error
        self._port = self._server.sockets[0].getsockname()[1]
        self._watching = asyncio.create_task(self._open_or_closed())
        return self

    def _prepare(self) -> None:
        room = KEPT_BYTES
        for material in self._materials.values():
            room -= material.keep(room)
        for name, plan in self._plans.items():
            self._showing.cameras[name].material.prepare(plan.fault.kind)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(
            self._connected, self._host, self._port, limit=HEADER_BYTES, ssl=self._tls
        )

    async def _open_or_closed(self) -> None:
        """Keep the port closed while all cameras refuse."""
        held: list[socket.socket] = []
        try:
            while True:
                refusing = self._all_refuse()
                if refusing and self._server is not None:
                    names = [(s.family, s.getsockname()) for s in self._server.sockets]
                    self._server.close()
                    self._server = None
                    held = [_hold(family, name) for family, name in names]
                elif not refusing and self._server is None:
                    with suppress(OSError):  # it is tried again
                        self._server = await self._listen()
                        for placeholder in held:
                            placeholder.close()
                await asyncio.sleep(_LOOK_S)
        finally:
            for placeholder in held:
                placeholder.close()

    def _all_refuse(self) -> bool:
        now = time.monotonic()
        faults = [camera.fault_at(now) for camera in self._showing.cameras.values()]
        return all(fault is not None and fault.kind is FaultKind.REFUSE for fault in faults)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._watching is not None
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)
        if self._server is not None:
            self._server.close()
        for task in self._clients:
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        if self._server is not None:
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


def _hold(family: int, name: tuple[str, int]) -> socket.socket:
    """A socket that keeps a port for us without listening on it."""
    placeholder = socket.socket(family, socket.SOCK_STREAM)
    with suppress(OSError):
        placeholder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        placeholder.bind(name)
    return placeholder


def _not_listening(host: str, port: int, error: OSError | OverflowError) -> str:
    if isinstance(error, OverflowError):
        return f"Port {port} does not exist; choose one from 1 to 65535."
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is in use; stop what uses it, or choose another port."
    if error.errno == errno.EACCES:
        return f"Port {port} may not be used by this user; choose one above 1023."
    return f"The simulated camera cannot listen on {host}: that is no address of this machine."
