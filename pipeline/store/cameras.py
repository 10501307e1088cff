"""How each camera was and when: periods without a hole, of which the newest goes on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, ScalarSelect, Select, delete, func, insert, select, update

from pipeline.health import AWAY, CameraState, Gap, Period, gaps
from pipeline.store import schema
from pipeline.store.database import Database

_TABLE = schema.camera_states
_PAGE = 500


class CameraStates:
    """Every method raises StoreError where the disk or the file fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enter(self, camera: str, state: CameraState, cause: str | None, at: datetime) -> None:
        """The camera is in this state from `at` on; what it was in before ends there."""
        with self._database.write() as connection:
            enter(connection, camera, state, cause, at)

    def seen(self, cameras: Sequence[str], at: datetime) -> None:
        """The states that these cameras are in last at least up to here."""
        with self._database.write() as connection:
            connection.execute(
                update(_TABLE)
                .where(_TABLE.c.camera.in_(cameras), _TABLE.c.ended.is_(None), _TABLE.c.seen < at)
                .values(seen=at)
            )

    def resume(self, camera: str, cause: str | None, at: datetime) -> None:
        """A worker begins to watch the camera. What a predecessor left without an end, as after a
        crash, ends where it was last seen, and the gap since then has this cause."""
        with self._database.write() as connection:
            left = connection.execute(_open(camera)).one_or_none()
            if left is not None and left.state not in (CameraState.STOPPED, CameraState.ENDED):
                enter(connection, camera, CameraState.STOPPED, cause, min(left.seen, at))
            enter(connection, camera, CameraState.CONNECTING, None, at)

    def periods(self, camera: str, *, limit: int = 100, before: int | None = None) -> list[Period]:
        """The newest first, at most `limit`, older than the one numbered `before`."""
        query = (
            select(_TABLE)
            .where(_TABLE.c.camera == camera)
            .order_by(_TABLE.c.id.desc())
            .limit(limit)
        )
        if before is not None:
            query = query.where(_TABLE.c.id < before)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [Period.model_validate(row._asdict()) for row in rows]

    def away_since(self, camera: str) -> datetime | None:
        """Since when nobody has seen what the camera sees; None while somebody does."""
        seen = self._seen(camera)
        query = select(func.min(_TABLE.c.began)).where(
            _TABLE.c.camera == camera, _TABLE.c.id > seen
        )
        with self._database.read() as connection:
            began: datetime | None = connection.scalar(query)
        return began

    def _seen(self, camera: str) -> ScalarSelect[int]:
        """The last period in which somebody did."""
        last = select(func.coalesce(func.max(_TABLE.c.id), 0)).where(
            _TABLE.c.camera == camera, _TABLE.c.state.not_in([state.value for state in AWAY])
        )
        return last.scalar_subquery()

    def gaps(self, camera: str, limit: int = 20) -> list[Gap]:
        """The gaps, the newest first, at most `limit`."""
        found: list[Period] = []
        before: int | None = None
        while True:
            page = self.periods(camera, limit=_PAGE, before=before)
            found += page
            known = gaps(found)
            # The last one may have begun on the next page.
            if len(page) < _PAGE or len(known) > limit:
                return known[:limit]
            before = page[-1].id

    def forget(self, watched: Collection[str], cause: str) -> None:
        """What goes on of cameras that are not `watched` any more ends where it was seen last."""
        query = select(_TABLE.c.camera, _TABLE.c.state, _TABLE.c.seen).where(
            _TABLE.c.ended.is_(None)
        )
        with self._database.write() as connection:
            for row in connection.execute(query).all():
                if row.camera not in watched and row.state != CameraState.STOPPED:
                    enter(connection, row.camera, CameraState.STOPPED, cause, row.seen)

    def prune(self, before: datetime) -> int:
        """Remove the periods that had ended by a moment, and return their number."""
        with self._database.write() as connection:
            return connection.execute(delete(_TABLE).where(_TABLE.c.ended < before)).rowcount

    def prune_learned(self, configured: Collection[str], before: datetime) -> int:
        """Remove what was learned of the cameras that are not in the configuration any more and
        were last seen before a moment, with what a successor would have gone on from, and return
        their number."""
        lately = select(_TABLE.c.camera).where(_TABLE.c.seen >= before)
        with self._database.write() as connection:
            return max(
                connection.execute(
                    delete(table).where(
                        table.c.camera.not_in(configured), table.c.camera.not_in(lately)
                    )
                ).rowcount
                for table in (schema.cameras, schema.camera_memories)
            )


def enter(
    connection: Connection, camera: str, state: CameraState, cause: str | None, at: datetime
) -> None:
    """As `CameraStates.enter`, within a transaction of the caller's."""
    left = connection.execute(_open(camera)).one_or_none()
    if left is not None and left.state == state:
        # A camera that is away may be so for ever new reasons: the newest is kept.
        if cause is not None and cause != left.cause:
            connection.execute(update(_TABLE).where(_TABLE.c.id == left.id).values(cause=cause))
        return
    if left is not None:
        # A clock that was set back makes no period end before it began.
        at = max(at, left.began)
        connection.execute(update(_TABLE).where(_TABLE.c.id == left.id).values(ended=at, seen=at))
    connection.execute(
        insert(_TABLE).values(camera=camera, state=state.value, cause=cause, began=at, seen=at)
    )


def _open(camera: str) -> Select[Any]:
    """The period that goes on."""
    open_ones = select(_TABLE).where(_TABLE.c.camera == camera, _TABLE.c.ended.is_(None))
    return open_ones.order_by(_TABLE.c.id.desc()).limit(1)
