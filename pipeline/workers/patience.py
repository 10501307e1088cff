"""Waiting for a store that fails: a full disk is no reason to give up."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import TypeVar

from pipeline.errors import StoreError, StoreTooNew
from pipeline.health import Heartbeat
from pipeline.workers.link import Link, Stopped

logger = logging.getLogger(__name__)

T = TypeVar("T")
RETRY_S = 1.0


def patiently(link: Link, action: Callable[[], T]) -> T:
    """The result of `action`, tried again for as long as the store fails.

    Raises:
        StoreTooNew: waiting would not help.
        Stopped: the supervisor wants the worker to stop.
    """
    told = False
    while True:
        try:
            return action()
        except StoreTooNew:
            raise
        except StoreError as error:
            if not told:
                logger.warning("%s Trying again.", error)
                told = True
            link.beat(Heartbeat(pid=os.getpid(), message=str(error)))
        if link.stopping.wait(RETRY_S):
            raise Stopped
