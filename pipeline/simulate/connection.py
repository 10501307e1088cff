"""One client of the simulated cameras: its RTSP requests (RFC 2326) and its stream.

Only RTP within the RTSP connection itself (interleaved TCP) is offered, as Vigil uses it.
No RTCP sender reports are sent: where the film begins anew its times leap, and a report would
have to disown those before it.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from pipeline.errors import FilmError
from pipeline.simulate.accounts import Account, Digest
from pipeline.simulate.reel import AccessUnit, Reel
from pipeline.simulate.rtp import CLOCK_HZ, Packetiser, session_description

logger = logging.getLogger(__name__)

HEADER_BYTES = 16 * 1024
"""A longer request ends the connection."""
_BODY_BYTES = 64 * 1024
_IDLE_S = 30.0
"""A client that neither plays nor asks anything for so long is cut off."""
_SLOW_S = 5.0
"""A client that is so far behind with reading is cut off."""
_BUFFER_BYTES = 512 * 1024
SEAM_S = 10.0
"""By so much the presentation times leap where the film begins anew."""

_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    461: "Unsupported Transport",
}
_METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, SET_PARAMETER, TEARDOWN"


@dataclass(frozen=True, slots=True)
class Showing:
    """What is served: films by name, from `start_s` on, over and over if `loop`."""

    reels: Mapping[str, Reel]
    start_s: float
    loop: bool
    account: Account | None


class Request(NamedTuple):
    method: str
    url: str
    headers: Mapping[str, str]


class BadRequest(Exception):
    """What the client sends is not RTSP; the connection is of no further use."""


class Connection:
    """Serves one client until it goes, or is cut off for being slow, idle or unintelligible."""

    def __init__(
        self, showing: Showing, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._showing = showing
        self._reader = reader
        self._writer = writer
        self._digest = Digest(showing.account) if showing.account else None
        self._session = secrets.token_hex(8)
        self._reel: Reel | None = None
        self._channel = 0
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
            self._answer("0", 400)
        finally:
            if self._playing is not None:
                self._playing.cancel()
                await asyncio.gather(self._playing, return_exceptions=True)
            await self._hang_up()

    async def _hang_up(self) -> None:
        """Close once the client has read all of it, or without, where it does not read."""
        self._writer.close()
        with suppress(OSError):
            async with asyncio.timeout(_SLOW_S):
                await self._writer.wait_closed()
        self._writer.transport.abort()

    async def _one_request(self) -> bool:
        """Read and answer one request; False when it was the last one."""
        # while the stream plays, its being read is the sign of life
        async with asyncio.timeout(None if self._playing else _IDLE_S):
            request = await self._read()
        if request is None:
            return True
        sequence = request.headers.get("cseq", "0")
        if self._digest is not None and request.method != "OPTIONS":
            authorization = request.headers.get("authorization", "")
            if not self._digest.accepts(request.method, authorization):
                self._answer(sequence, 401, {"WWW-Authenticate": self._digest.challenge})
                await self._drain()
                return True
        match request.method:
            case "OPTIONS":
                self._answer(sequence, 200, {"Public": _METHODS})
            case "DESCRIBE":
                self._describe(sequence, request)
            case "SETUP":
                self._setup(sequence, request)
            case "PLAY":
                self._play(sequence, request)
            case "GET_PARAMETER" | "SET_PARAMETER":
                self._answer(sequence, 200, {"Session": self._session})
            case "TEARDOWN":
                self._answer(sequence, 200, {"Session": self._session})
                return False
            case _:
                self._answer(sequence, 405, {"Allow": _METHODS})
        await self._drain()
        return True

    async def _drain(self) -> None:
        """Wait until the client has read enough.

        Raises:
            TimeoutError: it does not read.
        """
        async with asyncio.timeout(_SLOW_S):
            await self._writer.drain()

    async def _read(self) -> Request | None:
        """The next request, or None for an interleaved packet (RTCP reports), which is skipped."""
        first = await self._reader.readexactly(1)
        if first == b"$":
            header = await self._reader.readexactly(3)
            await self._reader.readexactly(int.from_bytes(header[1:], "big"))
            return None
        head = (first + await self._reader.readuntil(b"\r\n\r\n")).decode("utf-8").lstrip("\r\n")
        line, *rest = head.split("\r\n")
        parts = line.split(" ")
        if len(parts) != 3 or not parts[2].startswith("RTSP/1."):
            raise BadRequest
        pairs = (field.partition(":") for field in rest if field)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        length = int(headers.get("content-length", "0"))
        if not 0 <= length <= _BODY_BYTES:
            raise BadRequest
        await self._reader.readexactly(length)
        return Request(parts[0], parts[1], headers)

    def _answer(
        self,
        sequence: str,
        status: int,
        headers: Mapping[str, str] | None = None,
        body: str = "",
    ) -> None:
        lines = [f"RTSP/1.0 {status} {_REASONS[status]}", f"CSeq: {sequence}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body:
            lines.append(f"Content-Length: {len(body.encode())}")
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    def _named(self, request: Request) -> tuple[str, Reel | None]:
        """The film that a URL names, with or without its track."""
        name = unquote(urlsplit(request.url).path).strip("/").removesuffix("/track0")
        return name, self._showing.reels.get(name)

    def _describe(self, sequence: str, request: Request) -> None:
        name, reel = self._named(request)
        if reel is None:
            self._answer(sequence, 404)
            return
        host = self._writer.get_extra_info("sockname")[0]
        body = session_description(name, host, reel.parameter_sets, reel.rate)
        headers = {
            "Content-Type": "application/sdp",
            "Content-Base": request.url.rstrip("/") + "/",
        }
        self._answer(sequence, 200, headers, body)

    def _setup(self, sequence: str, request: Request) -> None:
        _, reel = self._named(request)
        if reel is None:
            self._answer(sequence, 404)
            return
        if self._playing is not None:
            self._answer(sequence, 455)
            return
        offered = request.headers.get("transport", "").replace(" ", "").split(",")
        transport = next((t for t in offered if t.upper().startswith("RTP/AVP/TCP")), None)
        if transport is None:
            self._answer(sequence, 461)
            return
        pairs = dict(pair.partition("=")[::2] for pair in transport.split(";"))
        first = pairs.get("interleaved", "0-1").split("-")[0]
        self._channel = min(max(int(first), 0), 254)
        self._reel = reel
        chosen = f"RTP/AVP/TCP;unicast;interleaved={self._channel}-{self._channel + 1}"
        headers = {"Transport": chosen, "Session": f"{self._session};timeout=60"}
        self._answer(sequence, 200, headers)

    def _play(self, sequence: str, request: Request) -> None:
        if self._reel is None:
            self._answer(sequence, 454)
            return
        if self._playing is None:
            packetiser = Packetiser(
                ssrc=secrets.randbits(32), sequence=secrets.randbits(16), channel=self._channel
            )
            offset = secrets.randbits(31)
            url = request.url.rstrip("/").removesuffix("/track0")
            info = f"url={url}/track0;seq={packetiser.sequence};rtptime={offset}"
            headers = {"Session": self._session, "Range": "npt=now-", "RTP-Info": info}
            self._answer(sequence, 200, headers)
            self._playing = asyncio.create_task(self._send(self._reel, packetiser, offset))
        else:
            self._answer(sequence, 200, {"Session": self._session})

    async def _send(self, reel: Reel, packetiser: Packetiser, offset: int) -> None:
        """Send the film in its own time, then end the connection."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            for unit in self._pictures(reel):
                await asyncio.sleep(began + unit.due_s - loop.time())
                self._writer.write(packetiser.access_unit(unit.units, offset + unit.pts))
                await self._drain()
        except TimeoutError:
            logger.warning("a client of the simulated cameras reads too slowly and was cut off")
        except FilmError as error:
            logger.warning("%s", error)
        except OSError:
            logger.debug("a client of the simulated cameras has gone")
        finally:
            # not close(): it would wait for a client that does not read
            if self._writer.transport.get_write_buffer_size() == 0:
                self._writer.close()
            else:
                self._writer.transport.abort()

    def _pictures(self, reel: Reel) -> Iterator[AccessUnit]:
        """The film from `start_s` on, over and over; the times leap at each seam. A film that has
        no more pictures from there on ends."""
        period = 1 / reel.rate if reel.rate else 1 / 25
        due_s, pts = 0.0, 0
        while True:
            last_due, last_pts, empty = 0.0, 0, True
            for unit in reel.access_units(self._showing.start_s):
                yield AccessUnit(due_s + unit.due_s, pts + unit.pts, unit.units)
                last_due, last_pts = max(last_due, unit.due_s), max(last_pts, unit.pts)
                empty = False
            if empty or not self._showing.loop:
                return
            due_s += last_due + period
            pts += last_pts + round((period + SEAM_S) * CLOCK_HZ)
