"""Events in the database; all functions work within a transaction of the caller's."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import ValidationError
from sqlalchemy import Connection, insert, select, update

from pipeline.amendment import Amendment, EventCreated, EventJudged
from pipeline.errors import StoreError
from pipeline.store import jobs, schema
from pipeline.store.fold import fold
from pipeline.types import Event


def parsed(snapshot: str) -> Event:
    """An event from its stored form. Raises: StoreError: it is not of this version's."""
    try:
        return Event.model_validate_json(snapshot)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise StoreError(
            f"A stored event cannot be read (at {where}); was the database changed by hand, or by "
            "another version of vigil?"
        ) from None


def amend(connection: Connection, event_id: str, amendment: Amendment, now: datetime) -> Event:
    """Fold the amendment in; store the version, put it into the outbox, begin or close jobs."""
    known = find(connection, event_id)
    event = fold(known, event_id, amendment, now)
    if event is not known:
        _store(connection, event, is_new=known is None)
    if isinstance(amendment, EventCreated):
        if event is not known and amendment.scene is not None:
            deadline = now + timedelta(seconds=amendment.judge_within_s)
            jobs.begin_judge(connection, event, amendment.scene, now, deadline)
    elif isinstance(amendment, EventJudged):
        jobs.close(connection, event_id, jobs.JobKind.JUDGE)
    elif known is not None and event.score != known.score:
        jobs.reorder(connection, event)
    return event


def find(connection: Connection, event_id: str) -> Event | None:
    """The newest version of an event."""
    query = select(schema.events.c.snapshot).where(schema.events.c.id == event_id)
    snapshot = connection.scalar(query)
    return None if snapshot is None else parsed(snapshot)


def find_open(connection: Connection, camera: str) -> list[Event]:
    """A camera's events that have not ended, the oldest first."""
    table = schema.events
    query = (
        select(table.c.snapshot)
        .where(table.c.camera == camera, table.c.ended.is_(None))
        .order_by(table.c.id)
    )
    return [parsed(snapshot) for snapshot in connection.scalars(query)]


def page(connection: Connection, limit: int, before: str | None, camera: str | None) -> list[Event]:
    """Events by descending id, that is the newest first, from the one before `before` on."""
    table = schema.events
    query = select(table.c.snapshot).order_by(table.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(table.c.id < before)
    if camera is not None:
        query = query.where(table.c.camera == camera)
    return [parsed(snapshot) for snapshot in connection.scalars(query)]


def versions(connection: Connection, event_id: str) -> list[Event]:
    """An event's versions that are still kept, the oldest first."""
    table = schema.outbox
    query = select(table.c.snapshot).where(table.c.event_id == event_id).order_by(table.c.version)
    return [parsed(snapshot) for snapshot in connection.scalars(query)]


def _store(connection: Connection, event: Event, *, is_new: bool) -> None:
    snapshot = event.model_dump_json()
    row = {
        "version": event.version,
        "camera": event.camera,
        "state": event.state.value,
        "ended": event.ended,
        "snapshot": snapshot,
    }
    if is_new:
        connection.execute(insert(schema.events).values(id=event.id, **row))
    else:
        connection.execute(
            update(schema.events).where(schema.events.c.id == event.id).values(**row)
        )
    connection.execute(
        insert(schema.outbox).values(
            event_id=event.id,
            version=event.version,
            type=event.type.value,
            committed_at=event.updated_at,
            snapshot=snapshot,
        )
    )
