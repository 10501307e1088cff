"""Every version of every event in the order of commitment, for publishing and as history.

What is published is numbered from 1 without gaps, so that a reader sees what it missed. Versions
that nobody is told of lie between them without such a number; the page follows all of them by
their place.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, Connection, delete, func, insert, or_, select

from pipeline.store import meta, schema
from pipeline.store.database import Database
from pipeline.store.snapshots import parsed
from pipeline.types import Event

_ACKNOWLEDGED = "outbox.acknowledged"
_TABLE = schema.outbox


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One version of one event. `sequence` is its number among those that are published: they
    begin at 1, rise by 1 and are never used twice; from `Outbox.after` its place among all, which
    rises."""

    sequence: int
    event: Event


class Outbox:
    def __init__(self, database: Database) -> None:
        self._database = database

    def pending(self, after: int, limit: int) -> list[OutboxRow]:
        """At most `limit` rows to be published that follow the sequence `after`, in order."""
        return self._rows(_TABLE.c.number, after, limit)

    def after(self, place: int, limit: int) -> list[OutboxRow]:
        """At most `limit` rows that follow a place among all, in order."""
        return self._rows(_TABLE.c.sequence, place, limit)

    def newest(self) -> int:
        """The highest sequence ever given, 0 if none was."""
        with self._database.read() as connection:
            return _newest(connection)

    def last(self) -> int:
        """The place of the last row of all, 0 if there never was one; see `prune`."""
        with self._database.read() as connection:
            return connection.scalar(select(func.max(_TABLE.c.sequence))) or 0

    def _rows(self, column: Column[int], after: int, limit: int) -> list[OutboxRow]:
        query = select(column, _TABLE.c.snapshot).where(column > after).order_by(column)
        with self._database.read() as connection:
            rows = connection.execute(query.limit(limit)).all()
        return [OutboxRow(number, parsed(snapshot)) for number, snapshot in rows]

    def acknowledged(self) -> int:
        """The sequence up to which everything has been published once, 0 if nothing has."""
        with self._database.read() as connection:
            return _acknowledged(connection)

    def acknowledge(self, sequence: int) -> None:
        """Remember that everything up to `sequence` has been published; it never goes back."""
        with self._database.write() as connection:
            if sequence > _acknowledged(connection):
                meta.put(connection, _ACKNOWLEDGED, str(sequence))

    def prune(self, before: datetime) -> int:
        """Remove the rows committed before a moment that need not be published, or not any more,
        and return how many.

        An event's newest version stays readable; its history is what goes. The last row of all
        stays, too, which tells how far those have read who follow the rows by their place.
        """
        last = select(func.max(_TABLE.c.sequence)).scalar_subquery()
        with self._database.write() as connection:
            gone = connection.execute(
                delete(_TABLE).where(
                    _TABLE.c.committed_at < before,
                    _TABLE.c.sequence < last,
                    or_(_TABLE.c.number.is_(None), _TABLE.c.number <= _acknowledged(connection)),
                )
            )
            return gone.rowcount


def add(connection: Connection, event: Event, snapshot: str) -> None:
    """Put an event's new version in; it will be published if it is announced."""
    connection.execute(
        insert(_TABLE).values(
            event_id=event.id,
            version=event.version,
            type=event.type.value,
            committed_at=event.updated_at,
            snapshot=snapshot,
            number=_newest(connection) + 1 if event.announced else None,
        )
    )


def _newest(connection: Connection) -> int:
    # Rows are removed only once they were acknowledged, so no number is given twice.
    newest = connection.scalar(select(func.max(_TABLE.c.number))) or 0
    return max(newest, _acknowledged(connection))


def _acknowledged(connection: Connection) -> int:
    return int(meta.get(connection, _ACKNOWLEDGED) or 0)
