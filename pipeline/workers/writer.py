"""The thread of a `watch` worker that turns reports into amendments and commits them."""

from __future__ import annotations

import logging
import queue
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from pipeline.amendment import Amendment
from pipeline.config import Config
from pipeline.errors import AmendmentError, StoreError
from pipeline.incidents import Action, Open, Update
from pipeline.protocols import Media
from pipeline.store import Store
from pipeline.workers.amendments import amendment_of
from pipeline.workers.guard import guarded_thread
from pipeline.workers.handover import Report
from pipeline.workers.standing import News

logger = logging.getLogger(__name__)

WAITING = 512
"""So many reports may wait while the disk fails; their pictures are let go at a quarter of it."""
RETRY_S = (0.2, 0.5, 1.0, 2.0, 5.0)


class Writer:
    """Commits reports in order. While the store fails it tries again, and reports wait."""

    def __init__(self, config: Config, store: Store, media: Media) -> None:
        self._config, self._store, self._media = config, store, media
        self._waiting: queue.Queue[Report | News | None] = queue.Queue(WAITING)
        self._hurry = threading.Event()
        self._given_up = False
        self.counters: Counter[str] = Counter()
        self.problem: str | None = None
        self._thread = guarded_thread("writer", self._run)

    def start(self) -> None:
        self._thread.start()

    def report(self, report: Report | News) -> None:
        """Take a report; never waits. What cannot be kept is counted and logged."""
        if isinstance(report, News):
            self._take(report)
            return
        if not report.actions and report.memory is None and not self._waiting.empty():
            return  # a newer state follows soon enough
        # Frames must not pile up in memory: none is kept that no picture is made of, and none
        # at all while the disk fails.
        crowded = self._waiting.qsize() > WAITING // 4
        if crowded or not any(_pictured(action) for action in report.actions):
            report = replace(report, look=replace(report.look, frame=None))
        self._take(report)

    def seen(self, cameras: Sequence[str]) -> None:
        """These cameras are still in the states that they are known to be in."""
        if self._waiting.empty():
            try:
                self._store.cameras.seen(cameras, datetime.now(UTC))
            except StoreError as error:
                logger.debug("%s", error)  # it will be said of what matters more

    def _take(self, report: Report | News) -> None:
        try:
            self._waiting.put_nowait(report)
        except queue.Full:
            self.counters["reports_lost"] += 1
            logger.error(
                "Camera %s: events are lost, since the data folder has failed for too long.",
                report.camera,
            )

    def settle(self, timeout_s: float) -> bool:
        """Wait until all that was reported so far is committed; False if it takes longer."""
        waiting = self._waiting
        with waiting.all_tasks_done:
            return waiting.all_tasks_done.wait_for(lambda: not waiting.unfinished_tasks, timeout_s)

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
            if isinstance(report, Report):
                self._commit(report)
            else:
                self._commit_news(report)
            self._waiting.task_done()

    def _commit_news(self, news: News) -> None:
        try:
            self._insist(
                lambda: self._store.camera_changed(
                    news.camera, news.states, news.told, now=datetime.now(UTC)
                ),
                len(news.told),
            )
        except AmendmentError as error:
            self.counters["amendments_refused"] += 1
            logger.error("%s", error)

    def _commit(self, report: Report) -> None:
        """Commit all that a look came to, at once; one by one if one of it cannot be."""
        amendments = [
            amendment_of(self._config, action, report.look, self._media)
            for action in report.actions
        ]
        state = (report.camera, report.state.model_dump(mode="json"))

        def commit(some: Sequence[tuple[str, Amendment]]) -> None:
            self._store.amend_all(
                some, now=self._store.clock.now(), camera_state=state, memory=report.memory
            )

        try:
            self._insist(partial(commit, amendments), len(amendments))
        except AmendmentError:
            for amendment in amendments:
                try:
                    self._insist(partial(commit, [amendment]), 1)
                except AmendmentError as error:
                    # Such as the end of an event whose beginning was lost.
                    self.counters["amendments_refused"] += 1
                    logger.error("%s", error)

    def _insist(self, commit: Callable[[], None], amendments: int) -> None:
        """Commit, however often it takes. Raises: AmendmentError: trying again would not help."""
        attempt = 0
        while True:
            last_try = self._hurry.is_set()
            try:
                commit()
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
        self.counters["amendments"] += amendments


def _pictured(action: Action) -> bool:
    """Whether pictures are made of the frame that an action comes from."""
    return isinstance(action, Open) or (isinstance(action, Update) and action.anew)
