"""Single values of the installation, by key; within a transaction of the caller's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, Connection, Table, insert, select, update

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
    _save(connection, schema.cameras.c.state, camera, state)


def save_memory(connection: Connection, camera: str, memory: Mapping[str, Any]) -> None:
    """Keep what a camera has learned; `memory` is a JSON object."""
    _save(connection, schema.camera_memories.c.memory, camera, memory)


def _save(
    connection: Connection, column: Column[Any], camera: str, value: Mapping[str, Any]
) -> None:
    """Put a JSON object into a camera's row of the column's table."""
    table, values = column.table, {column.name: json.dumps(value, allow_nan=False)}
    assert isinstance(table, Table)
    changed = connection.execute(update(table).where(table.c.camera == camera).values(values))
    if changed.rowcount == 0:
        connection.execute(insert(table).values(camera=camera, **values))
