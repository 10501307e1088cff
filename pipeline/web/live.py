"""What changes, told to open pages by server-sent events
(https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from pipeline.errors import StoreError
from pipeline.store import OutboxRow
from pipeline.types import Mark
from pipeline.web.site import Site
from pipeline.web.views import cameras_view

logger = logging.getLogger(__name__)

POLL_S = 0.25
RETRY_MS = 2000
"""A page that lost its connection waits so long."""
MOST_PAGES = 64
BEHIND = 200
"""A page that is so many messages behind reads the list anew."""

router = APIRouter(include_in_schema=False)


class Live:
    """Follows the store for all open pages, in one task; `failed` once that has ended by itself."""

    def __init__(self, site: Site, on_alive: Callable[[], None] = lambda: None) -> None:
        self._site, self._on_alive = site, on_alive
        self._begun = asyncio.Event()
        self._pages: set[asyncio.Queue[ServerSentEvent | None]] = set()
        self._cameras: list[dict[str, Any]] = []
        self._sequence = -1
        self._loop: asyncio.AbstractEventLoop | None = None
        self.closed = self.failed = False

    async def run(self) -> None:
        """Follow until cancelled."""
        self._loop = asyncio.get_running_loop()
        while not self.closed:
            self._on_alive()
            try:
                rows, cameras = await asyncio.to_thread(self._look)
            except StoreError as error:
                logger.warning("%s The page waits.", error)
            else:
                self._begun.set()
                for row in rows:
                    self._tell(told(row))
                if cameras != self._cameras:
                    self._cameras = cameras
                    self._tell(ServerSentEvent(event="cameras", data=cameras))
            await asyncio.sleep(POLL_S)

    def _look(self) -> tuple[list[OutboxRow], list[dict[str, Any]]]:
        outbox = self._site.store.outbox
        if self._sequence < 0:
            self._sequence = outbox.last()
        rows = outbox.after(self._sequence, BEHIND)
        if rows:
            self._sequence = rows[-1].sequence
        now = datetime.now(UTC)
        cameras = [asdict(view) for view in cameras_view(self._site, now)]
        for camera in cameras:
            camera["since"] = camera["since"] and camera["since"].isoformat()
        return rows, cameras

    def marked(self, mark: Mark) -> None:
        """Tell of a mark; from any thread."""
        message = ServerSentEvent(event="mark", data=mark.model_dump(mode="json"))
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._tell, message)

    def close(self) -> None:
        """End the streams of all pages."""
        self.closed = True
        self._begun.set()
        for page in self._pages:
            with suppress(asyncio.QueueFull):
                page.put_nowait(None)

    def close_soon(self) -> None:
        """As `close`, from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.close)

    def _tell(self, message: ServerSentEvent) -> None:
        for page in self._pages:
            try:
                page.put_nowait(message)
            except asyncio.QueueFull:
                _begin_anew(page)

    async def follow(self, after: int | None) -> AsyncIterator[ServerSentEvent]:
        """What one page is told; `after` is the sequence it has seen, None if it begins now."""
        page: asyncio.Queue[ServerSentEvent | None] = asyncio.Queue(BEHIND)
        self._pages.add(page)
        try:
            # Before that nobody would tell of what comes between its look and the first here.
            await self._begun.wait()
            if after is None:
                after = await asyncio.to_thread(self._site.store.outbox.last)
            yield ServerSentEvent(
                event="cameras", data=self._cameras, id=str(after), retry=RETRY_MS
            )
            for missed in await asyncio.to_thread(self._since, after):
                after = _sequence(missed, after)
                yield missed
            while not self.closed and (message := await page.get()) is not None:
                # What the look for missed ones came upon is not told twice.
                if _sequence(message, after + 1) > after:
                    yield message
        finally:
            self._pages.discard(page)

    def _since(self, after: int) -> list[ServerSentEvent]:
        """What a page missed that was away; too much of it is one word."""
        missed = self._site.store.outbox.after(after, BEHIND)
        if len(missed) == BEHIND or after > self._site.store.outbox.last():
            return [ServerSentEvent(event="reset", data={})]
        return [told(row) for row in missed]

    @property
    def crowded(self) -> bool:
        return len(self._pages) >= MOST_PAGES


def _begin_anew(page: asyncio.Queue[ServerSentEvent | None]) -> None:
    while not page.empty():
        page.get_nowait()
    page.put_nowait(ServerSentEvent(event="reset", data={}))


def _sequence(message: ServerSentEvent, otherwise: int) -> int:
    """Where a message stands in the outbox; those of events alone stand there."""
    return otherwise if message.id is None else int(message.id)


def told(row: OutboxRow) -> ServerSentEvent:
    """A version of an event as a page is told of it; it fetches the rest."""
    event = row.event
    data = {
        "id": event.id,
        "version": event.version,
        "type": event.type.value,
        "camera": event.camera,
        "rule": event.rule,
        "state": event.state.value,
    }
    return ServerSentEvent(event="event", id=str(row.sequence), data=data)


def _room(request: Request) -> None:
    """Refused before the stream begins, where it can still be said so."""
    following: Live = request.app.state.live
    if following.crowded:
        raise HTTPException(503, "Too many pages are open; close one.")


@router.get("/live", response_class=EventSourceResponse, dependencies=[Depends(_room)])
async def live(
    request: Request,
    after: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
    last_event_id: Annotated[str | None, Header(max_length=18)] = None,
) -> AsyncIterator[ServerSentEvent]:
    """`after` is the sequence a page was made at; a browser that comes back says itself what it
    has seen since."""
    following: Live = request.app.state.live
    seen = int(last_event_id) if last_event_id and last_event_id.isdecimal() else after
    async for message in following.follow(seen):
        yield message
