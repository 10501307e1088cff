"""Every version of every event in the order of commitment, for publishing and as history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, select

from pipeline.store import meta, schema
from pipeline.store.database import Database
from pipeline.store.events import parsed
from pipeline.types import Event

_ACKNOWLEDGED = "outbox.acknowledged"
_TABLE = schema.outbox


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One version of one event; sequences begin at 1, rise by 1 and are never used twice."""

    sequence: int
    event: Event


class Outbox:
    def __init__(self, database: Database) -> None:
        self._database = database

    def pending(self, after: int, limit: int) -> list[OutboxRow]:
        """At most `limit` rows that follow the sequence `after`, in order."""
        query = (
            select(_TABLE.c.sequence, _TABLE.c.snapshot)
            .where(_TABLE.c.sequence > after)
            .order_by(_TABLE.c.sequence)
            .limit(limit)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [OutboxRow(row.sequence, parsed(row.snapshot)) for row in rows]

    def newest(self) -> int:
        """The highest sequence ever given, 0 if none was."""
        with self._database.read() as connection:
            newest = connection.scalar(select(func.max(_TABLE.c.sequence))) or 0
            return max(newest, _acknowledged(connection))

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
        """Remove the published rows committed before a moment and return their number.

        An event's newest version stays readable; its history is what goes.
        """
        with self._database.write() as connection:
            gone = connection.execute(
                delete(_TABLE).where(
                    _TABLE.c.committed_at < before,
                    _TABLE.c.sequence <= _acknowledged(connection),
                )
            )
            return gone.rowcount


def _acknowledged(connection: Connection) -> int:
    return int(meta.get(connection, _ACKNOWLEDGED) or 0)
