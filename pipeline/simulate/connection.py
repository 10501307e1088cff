"""One client of the simulated cameras: its RTSP requests (RFC 2326) and its stream."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import struct
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from pipeline.errors import FilmError
from pipeline.simulate.accounts import Account, Auth, gate
from pipeline.simulate.camera import Camera
from pipeline.simulate.faults import Fault, FaultKind
from pipeline.simulate.messages import METHODS, TRACK, BadRequest, Request, answer, read_request
from pipeline.simulate.playing import Ending, Player
from pipeline.simulate.reports import CameraClock
from pipeline.simulate.rtp import session_description
from pipeline.simulate.transports import SLOW_S, Carrier, carrier

logger = logging.getLogger(__name__)

_IDLE_S = 30.0
"""A client that neither plays nor asks anything for so long is cut off."""
_SESSION_S = 60
"""A session that only requests keep alive ends after so many seconds without one."""
_BUFFER_BYTES = 512 * 1024
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Showing:
    """What is served, and how."""

    cameras: Mapping[str, Camera]
    clock: CameraClock
    loop: bool
    seam_s: float
    account: Account | None
    auth: Auth
    sender_reports: bool


class Connection:
    """Serves one client until it goes, or is cut off for being slow, idle or unintelligible."""

    def __init__(
        self, showing: Showing, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._showing = showing
        self._reader = reader
        self._writer = writer
        self._gate = gate(showing.account, showing.auth) if showing.account else None
        self._session = secrets.token_hex(8)
        self._camera: Camera | None = None
        self._carrier: Carrier | None = None
        self._playing: asyncio.Task[None] | None = None

    async def serve(self) -> None:
        """Answer requests until the connection ends."""
        self._writer.transport.set_write_buffer_limits(high=_BUFFER_BYTES)
        try:
            while await self._one_request():
                pass
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            logger.debug("a client of the simulated cameras has gone")
        except (BadRequest, asyncio.LimitOverrunError, UnicodeError, ValueError):
            self._writer.write(answer("0", 400))
        finally:
            if self._playing is not None:
                self._playing.cancel()
                await asyncio.gather(self._playing, return_exceptions=True)
            if self._carrier is not None:
                self._carrier.close()
            await self._hang_up()

    async def _hang_up(self) -> None:
        """Close once the client has read all of it, or without, where it does not read."""
        self._writer.close()
        with suppress(OSError):
            async with asyncio.timeout(SLOW_S):
                await self._writer.wait_closed()
        self._writer.transport.abort()

    def _reset(self) -> None:
        """End the connection as a machine does that has just lost all of its own."""
        with suppress(OSError):
            connection = self._writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
        self._writer.transport.abort()

    async def _one_request(self) -> bool:
        """Read and answer one request; False when it was the last one."""
        async with asyncio.timeout(self._patience_s()):
            request = await read_request(self._reader)
        if request is None:
            return True
        camera = self._showing.cameras.get(request.camera)
        fault = camera.fault_at(time.monotonic()) if camera else None
        if fault is not None and fault.kind is FaultKind.NO_ANSWER:
            return True
        if fault is not None and fault.kind is FaultKind.REFUSE:
            self._reset()
            return False
        refusal = self._refusal(request, fault)
        self._writer.write(refusal or self._reply(request, camera))
        async with asyncio.timeout(SLOW_S):
            await self._writer.drain()
        return refusal is not None or request.method != "TEARDOWN"

    def _patience_s(self) -> float | None:
        """How long a request is waited for."""
        if self._playing is None or self._carrier is None:
            return _IDLE_S
        # within the connection, the stream's being read is the sign of life
        return _SESSION_S if self._carrier.needs_requests else None

    def _refusal(self, request: Request, fault: Fault | None) -> bytes | None:
        """The answer to one who may not, or cannot, have what he asks for."""
        if request.method == "OPTIONS":
            return None
        kind = fault.kind if fault else None
        if self._gate is not None or kind is FaultKind.UNAUTHORIZED:
            asked = self._gate or gate(Account("", ""), self._showing.auth)
            authorization = request.headers.get("authorization", "")
            accepted = asked.accepts(request.method, authorization)
            if kind is FaultKind.UNAUTHORIZED or not accepted:
                headers = {"WWW-Authenticate": asked.challenge}
                return answer(request.sequence, 401, headers)
        if kind is FaultKind.NOT_FOUND:
            return answer(request.sequence, 404)
        if fault is not None and kind is FaultKind.REDIRECT:
            return answer(request.sequence, 302, {"Location": self._elsewhere(request, fault)})
        return None

    def _elsewhere(self, request: Request, fault: Fault) -> str:
        """Where a redirection leads: to an address, or a camera beside the one asked for."""
        if "://" in fault.parameter:
            return fault.parameter
        scheme, _, rest = request.url.partition("://")
        return f"{scheme}://{rest.split('/')[0]}/{fault.parameter}"

    def _reply(self, request: Request, camera: Camera | None) -> bytes:
        session = {"Session": self._session}
        match request.method:
            case "OPTIONS":
                return answer(request.sequence, 200, {"Public": METHODS})
            case "DESCRIBE":
                return self._describe(request, camera)
            case "SETUP":
                return self._setup(request, camera)
            case "PLAY":
                return self._play(request)
            case "GET_PARAMETER" | "SET_PARAMETER" | "TEARDOWN":
                return answer(request.sequence, 200, session)
            case _:
                return answer(request.sequence, 405, {"Allow": METHODS})

    def _describe(self, request: Request, camera: Camera | None) -> bytes:
        if camera is None:
            return answer(request.sequence, 404)
        host = self._writer.get_extra_info("sockname")[0]
        reel = camera.material.reel
        body = session_description(camera.name, host, reel.parameter_sets, reel.rate)
        headers = {
            "Content-Type": "application/sdp",
            "Content-Base": request.url.rstrip("/") + "/",
        }
        return answer(request.sequence, 200, headers, body)

    def _setup(self, request: Request, camera: Camera | None) -> bytes:
        if camera is None:
            return answer(request.sequence, 404)
        if self._playing is not None:
            return answer(request.sequence, 455)
        chosen = carrier(self._writer, request.headers.get("transport", ""))
        if chosen is None:
            return answer(request.sequence, 461)
        if self._carrier is not None:
            self._carrier.close()
        self._carrier, self._camera = chosen, camera
        session = f"{self._session};timeout={_SESSION_S}"
        return answer(request.sequence, 200, {"Transport": chosen.header, "Session": session})

    def _play(self, request: Request) -> bytes:
        headers = {"Session": self._session}
        if self._carrier is None or self._camera is None:
            return answer(request.sequence, 454)
        if self._playing is None:
            player = Player(
                self._camera,
                self._carrier,
                self._showing.clock,
                loop=self._showing.loop,
                seam_s=self._showing.seam_s,
                reports=self._showing.sender_reports,
            )
            url = request.url.rstrip("/").removesuffix(f"/{TRACK}")
            info = f"url={url}/{TRACK};seq={player.sequence};rtptime={player.first_timestamp}"
            headers |= {"Range": "npt=now-", "RTP-Info": info}
            self._playing = asyncio.create_task(self._stream(player))
        return answer(request.sequence, 200, headers)

    async def _stream(self, player: Player) -> None:
        """Play, then end the connection."""
        ending = Ending.GOOD
        try:
            ending = await player.run()
        except TimeoutError:
            logger.warning("a client of the simulated cameras reads too slowly and was cut off")
        except FilmError as error:
            logger.warning("%s", error)
        except OSError:
            logger.debug("a client of the simulated cameras has gone")
        finally:
            if ending is Ending.RESET:
                self._reset()
            # not close(): it would wait for a client that does not read
            elif self._writer.transport.get_write_buffer_size() == 0:
                self._writer.close()
            else:
                self._writer.transport.abort()
