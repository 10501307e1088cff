"""Work that takes long, in a thread of its own at a low priority."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

from pipeline.errors import StoreError
from pipeline.workers.guard import guarded_thread

logger = logging.getLogger(__name__)

IDLE_S = 0.5


class Background:
    """Does one piece of work after the other until `stop`.

    `step` does a piece and tells whether there was one; while the store fails it is tried again,
    and `waits` says of what. What it leaves half done is done by the next one.
    """

    def __init__(self, name: str, step: Callable[[], bool], *, niceness: int, waits: str) -> None:
        self._step, self._niceness, self._waits = step, niceness, waits
        self._stop = threading.Event()
        self._thread = guarded_thread(name, self._run)

    def start(self) -> None:
        self._thread.start()

    def stopping(self) -> bool:
        """Whether the piece that is being worked on shall be given back."""
        return self._stop.is_set()

    def stop(self, timeout_s: float) -> None:
        """Stop as soon as the piece that is being worked on is given back."""
        self._stop.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        # Of this thread alone, and of those that it starts to encode.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self._niceness)
        while not self._stop.is_set():
            try:
                found = self._step()
            except StoreError as error:
                logger.warning("%s %s", error, self._waits)
                found = False
            if not found:
                self._stop.wait(IDLE_S)
