"""What the rest of the program sees of the database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Select, select

from pipeline.amendment import Amendment, EventJudged
from pipeline.health import CameraState
from pipeline.store import cameras, events, jobs, meta, schema
from pipeline.store.cameras import CameraStates
from pipeline.store.clock import StoreClock
from pipeline.store.database import Database
from pipeline.store.jobs import Jobs
from pipeline.store.marks import Marks
from pipeline.store.outbox import Outbox
from pipeline.types import Event, Outcome, Severity, State, Verdict

_NOBODY = "none"
"""Stands as model and prompt version in a verdict that no model gave."""


class Store:
    """An installation's events, jobs and outbox; threads and processes may share it.

    Every method raises StoreError where the disk or the file fails, and has then changed nothing.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.jobs = Jobs(database)
        self.outbox = Outbox(database)
        self.marks = Marks(database)
        self.clock = StoreClock(database)
        self.cameras = CameraStates(database)

    @classmethod
    def open(cls, data_folder: Path) -> Self:
        """Open the store in a data folder; the folder is made if its parent exists.

        Raises:
            StoreTooNew: a newer version of the program wrote it.
            StoreError: the folder or the file in it cannot be used.
        """
        return cls(Database(data_folder))

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def installation(self) -> str:
        """The UUID made with this database; what is published carries it."""
        with self._database.read() as connection:
            return meta.get(connection, meta.INSTALLATION) or ""

    def amend(self, event_id: str, amendment: Amendment, *, now: datetime) -> Event:
        """Change an event, and return it as it is then: the only writer of events there is.

        One transaction holds the new version, its outbox row and the jobs that follow; on return
        they are on the disk. Whatever changes nothing (see `states`) makes no version. `now` is
        an aware time: that of `clock`, as everywhere that jobs are concerned.

        Raises:
            AmendmentError: the event cannot take this amendment.
        """
        with self._database.write() as connection:
            return events.amend(connection, event_id, amendment, now)

    def amend_all(
        self,
        amendments: Sequence[tuple[str, Amendment]],
        *,
        now: datetime,
        camera_state: tuple[str, Mapping[str, Any]],
        memory: Mapping[str, Any] | None = None,
    ) -> list[Event]:
        """As `amend`, for all that one look at a camera came to, together with what its worker
        wants to find again: after a crash the two agree. So does what the camera has learned over
        days, if that is given.

        Raises:
            AmendmentError: an event cannot take its amendment; nothing was changed.
        """
        with self._database.write() as connection:
            amended = [
                events.amend(connection, event_id, amendment, now)
                for event_id, amendment in amendments
            ]
            meta.save_camera(connection, *camera_state)
            if memory is not None:
                meta.save_memory(connection, camera_state[0], memory)
        return amended

    def camera_changed(
        self,
        camera: str,
        states: Sequence[tuple[CameraState, str | None, datetime]],
        amendments: Sequence[tuple[str, Amendment]],
        *,
        now: datetime,
    ) -> None:
        """A camera went through these states (with their cause and beginning), which is told so.

        Raises:
            AmendmentError: an event cannot take its amendment; nothing was changed.
        """
        with self._database.write() as connection:
            for state, cause, at in states:
                cameras.enter(connection, camera, state, cause, at)
            for event_id, amendment in amendments:
                events.amend(connection, event_id, amendment, now)

    def sweep_deadlines(self, now: datetime) -> list[Event]:
        """Make the events unverified whose verdict did not come in time; return those.

        `state_reason` is the code a judge left when it gave the job back, or one of `Reason`.
        """
        with self._database.read() as connection:
            late = jobs.overdue(connection, now)
        swept = []
        for job in late:
            with self._database.write() as connection:
                # Somebody may have answered, or swept, since.
                if jobs.overdue(connection, now, job.id):
                    swept.append(events.amend(connection, job.event_id, _no_verdict(job), now))
        return swept

    def event(self, event_id: str) -> Event | None:
        """An event's newest version."""
        with self._database.read() as connection:
            return events.find(connection, event_id)

    def search(
        self,
        limit: int = 50,
        *,
        before: str | None = None,
        camera: str | None = None,
        rule: str | None = None,
        state: State | None = None,
        severity: Severity | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[Event]:
        """The newest events first, at most `limit`; `before` is the last id of the page before,
        and `since` <= `started` < `until`."""
        wanted = events.Wanted(camera, rule, state, severity, since, until)
        with self._database.read() as connection:
            return events.search(connection, wanted, limit, before)

    def search_ids(self, beginning: str) -> list[str]:
        """At most two ids that begin so."""
        column = schema.events.c.id
        query = select(column).where(column.startswith(beginning, autoescape=True)).limit(2)
        with self._database.read() as connection:
            return list(connection.scalars(query))

    def facets(self) -> events.Facets:
        """What there is to filter by."""
        with self._database.read() as connection:
            return events.facets(connection)

    def has_camera(self, camera: str) -> bool:
        """Whether there are events of this camera."""
        query = select(select(schema.events.c.id).where(schema.events.c.camera == camera).exists())
        with self._database.read() as connection:
            return bool(connection.scalar(query))

    def open_events(self, camera: str) -> list[Event]:
        """A camera's events that have not ended, the oldest first."""
        with self._database.read() as connection:
            return events.find_open(connection, camera)

    def cameras_with_open_events(self) -> set[str]:
        """The cameras that have events which have not ended."""
        query = select(schema.events.c.camera).where(schema.events.c.ended.is_(None)).distinct()
        with self._database.read() as connection:
            return set(connection.scalars(query))

    def versions(self, event_id: str) -> list[Event]:
        """An event's versions that are still kept, the oldest first."""
        with self._database.read() as connection:
            return events.versions(connection, event_id)

    def load_camera_state(self, camera: str) -> dict[str, Any]:
        """What `amend_all` saved last for a camera; empty if nothing was."""
        table = schema.cameras
        return self._object(select(table.c.state).where(table.c.camera == camera))

    def load_memory(self, camera: str) -> dict[str, Any]:
        """What a camera has learned, as `amend_all` saved it last, however long ago; empty if
        nothing was.

        Raises:
            ValueError: what is kept is damaged.
        """
        table = schema.camera_memories
        return self._object(select(table.c.memory).where(table.c.camera == camera))

    def _object(self, query: Select[Any]) -> dict[str, Any]:
        """The JSON object that a query finds; empty if it finds none."""
        with self._database.read() as connection:
            text = connection.scalar(query)
        found: dict[str, Any] = {} if text is None else json.loads(text)
        return found


def _no_verdict(job: jobs.Overdue) -> EventJudged:
    return EventJudged(
        verdict=Verdict(
            outcome=Outcome.UNAVAILABLE,
            question=job.question,
            model=_NOBODY,
            prompt_version=_NOBODY,
            error_code=job.reason,
        ),
        scores={},
    )
