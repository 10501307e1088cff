"""Worker: publishes what is committed, and settles the events whose verdict did not come."""

from __future__ import annotations

import logging
import os
import time
from datetime import timedelta

from pipeline.bus.connection import pause_s
from pipeline.bus.redis import RedisPublisher, publish_pending
from pipeline.errors import BusError, StoreError
from pipeline.health import Heartbeat
from pipeline.store import Store
from pipeline.workers.link import Link
from pipeline.workers.patience import patiently

logger = logging.getLogger(__name__)

POLL_S = 0.05
LOOK_AGAIN_S = 1.0
"""How often Redis is asked what it has, while there is nothing new: it may have lost some."""
SWEEP_S = 1.0
PRUNE_S = 3600.0
HISTORY = timedelta(days=30)
"""Versions of events are kept for so long, and the newest version of each for ever; so is what was
learned of a camera that is not in the configuration any more."""
DRAIN_S = 0.8
"""At the end, what the other workers have just committed is published within so long."""


class _Publishing:
    """Publishes on a schedule; while Redis is away it tries more and more rarely."""

    def __init__(self, store: Store, publisher: RedisPublisher) -> None:
        self._store, self._publisher = store, publisher
        self._failures = 0
        self._newest = -1
        self._look_again = self._not_before = 0.0
        self.published = 0
        self.problem: str | None = None

    def step(self) -> bool:
        """Publish a batch; whether there may be more."""
        now = time.monotonic()
        if now < self._not_before:
            return False
        try:
            newest = self._store.outbox.newest()
            if newest == self._newest and now < self._look_again:
                return False
            sent = publish_pending(self._store, self._publisher)
        except (BusError, StoreError) as error:
            self._failures += 1
            self._not_before = now + pause_s(self._failures)
            if self._failures == 1:
                logger.warning("%s Events wait in the store.", error)
            self.problem = str(error)
            return False
        if self._failures:
            logger.info("Redis takes events again.")
        self._failures, self.problem = 0, None
        self.published += sent
        if sent == 0:
            self._newest, self._look_again = newest, now + LOOK_AGAIN_S
        return sent > 0


def run(link: Link) -> None:
    """Publish until stopped.

    Raises:
        BusError: the address of Redis is not understood.
        StoreError: the data folder cannot be used.
    """
    config = link.order.config
    assert config is not None
    with (
        patiently(link, lambda: Store.open(config.data)) as store,
        RedisPublisher(link.order.options["redis"], store.installation) as publisher,
    ):
        link.ready()
        publishing = _Publishing(store, publisher)
        sweep_at = prune_at = time.monotonic()
        swept = 0
        while not link.stopping.wait(POLL_S):
            # A long backlog must not keep the worker from its other duties.
            while publishing.step() and time.monotonic() < sweep_at:
                pass
            now = time.monotonic()
            if now < sweep_at:
                continue
            sweep_at = now + SWEEP_S
            problem = publishing.problem
            try:
                _follow(store)
                swept += len(store.sweep_deadlines(store.clock.now()))
                if now >= prune_at:
                    prune_at = now + PRUNE_S
                    old = store.clock.now() - HISTORY
                    store.outbox.prune(old)
                    store.cameras.prune(old)
                    store.cameras.prune_learned(config.cameras, old)
            except StoreError as error:
                problem = str(error)
            counters = {"published": publishing.published, "swept": swept}
            link.beat(Heartbeat(pid=os.getpid(), counters=counters, message=problem))
        until = time.monotonic() + DRAIN_S
        while publishing.step() and time.monotonic() < until:
            pass


def _follow(store: Store) -> None:
    """Keep to the host's clock, without which jobs would be late or wait when it is set."""
    moved = store.clock.follow()
    if moved:
        logger.warning("The clock of this machine was set by %+.1f s; open work is not.", moved)
