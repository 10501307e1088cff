"""Following a pipeline's events: when it is over, and what was seen before."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict

from pipeline.errors import BusError
from pipeline.supervisor import Supervisor
from pipeline.types import Event

logger = logging.getLogger(__name__)

DRAIN_S = 2.0
"""After the last film's end, events that are still in the store are on their way for so long."""
REMEMBERED = 16_384
"""So many of the newest (id, version) are known again when a new subscription repeats them."""


class Following:
    """One run of `Pipeline.events`, over as many subscriptions as it takes."""

    def __init__(self, supervisor: Supervisor, timeout_s: float | None) -> None:
        self._supervisor = supervisor
        self._timeout_s = timeout_s
        self._since = time.monotonic()
        self._seen: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._told: str | None = None

    def failed(self, error: BusError) -> None:
        """Log why a subscription could not begin: once, however often it is tried."""
        if str(error) != self._told:
            logger.warning("%s", error)
            self._told = str(error)

    def is_new(self, event: Event) -> bool:
        """Whether this version was not seen before; one that was not breaks the quiet."""
        self._told = None
        self._since = time.monotonic()
        key = (event.id, event.version)
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return True

    def over(self) -> bool:
        """Whether nothing more is to be waited for."""
        if self._supervisor.stopping or self._supervisor.failure is not None:
            return True
        quiet_s = time.monotonic() - self._since
        if self._supervisor.finished and quiet_s > DRAIN_S:
            return True
        return self._timeout_s is not None and quiet_s > self._timeout_s

    def check(self) -> None:
        """Raises: WorkerError: a worker has failed for good, which is why it is over."""
        if self._supervisor.failure is not None and not self._supervisor.stopping:
            raise self._supervisor.failure
