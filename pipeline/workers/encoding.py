"""The clips that have to be encoded anew, in a thread of their own: they take long, and the others
shall not wait for them."""

from __future__ import annotations

import logging
import os
import threading
import time

from pipeline.errors import StoreError
from pipeline.workers.cutting import Cutting
from pipeline.workers.guard import guarded_thread

logger = logging.getLogger(__name__)

IDLE_S = 0.5
NICENESS = 10
"""After the cutting, before the drawing."""


class Encoding:
    """Makes such clips until `stop`; what it leaves half done is made by the next one."""

    def __init__(self, cutting: Cutting) -> None:
        self.cutting = cutting
        self._stop = threading.Event()
        cutting.should_stop = self._stop.is_set
        self._thread = guarded_thread("encoding", self._run)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Stop at the next picture, and give what was being made back."""
        self._stop.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        # Of this thread alone, and of those that it starts to encode.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        while not self._stop.is_set():
            try:
                found = self.cutting.step(self.cutting.store.clock.now(), time.monotonic())
            except StoreError as error:
                logger.warning("%s Clips that have to be encoded wait.", error)
                found = False
            if not found:
                self._stop.wait(IDLE_S)
