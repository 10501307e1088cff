"""The tables, as the migrations leave them."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

REVISION = "0006"
"""The newest migration; a database at another is migrated, or refused if it is not known."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment, kept in UTC."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


metadata = MetaData()

# Facts about the installation, such as its UUID.
meta = Table(
    "meta",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
)

# The newest version of each event; the columns beside the snapshot are what is looked for.
events = Table(
    "events",
    metadata,
    Column("id", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("camera", String, nullable=False),
    Column("state", String, nullable=False),
    Column("ended", UtcDateTime),
    Column("snapshot", Text, nullable=False),
    Column("rule", String),
    Column("severity", String),
    Column("started", UtcDateTime),
    Index("events_open", "camera", "ended"),
    Index("events_started", "started"),
    # What the page filters by, each in the order it lists.
    *(Index(f"events_{name}", name, "id") for name in ("camera", "rule", "state", "severity")),
)

# Every version of every event in the order of commitment: what is published, and the history.
# What is published is numbered for itself, without gaps; of the rest `number` is null.
outbox = Table(
    "outbox",
    metadata,
    Column("sequence", Integer, primary_key=True),
    Column("event_id", String, ForeignKey("events.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("type", String, nullable=False),
    Column("committed_at", UtcDateTime, nullable=False),
    Column("snapshot", Text, nullable=False),
    Column("number", Integer),
    UniqueConstraint("event_id", "version", name="outbox_version"),
    Index("outbox_number", "number", unique=True),
    # A number is never given twice, not even after the newest rows were removed.
    sqlite_autoincrement=True,
)

# What remains to be done about an event; a row is removed when it is done.
jobs = Table(
    "jobs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String, nullable=False),
    Column("event_id", String, ForeignKey("events.id"), nullable=False),
    Column("payload", Text, nullable=False),
    Column("score", Float, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("deadline", UtcDateTime, nullable=False),
    Column("not_before", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("worker", String),
    Column("leased_until", UtcDateTime),
    Column("reason", String),
    UniqueConstraint("event_id", "kind", name="jobs_one_of_a_kind"),
    Index("jobs_next", "kind", "score"),
    sqlite_autoincrement=True,
)

# What operators say of events; rows are only added, and undone.
marks = Table(
    "marks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String, nullable=False),
    Column("camera", String, nullable=False),
    Column("event_id", String, ForeignKey("events.id")),
    Column("at", UtcDateTime, nullable=False),
    Column("note", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("undone_at", UtcDateTime),
    Index("marks_event", "event_id"),
    sqlite_autoincrement=True,
)

# What a camera's worker wants to find again after a restart.
cameras = Table(
    "cameras",
    metadata,
    Column("camera", String, primary_key=True),
    Column("state", Text, nullable=False),
)

# What a camera has learned over days, however long ago it was watched last.
camera_memories = Table(
    "camera_memories",
    metadata,
    Column("camera", String, primary_key=True),
    Column("memory", Text, nullable=False),
)

# How each camera was and when: a row a state, the newest without an end.
camera_states = Table(
    "camera_states",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("camera", String, nullable=False),
    Column("state", String, nullable=False),
    Column("cause", Text),
    Column("began", UtcDateTime, nullable=False),
    Column("ended", UtcDateTime),
    # It is known to have lasted up to here: after a crash that is its end.
    Column("seen", UtcDateTime, nullable=False),
    Index("camera_states_camera", "camera", "began"),
    sqlite_autoincrement=True,
)
