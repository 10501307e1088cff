"""Events in the database; all functions work within a transaction of the caller's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, insert, select, update

from pipeline.amendment import (
    Amendment,
    EventClipFailed,
    EventClipReady,
    EventCreated,
    EventJudged,
    EventUpdated,
    Leading,
)
from pipeline.store import clips, jobs, outbox, schema
from pipeline.store.fold import fold
from pipeline.store.snapshots import parsed
from pipeline.store.states import Trigger, trigger_of
from pipeline.types import Event, Severity, State


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are looked for; None where anything will do. `since` <= `started` < `until`."""

    camera: str | None = None
    rule: str | None = None
    state: State | None = None
    severity: Severity | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Facets:
    """The cameras that have events, key -> name, and the rules that made them."""

    cameras: Mapping[str, str]
    rules: tuple[str, ...]


def amend(connection: Connection, event_id: str, amendment: Amendment, now: datetime) -> Event:
    """Fold the amendment in; store the version, put it into the outbox, begin or close jobs."""
    known = find(connection, event_id)
    if known is not None and _outdated(known, amendment):
        return known
    event = fold(known, event_id, amendment, now)
    if event is not known:
        _store(connection, event, is_new=known is None)
    if isinstance(amendment, EventCreated):
        if event is not known:
            _ask(connection, event, amendment, now)
        if event is not known and amendment.footage is not None:
            clips.begin(connection, event, amendment.footage, now)
    elif isinstance(amendment, EventUpdated):
        _updated(connection, known, event, amendment, now)
    elif isinstance(amendment, EventJudged):
        jobs.close(connection, event_id, jobs.JobKind.JUDGE)
    elif isinstance(amendment, EventClipReady | EventClipFailed):
        clips.settle(connection, event, amendment, now)
    return event


def _outdated(event: Event, amendment: Amendment) -> bool:
    """Whether it answers a question that another has taken the place of: the judge was at it when
    a more severe rule took the lead."""
    return isinstance(amendment, EventJudged) and amendment.verdict.question != event.question


def _updated(
    connection: Connection,
    known: Event | None,
    event: Event,
    amendment: EventUpdated,
    now: datetime,
) -> None:
    """What a model was asked before is answered by nobody any more, where that has changed."""
    if known is None:
        return
    if trigger_of(known, amendment) in (Trigger.ASKED_ANEW, Trigger.LED_ANEW):
        jobs.close(connection, event.id, jobs.JobKind.JUDGE)
        if amendment.leading is not None:
            _ask(connection, event, amendment.leading, now)
    if event.score != known.score:
        jobs.reorder(connection, event)


def _ask(
    connection: Connection, event: Event, asking: EventCreated | Leading, now: datetime
) -> None:
    if asking.scene is not None:
        deadline = now + timedelta(seconds=asking.judge_within_s)
        scene = asking.scene.model_dump_json()
        jobs.begin(connection, jobs.JobKind.JUDGE, event, scene, now=now, deadline=deadline)


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


def search(connection: Connection, wanted: Wanted, limit: int, before: str | None) -> list[Event]:
    """Events by descending id, that is the newest first, from the one before `before` on."""
    table = schema.events
    query = select(table.c.snapshot).order_by(table.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(table.c.id < before)
    for column in ("camera", "rule", "state", "severity"):
        value = getattr(wanted, column)
        if value is not None:
            query = query.where(table.c[column] == str(value))
    if wanted.since is not None:
        query = query.where(table.c.started >= wanted.since)
    if wanted.until is not None:
        query = query.where(table.c.started < wanted.until)
    return [parsed(snapshot) for snapshot in connection.scalars(query)]


def facets(connection: Connection) -> Facets:
    """What there is to filter by."""
    table = schema.events
    newest = select(func.max(table.c.id)).group_by(table.c.camera)
    cameras = [
        parsed(snapshot)
        for snapshot in connection.scalars(select(table.c.snapshot).where(table.c.id.in_(newest)))
    ]
    rules = connection.scalars(select(table.c.rule).distinct().order_by(table.c.rule))
    return Facets({event.camera: event.camera_name for event in cameras}, tuple(rules))


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
        "rule": event.rule,
        "severity": event.severity.value,
        "started": event.started,
    }
    if is_new:
        connection.execute(insert(schema.events).values(id=event.id, **row))
    else:
        connection.execute(
            update(schema.events).where(schema.events.c.id == event.id).values(**row)
        )
    outbox.add(connection, event, snapshot)
