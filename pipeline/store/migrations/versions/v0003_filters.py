"""Filters of the page that find nothing do not read every event for it."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("camera", "rule", "state", "severity"):
        op.create_index(f"events_{name}", "events", [name, "id"])
