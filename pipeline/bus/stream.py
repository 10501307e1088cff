"""Where the stream stands, and what its entries say of themselves."""

from __future__ import annotations

import time
from typing import Any

from redis import exceptions as errors

from pipeline.bus.connection import STREAM, bus_errors, connect
from pipeline.errors import BusError

FROM_START = "0-0"


def stream_now(url: str) -> str:
    """The stream entry to read `after` so that all that is published from now on is read.

    By the server's own clock, which numbers its entries; by this machine's while it is away.
    """
    try:
        with bus_errors(url), connect(url) as client:
            seconds, microseconds = client.time()
    except BusError:
        return f"{int(time.time() * 1000)}-0"
    return f"{int(seconds) * 1000 + int(microseconds) // 1000 - 1}-0"


def number_of(fields: dict[bytes, bytes]) -> tuple[str, int | None]:
    """The publisher of an entry, and the entry's number among those of that publisher."""
    number = fields.get(b"sequence", b"")
    publisher = fields.get(b"publisher", b"").decode(errors="replace")
    return publisher, int(number) if number.isdigit() else None


def is_again(fields: dict[bytes, bytes]) -> bool:
    """Whether it was published before, and the server had lost it."""
    return fields.get(b"again") == b"1"


def order(entry: str) -> tuple[int, int]:
    moment, _, count = entry.partition("-")
    return int(moment), int(count or 0)


def newest(client: Any) -> str:
    """The id of the newest entry the stream ever had."""
    try:
        info = client.xinfo_stream(STREAM)
    except errors.ResponseError as error:
        return _none_yet(error)
    return str(info["last-generated-id"].decode())


async def newest_async(client: Any) -> str:
    try:
        info = await client.xinfo_stream(STREAM)
    except errors.ResponseError as error:
        return _none_yet(error)
    return str(info["last-generated-id"].decode())


def _none_yet(error: errors.ResponseError) -> str:
    if "no such key" not in str(error):
        raise error
    return FROM_START
