"""Work that is to be done about events: leased rows, which any number of workers share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, or_, select, true, update

from pipeline.amendment import Footage
from pipeline.store import meta, schema
from pipeline.store.database import Database
from pipeline.types import Event, Scene

MAX_ATTEMPTS = 5
"""A job that ends its worker so often is given up."""

_TABLE = schema.jobs


class JobKind(StrEnum):
    JUDGE = "judge"
    CUT_FIRST = "cut_first"
    """A clip of an event that goes on, so that there is something to look at."""
    CUT = "cut"
    """The clip of all of it."""
    DRAW = "draw"
    """Its annotated clip."""


class Reason(StrEnum):
    """Why an event stays without a verdict, where no describer has given a reason of its own."""

    DEADLINE = "deadline"
    """A judge had it, and had no answer in time."""
    QUEUE_FULL = "queue_full"
    """Judges were at work, but on others, up to the deadline."""
    JUDGE_DOWN = "judge_down"
    """No judge was at work between its beginning and its deadline."""
    ATTEMPTS = "attempts"
    """Its judges ended, or gave it back, as often as is allowed."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job on lease to `worker` until `leased_until`; `attempt` counts its leases from 1."""

    id: int
    kind: JobKind
    event_id: str
    payload: str
    score: float
    deadline: datetime
    attempt: int
    worker: str
    leased_until: datetime

    @property
    def scene(self) -> Scene:
        """What a judge is asked about."""
        return Scene.model_validate_json(self.payload)

    @property
    def footage(self) -> Footage:
        """What a clip shall hold."""
        return Footage.model_validate_json(self.payload)


@dataclass(frozen=True, slots=True)
class Waiting:
    """An open job as anybody may see it."""

    kind: JobKind
    event: Event
    payload: str
    attempts: int
    deadline: datetime
    not_before: datetime
    leased_until: datetime | None

    @property
    def footage(self) -> Footage:
        """What a clip shall hold."""
        return Footage.model_validate_json(self.payload)

    def spent(self, now: datetime) -> bool:
        """Whether nobody is at it and nobody may take it any more."""
        free = self.leased_until is None or self.leased_until <= now
        return free and (self.attempts >= MAX_ATTEMPTS or self.deadline <= now)


@dataclass(frozen=True, slots=True)
class Overdue:
    """A job that nobody may take any more, and why."""

    id: int
    event_id: str
    question: str
    reason: str


class Jobs:
    """The leases. What a lost lease would change is refused, so two workers never do one job.

    A judge's job is closed by its event's amendment `judged`, in the same transaction.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def lease(
        self,
        kind: JobKind | str,
        *,
        now: datetime,
        lease_s: float,
        worker: str,
        event_id: str | None = None,
    ) -> Job | None:
        """Take the job of the highest score that is due and on no lease, or None; that of one
        event if `event_id` is given.

        A lease that has run out is taken over; a job past its deadline is left to the sweep.
        """
        free = and_(
            _TABLE.c.kind == kind,
            true() if event_id is None else _TABLE.c.event_id == event_id,
            _TABLE.c.deadline > now,
            _TABLE.c.not_before <= now,
            _TABLE.c.attempts < MAX_ATTEMPTS,
            or_(_TABLE.c.leased_until.is_(None), _TABLE.c.leased_until <= now),
        )
        best = select(_TABLE.c.id).where(free).order_by(_TABLE.c.score.desc(), _TABLE.c.id).limit(1)
        # Looking first keeps idle workers from queueing up for the right to write.
        with self._database.read() as connection:
            if connection.scalar(best) is None:
                return None
        until = now + timedelta(seconds=lease_s)
        take = (
            update(_TABLE)
            .where(_TABLE.c.id == best.scalar_subquery())
            .values(attempts=_TABLE.c.attempts + 1, worker=worker, leased_until=until)
            .returning(_TABLE)
        )
        with self._database.write() as connection:
            row = connection.execute(take).one_or_none()
            if row is None:
                return None
            _note_at_work(connection, kind, until)
        return Job(
            id=row.id,
            kind=JobKind(row.kind),
            event_id=row.event_id,
            payload=row.payload,
            score=row.score,
            deadline=row.deadline,
            attempt=row.attempts,
            worker=worker,
            leased_until=until,
        )

    def extend(self, job: Job, *, now: datetime, lease_s: float) -> bool:
        """Lengthen the lease to `lease_s` from now; False if it was lost or the job is closed."""
        until = now + timedelta(seconds=lease_s)
        with self._database.write() as connection:
            kept = _change(connection, job, leased_until=until)
            if kept:
                _note_at_work(connection, job.kind, until)
        return kept

    def deadline(self, job: Job) -> datetime:
        """When nobody may take the job any more: later than was said when the clock was set."""
        query = select(_TABLE.c.deadline).where(_TABLE.c.id == job.id)
        with self._database.read() as connection:
            return connection.scalar(query) or job.deadline

    def waiting(self, kinds: Sequence[JobKind]) -> list[Waiting]:
        """The open jobs of these kinds with their events, the highest score first."""
        query = (
            select(_TABLE, schema.events.c.snapshot)
            .join(schema.events, schema.events.c.id == _TABLE.c.event_id)
            .where(_TABLE.c.kind.in_(kinds))
            .order_by(_TABLE.c.score.desc(), _TABLE.c.id)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [
            Waiting(
                JobKind(row.kind),
                Event.model_validate_json(row.snapshot),
                row.payload,
                row.attempts,
                row.deadline,
                row.not_before,
                row.leased_until,
            )
            for row in rows
        ]

    def release(
        self, job: Job, *, retry_at: datetime, reason: str | None = None, counts: bool = True
    ) -> bool:
        """Give the job back, to be taken again from `retry_at` on; False if the lease was lost.

        `reason` is a code that becomes the event's `state_reason` if nobody has more luck; without
        one, that of an earlier release stands. An attempt that was broken off and says nothing
        about the job is not to be counted.
        """
        told: dict[str, object] = {} if reason is None else {"reason": reason}
        if not counts:
            told["attempts"] = job.attempt - 1
        with self._database.write() as connection:
            return _change(
                connection, job, worker=None, leased_until=None, not_before=retry_at, **told
            )


def begin(
    connection: Connection,
    kind: JobKind,
    event: Event,
    payload: str,
    *,
    now: datetime,
    deadline: datetime,
) -> None:
    """Ask for work on an event."""
    connection.execute(
        insert(_TABLE).values(
            kind=kind.value,
            event_id=event.id,
            payload=payload,
            score=event.score,
            created_at=now,
            deadline=deadline,
            not_before=now,
            attempts=0,
        )
    )


def payload(connection: Connection, event_id: str, kind: JobKind) -> str | None:
    """What an open job is about; None if there is none."""
    query = select(_TABLE.c.payload).where(_TABLE.c.event_id == event_id, _TABLE.c.kind == kind)
    return connection.scalar(query)


def close(connection: Connection, event_id: str, *kinds: JobKind) -> None:
    """An event needs these kinds of work no more."""
    connection.execute(
        delete(_TABLE).where(_TABLE.c.event_id == event_id, _TABLE.c.kind.in_(kinds))
    )


def reorder(connection: Connection, event: Event) -> None:
    """An event's jobs are taken by its score of now."""
    connection.execute(
        update(_TABLE).where(_TABLE.c.event_id == event.id).values(score=event.score)
    )


def shift(connection: Connection, seconds: float) -> None:
    """Move the times of all open jobs, since the clock was set."""
    moved = timedelta(seconds=seconds)
    columns = (_TABLE.c.created_at, _TABLE.c.deadline, _TABLE.c.not_before, _TABLE.c.leased_until)
    for row in connection.execute(select(_TABLE.c.id, *columns)).all():
        times = {
            column.name: at + moved
            for column, at in zip(columns, row[1:], strict=True)
            if at is not None
        }
        connection.execute(update(_TABLE).where(_TABLE.c.id == row.id).values(times))
    for kind in JobKind:
        at_work = meta.get(connection, _at_work(kind))
        if at_work is not None:
            _note_at_work(connection, kind, datetime.fromisoformat(at_work) + moved)


def overdue(connection: Connection, now: datetime, job_id: int | None = None) -> list[Overdue]:
    """The judge jobs, or the one with this id, that are past deadline or out of attempts."""
    spent = and_(
        _TABLE.c.attempts >= MAX_ATTEMPTS,
        or_(_TABLE.c.leased_until.is_(None), _TABLE.c.leased_until <= now),
    )
    query = select(_TABLE).where(
        _TABLE.c.kind == JobKind.JUDGE.value, or_(_TABLE.c.deadline <= now, spent)
    )
    if job_id is not None:
        query = query.where(_TABLE.c.id == job_id)
    at_work = meta.get(connection, _at_work(JobKind.JUDGE))
    found = []
    for row in connection.execute(query):
        if row.reason is not None:
            reason = row.reason
        elif row.attempts == 0:
            busy = at_work is not None and datetime.fromisoformat(at_work) > row.created_at
            reason = Reason.QUEUE_FULL if busy else Reason.JUDGE_DOWN
        else:
            reason = Reason.DEADLINE if row.deadline <= now else Reason.ATTEMPTS
        question = Scene.model_validate_json(row.payload).question
        found.append(Overdue(row.id, row.event_id, question, str(reason)))
    return found


def _held(job: Job) -> ColumnElement[bool]:
    return and_(
        _TABLE.c.id == job.id, _TABLE.c.worker == job.worker, _TABLE.c.attempts == job.attempt
    )


def _change(connection: Connection, job: Job, **values: object) -> bool:
    return connection.execute(update(_TABLE).where(_held(job)).values(**values)).rowcount == 1


def _at_work(kind: JobKind | str) -> str:
    return f"{kind}.leased_until"


def _note_at_work(connection: Connection, kind: JobKind | str, until: datetime) -> None:
    """Remember up to when some worker of this kind is known to have been at work."""
    meta.put(connection, _at_work(kind), until.isoformat())
