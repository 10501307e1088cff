"""The time by which jobs are kept, which all processes of an installation share."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from pydantic import ValidationError
from sqlalchemy import Connection

from pipeline.clock import STEP_S, HostClock, boot, offset_s, utc_now
from pipeline.errors import StoreError
from pipeline.store import jobs, meta
from pipeline.store.database import Database

_SETTING = "clock"


class StoreClock:
    """Wall-clock time that changes for everybody at once, together with the times of open jobs.

    It is the monotonic time of this machine plus an offset that is kept in the store. Nobody's job
    is late, or held up for an hour, because the host's clock was set: `follow` moves the offset
    and all jobs in one transaction.
    """

    def __init__(
        self,
        database: Database,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._monotonic, self._now = monotonic, now
        self._known: HostClock | None = None

    def now(self) -> datetime:
        """What time it is for jobs; never raises."""
        try:
            with self._database.read() as connection:
                self._known = _setting(connection)
        except StoreError:
            pass  # what was known last is still right
        known = self._known
        return self._now() if known is None else known.at(self._monotonic())

    def follow(self) -> float:
        """Take over what the host's clock was set to; gives by how many seconds, mostly none.

        Raises:
            StoreError: the store fails.
        """
        name, host = boot(), offset_s(self._monotonic, self._now)
        if name is None or host is None:
            return 0.0
        setting = HostClock(boot=name, offset_s=host)
        with self._database.read() as connection:
            if _moved(connection, setting) == 0.0:
                return 0.0
        with self._database.write() as connection:
            moved = _moved(connection, setting)
            if moved is not None:
                jobs.shift(connection, moved)
            meta.put(connection, _SETTING, setting.model_dump_json())
        return moved or 0.0


def _moved(connection: Connection, setting: HostClock) -> float | None:
    """By how many seconds the host's clock was set; None if nothing is known of before."""
    known = _setting(connection)
    if known is None:
        return None
    moved = setting.offset_s - known.offset_s
    return moved if abs(moved) > STEP_S else 0.0


def _setting(connection: Connection) -> HostClock | None:
    """The setting that is kept, if it is of this boot."""
    text = meta.get(connection, _SETTING)
    try:
        known = None if text is None else HostClock.model_validate_json(text)
    except ValidationError:
        return None
    return known if known is not None and known.boot == boot() else None
