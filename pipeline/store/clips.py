"""Which work on an event's clips is open: the first cut, the cut of all of it, then the drawing."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from pipeline.amendment import EventClipFailed, EventClipReady, Footage
from pipeline.store import jobs
from pipeline.store.jobs import JobKind
from pipeline.types import Event

PATIENCE = timedelta(days=30)
"""A clip comes late rather than never."""
_CUTS = (JobKind.CUT_FIRST, JobKind.CUT)


def begin(connection: Connection, event: Event, footage: Footage, now: datetime) -> None:
    """Ask for a new event's clips."""
    for kind in _CUTS:
        _begin(connection, kind, event, footage.model_dump_json(), now)


def settle(
    connection: Connection, event: Event, amendment: EventClipReady | EventClipFailed, now: datetime
) -> None:
    """After the final raw clip comes the annotated one, if it is wanted or the raw one is for few;
    a failure is tried again unless it is final."""
    if isinstance(amendment, EventClipFailed):
        if amendment.final:
            jobs.close(connection, event.id, *((JobKind.DRAW,) if amendment.annotated else _CUTS))
    elif amendment.clip.annotated:
        jobs.close(connection, event.id, JobKind.DRAW)
    elif not amendment.final:
        jobs.close(connection, event.id, JobKind.CUT_FIRST)
    else:
        payload = jobs.payload(connection, event.id, JobKind.CUT)
        jobs.close(connection, event.id, *_CUTS)
        if payload is None:
            return
        if amendment.clip.restricted or Footage.model_validate_json(payload).annotated:
            _begin(connection, JobKind.DRAW, event, payload, now)


def _begin(
    connection: Connection, kind: JobKind, event: Event, payload: str, now: datetime
) -> None:
    jobs.begin(connection, kind, event, payload, now=now, deadline=now + PATIENCE)
