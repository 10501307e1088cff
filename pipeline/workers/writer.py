"""The thread of a `watch` worker that turns reports into amendments and commits them."""

from __future__ import annotations

import logging
import queue
import threading
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pipeline.config import Config
from pipeline.errors import AmendmentError, StoreError
from pipeline.incidents import Close, Open, Update
from pipeline.protocols import Media
from pipeline.store import Store
from pipeline.types import Amendment, EventEnded
from pipeline.workers.amendments import created, updated
from pipeline.workers.camera import Report

logger = logging.getLogger(__name__)

WAITING = 512
"""So many reports may wait while the disk fails; their pictures are let go at a quarter of it."""
RETRY_S = (0.2, 0.5, 1.0, 2.0, 5.0)


class Writer:
    """Commits reports in order. While the store fails it tries again, and reports wait."""

    def __init__(self, config: Config, store: Store, media: Media) -> None:
        self._config, self._store, self._media = config, store, media
        self._waiting: queue.Queue[Report | None] = queue.Queue(WAITING)
        self._giving_up = threading.Event()
        self._lock = threading.Lock()
        self.counters: Counter[str] = Counter()
        self.problem: str | None = None
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def report(self, report: Report) -> None:
        """Take a report; never waits. What cannot be kept is counted and logged."""
        if not report.actions and not self._waiting.empty():
            return  # a newer state follows soon enough
        try:
            self._waiting.put_nowait(report)
        except queue.Full:
            with self._lock:
                self.counters["reports_lost"] += 1
            logger.error(
                "Camera %s: events are lost, since the data folder has failed for too long.",
                report.camera,
            )

    def finish(self, timeout_s: float) -> bool:
        """Commit what waits; False if the store fails for longer."""
        try:
            self._waiting.put(None, timeout=timeout_s)
        except queue.Full:
            pass
        else:
            self._thread.join(timeout_s)
        self._giving_up.set()
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (report := self._waiting.get()) is not None:
            self._commit(report)

    def _commit(self, report: Report) -> None:
        """Commit all that a look came to, at once; one by one if one of it cannot be."""
        amendments = self._amendments(report)
        state = {"saved_at": datetime.now(UTC).isoformat(), **report.state}
        try:
            self._insist(amendments, (report.camera, state))
        except AmendmentError:
            for amendment in amendments:
                try:
                    self._insist([amendment], (report.camera, state))
                except AmendmentError as error:
                    # Such as the end of an event whose beginning was lost.
                    self.counters["amendments_refused"] += 1
                    logger.error("%s", error)

    def _insist(
        self,
        amendments: Sequence[tuple[str, Amendment]],
        camera_state: tuple[str, dict[str, Any]],
    ) -> None:
        """Commit, however often it takes. Raises: AmendmentError: trying again would not help."""
        attempt = 0
        while True:
            try:
                self._store.amend_all(amendments, now=datetime.now(UTC), camera_state=camera_state)
            except AmendmentError:
                raise
            except StoreError as error:
                if attempt == 0:
                    logger.warning("%s Events wait in memory.", error)
                self.problem = str(error)
                pause = RETRY_S[min(attempt, len(RETRY_S) - 1)]
                attempt += 1
                if self._giving_up.wait(pause):
                    return
            else:
                break
        if attempt:
            logger.info("The store takes events again.")
        self.problem = None
        self.counters["amendments"] += len(amendments)

    def _amendments(self, report: Report) -> Sequence[tuple[str, Amendment]]:
        # While the disk fails, frames must not pile up in memory.
        crowded = self._waiting.qsize() > WAITING // 4
        made: list[tuple[str, Amendment]] = []
        for action in report.actions:
            match action:
                case Close(incident_id=event_id, at=at, reason=reason):
                    made.append((event_id, EventEnded(ended=at, reason=reason)))
                case Open(incident_id=event_id, finding=finding):
                    assert report.look is not None
                    media = None if crowded else self._media
                    look = report.look
                    made.append(
                        (
                            event_id,
                            created(self._config, event_id, finding, look.view, look.frame, media),
                        )
                    )
                case Update(incident_id=event_id, finding=finding):
                    assert report.look is not None
                    made.append((event_id, updated(finding, report.look.view)))
        return made
