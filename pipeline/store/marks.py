"""What operators say of events. Rows are only added and undone, so that nothing said is lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import insert, select, update

from pipeline.store import schema
from pipeline.store.database import Database
from pipeline.types import Mark, MarkKind

_TABLE = schema.marks
_JUDGING = (MarkKind.REAL, MarkKind.FALSE)


class Marks:
    """Every method raises StoreError where the disk or the file fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        kind: MarkKind,
        *,
        camera: str,
        event_id: str | None,
        at: datetime,
        note: str | None,
        now: datetime,
    ) -> Mark:
        """Say something of an event, or that one was missed at a camera.

        Raises:
            ValueError: `real` and `false` are said of an event, and none is named.
        """
        if event_id is None and kind in _JUDGING:
            raise ValueError(f"a mark {kind.value!r} needs an event")
        values = {
            "kind": kind.value,
            "camera": camera,
            "event_id": event_id,
            "at": at,
            "note": note,
            "created_at": now,
        }
        with self._database.write() as connection:
            row = connection.execute(insert(_TABLE).values(**values).returning(_TABLE)).one()
        return Mark.model_validate(row._asdict())

    def undo(self, mark_id: int, *, now: datetime) -> Mark | None:
        """Take a mark back; None if there is no such one. One that was taken back stays so."""
        with self._database.write() as connection:
            connection.execute(
                update(_TABLE)
                .where(_TABLE.c.id == mark_id, _TABLE.c.undone_at.is_(None))
                .values(undone_at=now)
            )
            row = connection.execute(select(_TABLE).where(_TABLE.c.id == mark_id)).one_or_none()
        return None if row is None else Mark.model_validate(row._asdict())

    def of_event(self, event_id: str) -> list[Mark]:
        """All that was said of an event, the oldest first, what was undone too."""
        query = select(_TABLE).where(_TABLE.c.event_id == event_id).order_by(_TABLE.c.id)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [Mark.model_validate(row._asdict()) for row in rows]

    def current(self, event_ids: Sequence[str]) -> dict[str, Mark]:
        """The mark `real` or `false` that holds now, of those events that have one."""
        query = (
            select(_TABLE)
            .where(
                _TABLE.c.event_id.in_(event_ids),
                _TABLE.c.kind.in_(_JUDGING),
                _TABLE.c.undone_at.is_(None),
            )
            .order_by(_TABLE.c.id)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        # The newest comes last and wins.
        return {row.event_id: Mark.model_validate(row._asdict()) for row in rows}

    def page(self, limit: int, *, before: int | None = None) -> list[Mark]:
        """The newest marks first, those before the mark `before` if it is given."""
        query = select(_TABLE).order_by(_TABLE.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(_TABLE.c.id < before)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [Mark.model_validate(row._asdict()) for row in rows]
