"""RTSP messages (RFC 2326): requests as they are read, answers as they are written."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

HEADER_BYTES = 16 * 1024
"""A longer request ends the connection."""
TRACK = "track0"
"""The control address of a camera's one track, below the camera's own."""
METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, SET_PARAMETER, TEARDOWN"
_BODY_BYTES = 64 * 1024
_REASONS = {
    200: "OK",
    302: "Moved Temporarily",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    461: "Unsupported Transport",
}


class BadRequest(Exception):
    """What the client sends is not RTSP; the connection is of no further use."""


class Request(NamedTuple):
    """What a client asks for; header names are in small letters."""

    method: str
    url: str
    headers: Mapping[str, str]

    @property
    def sequence(self) -> str:
        return self.headers.get("cseq", "0")

    @property
    def camera(self) -> str:
        """The camera that the URL names, with or without its track."""
        return unquote(urlsplit(self.url).path).strip("/").removesuffix(f"/{TRACK}")


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request, or None for an interleaved packet (RTCP reports), which is skipped.

    Raises:
        BadRequest: it is no RTSP; so are UnicodeError, ValueError, LimitOverrunError.
        IncompleteReadError: the client has gone.
    """
    first = await reader.readexactly(1)
    if first == b"$":
        header = await reader.readexactly(3)
        await reader.readexactly(int.from_bytes(header[1:], "big"))
        return None
    head = (first + await reader.readuntil(b"\r\n\r\n")).decode("utf-8").lstrip("\r\n")
    line, *rest = head.split("\r\n")
    parts = line.split(" ")
    if len(parts) != 3 or not parts[2].startswith("RTSP/1."):
        raise BadRequest
    pairs = (field.partition(":") for field in rest if field)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    length = int(headers.get("content-length", "0"))
    if not 0 <= length <= _BODY_BYTES:
        raise BadRequest
    await reader.readexactly(length)
    return Request(parts[0], parts[1], headers)


def answer(
    sequence: str, status: int, headers: Mapping[str, str] | None = None, body: str = ""
) -> bytes:
    """An answer as it goes over the line."""
    lines = [f"RTSP/1.0 {status} {_REASONS[status]}", f"CSeq: {sequence}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body.encode())}")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()
