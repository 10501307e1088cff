"""What each camera has learned over days."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "camera_memories",
        sa.Column("camera", sa.String, primary_key=True),
        sa.Column("memory", sa.Text, nullable=False),
    )
