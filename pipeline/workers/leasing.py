"""How a job is kept while it is worked on, and when it is tried again."""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta

from pipeline.errors import StoreError
from pipeline.store import Job, Store

EXTEND_S = 5.0
LATER_S = (5.0, 30.0, 120.0, 600.0)
"""After a failure that may pass, so long until the next attempt."""


class Keep:
    """Keeps a job for as long as it is worked on."""

    def __init__(self, store: Store, job: Job, lease_s: float) -> None:
        self._store, self._job, self._lease_s = store, job, lease_s
        self._extended = time.monotonic()
        self._kept = True

    def kept(self) -> bool:
        """Whether it is still this worker's; extends it now and then."""
        if time.monotonic() - self._extended >= EXTEND_S:
            self._extended = time.monotonic()
            try:
                now = self._store.clock.now()
                self._kept = self._store.jobs.extend(self._job, now=now, lease_s=self._lease_s)
            except StoreError:
                # The disk may be well again before the lease has run out.
                return self._kept
        return self._kept


class Pauses:
    """How long each job waits that failed for a reason that may pass.

    Such failures are not attempts: those are counted for jobs that end their worker.
    """

    def __init__(self) -> None:
        self._failures: Counter[int] = Counter()

    def next(self, job: Job) -> timedelta:
        """The pause after one more failure."""
        pause = LATER_S[min(self._failures[job.id], len(LATER_S) - 1)]
        self._failures[job.id] += 1
        return timedelta(seconds=pause)
