"""Single values of the installation, by key; within a transaction of the caller's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert, select, update

from pipeline.store import schema

INSTALLATION = "installation"
"""A UUID, made with the database."""

_TABLE = schema.meta


def get(connection: Connection, key: str) -> str | None:
    return connection.scalar(select(_TABLE.c.value).where(_TABLE.c.key == key))


def put(connection: Connection, key: str, value: str) -> None:
    changed = connection.execute(update(_TABLE).where(_TABLE.c.key == key).values(value=value))
    if changed.rowcount == 0:
        connection.execute(insert(_TABLE).values(key=key, value=value))


def save_camera(connection: Connection, camera: str, state: Mapping[str, Any]) -> None:
    """Keep what a camera's worker wants to find again; `state` is a JSON object."""
    text = json.dumps(state, allow_nan=False)
    table = schema.cameras
    changed = connection.execute(update(table).where(table.c.camera == camera).values(state=text))
    if changed.rowcount == 0:
        connection.execute(insert(table).values(camera=camera, state=text))
