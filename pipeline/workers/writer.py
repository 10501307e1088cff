"""The thread of a `watch` worker that turns reports into amendments and commits them."""

from __future__ import annotations

import logging
import queue
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from pipeline.amendment import Amendment
from pipeline.config import Config
from pipeline.errors import AmendmentError, StoreError
from pipeline.incidents import Open
from pipeline.protocols import Media
from pipeline.store import Store
from pipeline.workers.amendments import amendment_of
from pipeline.workers.camera import Report
from pipeline.workers.guard import guarded_thread

logger = logging.getLogger(__name__)

WAITING = 512
"""So many reports may wait while the disk fails; their pictures are let go at a quarter of it."""
RETRY_S = (0.2, 0.5, 1.0, 2.0, 5.0)


class Writer:
    """Commits reports in order. While the store fails it tries again, and reports wait."""

    def __init__(self, config: Config, store: Store, media: Media) -> None:
        self._config, self._store, self._media = config, store, media
        self._waiting: queue.Queue[Report | None] = queue.Queue(WAITING)
        self._hurry = threading.Event()
        self._given_up = False
        self.counters: Counter[str] = Counter()
        self.problem: str | None = None
        self._thread = guarded_thread("writer", self._run)

    def start(self) -> None:
        self._thread.start()

    def report(self, report: Report) -> None:
        """Take a report; never waits. What cannot be kept is counted and logged."""
        if not report.actions and not self._waiting.empty():
            return  # a newer state follows soon enough
        # Frames must not pile up in memory: none is kept that no picture is made of, and none
        # at all while the disk fails.
        crowded = self._waiting.qsize() > WAITING // 4
        if crowded or not any(isinstance(action, Open) for action in report.actions):
            report = replace(report, look=replace(report.look, frame=None))
        try:
            self._waiting.put_nowait(report)
        except queue.Full:
            self.counters["reports_lost"] += 1
            logger.error(
                "Camera %s: events are lost, since the data folder has failed for too long.",
                report.camera,
            )

    def finish(self, timeout_s: float) -> bool:
        """Commit what waits; False if the store fails or it takes longer."""
        # Wakes a pause: what waits for the disk is tried once more.
        self._hurry.set()
        try:
            self._waiting.put(None, timeout=timeout_s)
        except queue.Full:
            return False
        self._thread.join(timeout_s)
        return not self._thread.is_alive() and not self._given_up

    def _run(self) -> None:
        while (report := self._waiting.get()) is not None:
            self._commit(report)

    def _commit(self, report: Report) -> None:
        """Commit all that a look came to, at once; one by one if one of it cannot be."""
        amendments = [
            amendment_of(self._config, action, report.look, self._media)
            for action in report.actions
        ]
        try:
            self._insist(amendments, report)
        except AmendmentError:
            for amendment in amendments:
                try:
                    self._insist([amendment], report)
                except AmendmentError as error:
                    # Such as the end of an event whose beginning was lost.
                    self.counters["amendments_refused"] += 1
                    logger.error("%s", error)

    def _insist(self, amendments: Sequence[tuple[str, Amendment]], report: Report) -> None:
        """Commit, however often it takes. Raises: AmendmentError: trying again would not help."""
        state = (report.camera, report.state.model_dump(mode="json"))
        attempt = 0
        while True:
            last_try = self._hurry.is_set()
            try:
                self._store.amend_all(amendments, now=self._store.clock.now(), camera_state=state)
            except AmendmentError:
                raise
            except StoreError as error:
                if attempt == 0:
                    logger.warning("%s Events wait in memory.", error)
                self.problem = str(error)
                pause = RETRY_S[min(attempt, len(RETRY_S) - 1)]
                attempt += 1
                if last_try:
                    self._given_up = True
                    return
                self._hurry.wait(pause)
            else:
                break
        if attempt:
            logger.info("The store takes events again.")
        self.problem = None
        self.counters["amendments"] += len(amendments)
