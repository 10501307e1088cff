"""Versions of events that nobody is told of have no number among those that are published."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("outbox", sa.Column("number", sa.Integer))
    # All were published so far, and Redis knows them by these numbers.
    op.execute("UPDATE outbox SET number = sequence")
    op.create_index("outbox_number", "outbox", ["number"], unique=True)
