"""Events, their versions, jobs, and what cameras remember."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    meta = op.create_table(
        "meta",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("value", sa.String, nullable=False),
    )
    op.bulk_insert(meta, [{"key": "installation", "value": str(uuid.uuid4())}])
    op.create_table(
        "events",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("camera", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("ended", sa.DateTime),
        sa.Column("snapshot", sa.Text, nullable=False),
    )
    op.create_index("events_open", "events", ["camera", "ended"])
    op.create_table(
        "outbox",
        sa.Column("sequence", sa.Integer, primary_key=True),
        sa.Column("event_id", sa.String, sa.ForeignKey("events.id"), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("committed_at", sa.DateTime, nullable=False),
        sa.Column("snapshot", sa.Text, nullable=False),
        sa.UniqueConstraint("event_id", "version", name="outbox_version"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("event_id", sa.String, sa.ForeignKey("events.id"), nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("score", sa.Float, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("deadline", sa.DateTime, nullable=False),
        sa.Column("not_before", sa.DateTime, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("worker", sa.String),
        sa.Column("leased_until", sa.DateTime),
        sa.Column("reason", sa.String),
        sa.UniqueConstraint("event_id", "kind", name="jobs_one_of_a_kind"),
        sqlite_autoincrement=True,
    )
    op.create_index("jobs_next", "jobs", ["kind", "score"])
    op.create_table(
        "cameras",
        sa.Column("camera", sa.String, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
    )
