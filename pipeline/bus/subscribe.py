"""Reads events from the Redis Stream: each version once, through every absence of the server."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

from redis import exceptions as errors

from pipeline.bus.connection import (
    STREAM,
    bus_errors,
    connect,
    connect_async,
    is_away,
    pause_s,
    sentence,
    shown,
)
from pipeline.bus.stream import (
    FROM_START,
    is_again,
    newest,
    newest_async,
    number_of,
    order,
)
from pipeline.errors import BusError, EnvelopeError
from pipeline.types import Event
from pipeline.wire import decode

logger = logging.getLogger(__name__)

REMEMBERED = 4096
"""So many of the newest (id, version) are known again when they are repeated."""
_READ = 100
Stop = Callable[[], bool]


def subscribe(
    url: str,
    *,
    from_start: bool = False,
    after: str | None = None,
    since: datetime | None = None,
    camera: str | None = None,
    timeout_s: float | None = None,
    stop: Stop | None = None,
    poll_s: float = 0.5,
) -> Iterator[Event]:
    """Every version of every event as it is published.

    Begins with what comes from now on; `from_start` begins with the oldest that the stream keeps,
    and `after` with what follows that entry of it. Where the server has lost its data, all is sent
    again: what this reader has been given is not given anew, nor what was committed before `since`,
    which is now unless it begins with the oldest or `after` an entry. Only events of `camera`, if
    given. Ends when `timeout_s` seconds pass without an event, or when `stop` returns true, which
    is asked every `poll_s` seconds (below 5). A server that goes away is waited for.

    Raises:
        BusError: Redis could not be reached at the beginning, or refuses.
    """
    begin = FROM_START if from_start else after
    reader = _Reader(url, begin or FROM_START, camera, since)
    quiet = _Quiet(timeout_s, stop, poll_s)
    with connect(url) as client:
        if begin is None:
            with bus_errors(url):
                reader.begin_after(newest(client))
        while not quiet.over():
            try:
                reply = client.xread({STREAM: reader.last}, count=_READ, block=quiet.block_ms())
                if not reply:
                    reader.reconcile(newest(client))
            except errors.RedisError as error:
                time.sleep(quiet.shorten(reader.failed(error)))
                continue
            reader.answered()
            for event in reader.take(reply):
                yield event
                quiet.broken()


async def subscribe_async(
    url: str,
    *,
    from_start: bool = False,
    after: str | None = None,
    since: datetime | None = None,
    camera: str | None = None,
    timeout_s: float | None = None,
    stop: Stop | None = None,
    poll_s: float = 0.5,
) -> AsyncIterator[Event]:
    """As `subscribe`, for asyncio."""
    begin = FROM_START if from_start else after
    reader = _Reader(url, begin or FROM_START, camera, since)
    quiet = _Quiet(timeout_s, stop, poll_s)
    async with aclosing(connect_async(url)) as client:
        if begin is None:
            with bus_errors(url):
                reader.begin_after(await newest_async(client))
        while not quiet.over():
            try:
                reply = await client.xread(
                    {STREAM: reader.last}, count=_READ, block=quiet.block_ms()
                )
                if not reply:
                    reader.reconcile(await newest_async(client))
            except errors.RedisError as error:
                await asyncio.sleep(quiet.shorten(reader.failed(error)))
                continue
            reader.answered()
            for event in reader.take(reply):
                yield event
                quiet.broken()


class _Quiet:
    """Knows when to look up from waiting, and when waiting is over."""

    def __init__(self, timeout_s: float | None, stop: Stop | None, poll_s: float) -> None:
        self._timeout_s = timeout_s
        self._stop = stop
        self._poll_s = poll_s
        self._since = time.monotonic()

    def broken(self) -> None:
        self._since = time.monotonic()

    def over(self) -> bool:
        if self._stop is not None and self._stop():
            return True
        return self._left() <= 0

    def shorten(self, pause_s: float) -> float:
        """A pause cut to what remains."""
        return max(0.0, min(pause_s, self._poll_s if self._stop else pause_s, self._left()))

    def block_ms(self) -> int:
        """So long the server may hold a read; 0 would mean for ever."""
        return max(1, round(min(self._poll_s, self._left()) * 1000))

    def _left(self) -> float:
        if self._timeout_s is None:
            return float("inf")
        return self._since + self._timeout_s - time.monotonic()


class _Reader:
    """The place in the stream, and what has been seen of it."""

    def __init__(self, url: str, begin: str, camera: str | None, since: datetime | None) -> None:
        self.last = begin
        self._read_to = FROM_START
        self._since = since
        self._heard: dict[str, int] = {}
        self._url = url
        self._camera = camera
        self._seen: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._sequences: dict[str, int] = {}
        self._failures = 0
        self._strange = 0
        self._reached = False
        self._known_there = False

    def begin_after(self, newest: str) -> None:
        """Read what follows the newest entry."""
        self.last = newest
        if self._since is None:
            self._since = datetime.now(UTC)
        self._reached = self._known_there = True

    def failed(self, error: errors.RedisError) -> float:
        """So many seconds to wait. Raises: BusError: waiting would not help."""
        if not self._reached or not is_away(error):
            raise BusError(sentence(self._url, error)) from None
        self._failures += 1
        if self._failures == 1:
            logger.warning("%s Waiting for it.", sentence(self._url, error))
        return pause_s(self._failures)

    def answered(self) -> None:
        self._reached = True
        if self._failures:
            logger.info("Redis at %s answers again", shown(self._url))
        self._failures = 0

    def reconcile(self, newest: str) -> None:
        """Begin again where the server has lost entries that were read from it."""
        if self._known_there and order(newest) < order(self.last):
            logger.warning("Redis at %s has lost events; reading what it has", shown(self._url))
            self._read_to, self.last = self.last, FROM_START
            self._known_there = False

    def take(self, reply: Any) -> Iterator[Event]:
        """The new events of a reply of XREAD."""
        for _, entries in reply or ():
            for entry, fields in entries:
                # First, so that a strange entry is not read again for ever.
                self.last = entry.decode()
                self._known_there = True
                if fields:
                    yield from self._one(fields)

    def _one(self, fields: dict[bytes, bytes]) -> Iterator[Event]:
        publisher, sequence = number_of(fields)
        if sequence is not None:
            self._count_missed(publisher, sequence)
        if self._camera is not None and fields.get(b"camera") != self._camera.encode():
            return
        try:
            event = decode(fields.get(b"event", b""))
        except EnvelopeError as error:
            self._strange += 1
            # The first, second, fourth, eighth, …: a foreign writer shall not flood the log.
            if self._strange & (self._strange - 1) == 0:
                logger.warning("Skipped %d entries of %s so far: %s", self._strange, STREAM, error)
            return
        key = (event.id, event.version)
        if key in self._seen:
            return
        if sequence is not None:
            old = self._is_old(event, publisher, sequence, again=is_again(fields))
            self._heard[publisher] = max(self._heard.get(publisher, 0), sequence)
            if old:
                return
        self._seen[key] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        yield event

    def _is_old(self, event: Event, publisher: str, sequence: int, *, again: bool) -> bool:
        """Whether it is sent or read again, and was given or published before this reader began."""
        if not again and order(self.last) > order(self._read_to):
            return False
        given = sequence <= self._heard.get(publisher, 0)
        return given or (self._since is not None and event.updated_at < self._since)

    def _count_missed(self, publisher: str, sequence: int) -> None:
        """Each publisher numbers its rows without gaps, so a gap is what was trimmed unread."""
        before = self._sequences.get(publisher)
        if before is not None and sequence > before + 1:
            logger.warning(
                "%d entries of %s were trimmed before they were read; this subscriber is too "
                "slow, or was away for too long",
                sequence - before - 1,
                STREAM,
            )
        self._sequences[publisher] = sequence
