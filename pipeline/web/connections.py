"""Connections of browsers, so bounded that nobody keeps the others out by opening many."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 256
"""Of all addresses together."""
MOST_PER_ADDRESS = 128
QUIET_S = 10.0
"""A connection on which no request begins for so long is closed, at the latest after twice that."""


class Connection(H11Protocol):
    """Uvicorn's, which waits for a first request for ever."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._last: object = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def address(self) -> str | None:
        return self.client[0] if self.client else None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        mine = [other for other in self.connections if isinstance(other, Connection)]
        same = sum(1 for other in mine if other.address == self.address)
        if same > MOST_PER_ADDRESS:
            transport.abort()
            return
        self._timer = self.loop.call_later(QUIET_S, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        """Close it if it has asked for nothing since the last look."""
        waiting = self.cycle is None or self.cycle.response_complete
        if waiting and self.cycle is self._last:
            self.transport.close()
            return
        self._last = self.cycle
        self._timer = self.loop.call_later(QUIET_S, self._look)
