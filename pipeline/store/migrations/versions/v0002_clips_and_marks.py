"""What the page looks events up by, and the marks of operators."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, kind in (("rule", sa.String), ("severity", sa.String), ("started", sa.DateTime)):
        op.add_column("events", sa.Column(name, kind))
    # SQLite compares moments as text: one form for all of them, the one SQLAlchemy writes.
    op.execute(
        """
        UPDATE events SET
            rule = json_extract(snapshot, '$.rule'),
            severity = json_extract(snapshot, '$.severity'),
            started = strftime(
                '%Y-%m-%d %H:%M:%f', json_extract(snapshot, '$.started')
            ) || '000'
        """
    )
    op.create_index("events_started", "events", ["started"])
    op.create_table(
        "marks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("camera", sa.String, nullable=False),
        sa.Column("event_id", sa.String, sa.ForeignKey("events.id")),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("undone_at", sa.DateTime),
        sqlite_autoincrement=True,
    )
    op.create_index("marks_event", "marks", ["event_id"])
