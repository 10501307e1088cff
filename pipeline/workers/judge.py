"""Worker: asks the describer about new events, best score first, and amends them.

An event is already out when its job comes here, so nothing in this process can delay or lose one.
"""

from __future__ import annotations

import logging
import os
import queue
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.amendment import EventJudged
from pipeline.config import Config
from pipeline.describers import load_describer
from pipeline.errors import ConfigError, ModelError, ModelUnavailable, StoreError
from pipeline.fusion.score import model_contribution
from pipeline.health import Heartbeat
from pipeline.media import LocalMedia
from pipeline.protocols import Describer
from pipeline.redact import redact
from pipeline.store import Job, JobKind, Store
from pipeline.types import Outcome, Verdict
from pipeline.workers.guard import guarded_thread
from pipeline.workers.link import Link
from pipeline.workers.patience import patiently

logger = logging.getLogger(__name__)

LEASE_S = 15.0
"""Extended while a model thinks; after a crash another judge waits so long."""
POLL_S = 0.1
BEAT_S = 1.0
RETRY_S = 2.0
MAX_TRIES = 3
"""So often a model that is not there is asked about one event."""
RELOAD_S = 30.0
"""So long after a model could not be loaded it is tried again."""


NICENESS = 10
HUNG_S = 30.0
"""A model that is so long past a job's deadline will not answer; only a new process helps."""


class NoPictures(ModelError):
    """The pictures of an event could not be stored, so there is nothing to ask about."""

    reason = "no_pictures"


@dataclass(frozen=True)
class _Answer:
    job: Job
    verdict: Verdict | None
    error: ModelError | None


class _Thinker:
    """Runs the describer in a thread of its own, which a wish to stop need not wait for."""

    def __init__(self, config: Config, media: LocalMedia, now: Callable[[], datetime]) -> None:
        assert config.describer is not None
        self._settings, self._media, self._now = config.describer, media, now
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self.answers: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
        self._describer: Describer | None = None
        self._load_failure: ModelError | None = None
        self.describing = False
        self._retry_load_at = 0.0
        guarded_thread("describer", self._run).start()

    def ask(self, job: Job) -> None:
        self._jobs.put(job)

    def _run(self) -> None:
        try:
            self._load()
        except ModelError as error:
            logger.warning("%s", error)
        while True:
            job = self._jobs.get()
            try:
                self.answers.put(_Answer(job, self._verdict(job), None))
            except ModelError as error:
                self.answers.put(_Answer(job, None, error))

    def _verdict(self, job: Job) -> Verdict:
        if not job.scene.images:
            raise NoPictures(f"Event {job.event_id} has no pictures to look at.")
        describer = self._describer or self._load()
        left = (job.deadline - self._now()).total_seconds()
        self.describing = True
        try:
            return describer.describe(job.scene, timeout_s=max(left, 0.0))
        finally:
            self.describing = False

    def _load(self) -> Describer:
        now = time.monotonic()
        if self._load_failure is not None and now < self._retry_load_at:
            raise self._load_failure
        try:
            self._describer = load_describer(self._settings, self._media)
        except (ModelError, ConfigError) as error:
            # What was a model when the program started may have been removed since.
            failure = error if isinstance(error, ModelError) else ModelUnavailable(str(error))
            self._load_failure, self._retry_load_at = failure, now + RELOAD_S
            raise failure from None
        logger.info("The model %s is loaded.", self._describer.name)
        return self._describer


class Judge:
    """Leases one job at a time and turns answers into amendments."""

    def __init__(self, store: Store, thinker: _Thinker, name: str) -> None:
        self._store, self._thinker, self._name = store, thinker, name
        self._job: Job | None = None
        self.counters: Counter[str] = Counter()

    def step(self, now: datetime) -> None:
        """Take what was answered, and give out the next job."""
        try:
            answer = self._thinker.answers.get_nowait()
        except queue.Empty:
            pass
        else:
            self._job = None
            self._settle(answer, now)
        if self._job is None:
            self._job = self._store.jobs.lease(
                JobKind.JUDGE, now=now, lease_s=LEASE_S, worker=self._name
            )
            if self._job is not None:
                self._thinker.ask(self._job)

    def keep_lease(self, now: datetime) -> None:
        """The model still thinks; nobody else shall begin on the same job."""
        if self._job is not None:
            self._store.jobs.extend(self._job, now=now, lease_s=LEASE_S)

    def hung(self, now: datetime) -> bool:
        """Whether the model should have answered long ago; loading it may take longer."""
        if self._job is None or not self._thinker.describing:
            return False
        late = now - timedelta(seconds=HUNG_S)
        return late > self._job.deadline and late > self._store.jobs.deadline(self._job)

    def give_back(self, now: datetime) -> None:
        """Leave an unfinished job to the next judge at once."""
        if self._job is not None:
            self._store.jobs.release(self._job, retry_at=now)
            self._job = None

    def _settle(self, answer: _Answer, now: datetime) -> None:
        job, error = answer.job, answer.error
        verdict = answer.verdict
        if verdict is None:
            assert error is not None
            retry_at = now + timedelta(seconds=RETRY_S)
            if (
                isinstance(error, ModelUnavailable)
                and job.attempt < MAX_TRIES
                and retry_at < self._store.jobs.deadline(job)
                and self._store.jobs.release(job, retry_at=retry_at, reason=error.reason)
            ):
                self.counters["retried"] += 1
                return
            verdict = _unavailable(job, error)
            logger.warning("Event %s stays unverified: %s", job.event_id, verdict.error)
        self.counters[verdict.outcome.value] += 1
        self._store.amend(
            job.event_id,
            EventJudged(verdict=verdict, scores=model_contribution(verdict)),
            now=now,
        )


def _unavailable(job: Job, error: ModelError) -> Verdict:
    return Verdict(
        outcome=Outcome.UNAVAILABLE,
        question=job.scene.question,
        model="none",
        prompt_version="none",
        error=redact(str(error)),
        error_code=error.reason,
    )


def run(link: Link) -> None:
    """Judge until stopped.

    Raises:
        StoreError: the data folder cannot be used.
    """
    config = link.order.config
    assert config is not None
    # A model takes every core it gets; detection comes first.
    os.nice(NICENESS)
    media = LocalMedia(config.data / "media")
    with patiently(link, lambda: Store.open(config.data)) as store:
        judge = Judge(
            store, _Thinker(config, media, store.clock.now), f"{link.order.name}-{os.getpid()}"
        )
        link.ready()
        beat_at = time.monotonic()
        problem: str | None = None
        hung = False
        while not link.stopping.wait(POLL_S):
            now = store.clock.now()
            due = time.monotonic() >= beat_at
            try:
                judge.step(now)
                if due:
                    judge.keep_lease(now)
                    problem = None
                hung = judge.hung(now)
            except StoreError as error:
                # The lease runs out and the job is taken again when the disk is well.
                problem = str(error)
            if hung:
                logger.error("The model hangs; its process is started anew.")
                raise SystemExit(1)
            if due:
                link.beat(
                    Heartbeat(pid=os.getpid(), counters=dict(judge.counters), message=problem)
                )
                beat_at = time.monotonic() + BEAT_S
        judge.give_back(store.clock.now())
