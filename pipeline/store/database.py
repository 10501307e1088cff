"""The database in the data folder: opened, migrated, and its errors put into sentences."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from pipeline.errors import StoreError, StoreTooNew
from pipeline.store.schema import REVISION

FILE = "vigil.db"
BUSY_S = 10.0
"""A writer waits so long for others; each of them holds the lock for milliseconds."""
MIGRATION_S = 60.0
"""So long one start waits for another's migration."""

_CAUSES = {
    sqlite3.SQLITE_FULL: "the disk of {folder} is full; free some space on it",
    sqlite3.SQLITE_READONLY: "{folder} cannot be written; make it writable or name another folder",
    sqlite3.SQLITE_CANTOPEN: "{folder} cannot be written; make it writable or name another folder",
    sqlite3.SQLITE_PERM: "{folder} cannot be written; make it writable or name another folder",
    sqlite3.SQLITE_CORRUPT: "the file {file} is damaged; move it away, then a new one is made",
    sqlite3.SQLITE_NOTADB: "the file {file} is no database; move it away, then a new one is made",
    sqlite3.SQLITE_BUSY: "the file {file} is held by another program; end that one",
    sqlite3.SQLITE_LOCKED: "the file {file} is held by another program; end that one",
    sqlite3.SQLITE_IOERR: "{folder} cannot be read or written; check its disk",
}


class Database:
    """Transactions on the file `vigil.db` of a data folder; threads and processes may share it."""

    def __init__(self, folder: Path) -> None:
        """Open, and create or migrate as needed.

        Raises:
            StoreTooNew: a newer version of the program wrote it.
            StoreError: the folder or the file in it cannot be used.
        """
        self.folder = folder
        _make(folder)
        self._engine = _engine(folder / FILE)
        self._writer = self._engine.execution_options(begin="IMMEDIATE")
        try:
            with self.read() as connection:
                ready = _revision(connection) == REVISION and _journal(connection) == "wal"
            if not ready:
                self._prepare()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view of the database as it is now. Raises: StoreError."""
        with self._errors(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that alone may write, from its very begin; committed on leaving, and on
        the disk then. Raises: StoreError: nothing was changed."""
        with self._errors(), self._writer.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close the connections; a later use opens new ones."""
        self._engine.dispose()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
            cause = _CAUSES.get(code, f"the database answered: {error.orig}")
            reason = cause.format(folder=self.folder, file=self.folder / FILE)
            raise StoreError(f"The store cannot be used: {reason}.") from error
        except NoConnectionError as error:
            raise StoreError("The store cannot be used: too many use it at once.") from error

    def _prepare(self) -> None:
        """Migrate while no other start does."""
        with _lock(self.folder / f"{FILE}.lock", self.folder):
            with self._errors(), self._engine.connect() as connection:
                # Outside of any transaction, and for good: the mode is kept in the file.
                raw = connection.connection.cursor()
                mode = raw.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            if mode != "wal":
                raise StoreError(
                    f"The disk of the data folder {self.folder} cannot be shared by several "
                    "processes (no write-ahead log); name a folder on a local disk."
                )
            with self.write() as connection:
                _migrate(connection, self.folder)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True, mode=0o700)
    except FileNotFoundError:
        raise StoreError(
            f"The data folder {folder} cannot be made, since {folder.parent} does not exist; "
            "create that or correct `data`."
        ) from None
    except FileExistsError:
        raise StoreError(
            f"The data folder {folder} is a file; remove that or name another folder."
        ) from None
    except OSError as error:
        raise StoreError(
            f"The data folder {folder} cannot be made ({error.strerror}); "
            "make its parent writable or name another folder."
        ) from None


def _engine(file: Path) -> Engine:
    engine = create_engine(
        f"sqlite+pysqlite:///{file}",
        connect_args={"timeout": BUSY_S},
        hide_parameters=True,
    )

    def connected(raw: Any, record: object) -> None:
        cursor = raw.cursor()
        # A committed event must outlive a power cut, hence FULL.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    def begun(connection: Connection) -> None:
        kind = connection.get_execution_options().get("begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {kind}")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
    return engine


def _journal(connection: Connection) -> str:
    return str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one())


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def _migrate(connection: Connection, folder: Path) -> None:
    # Takes a second to import, and only a first start or an update needs it.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "pipeline.store:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    found = _revision(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise StoreTooNew(
            f"The data folder {folder} was written by a newer version of vigil "
            f"(database revision {found}); update vigil or name another folder."
        )
    command.upgrade(config, "head")


@contextmanager
def _lock(file: Path, folder: Path) -> Iterator[None]:
    """Hold a lock between processes; the system takes it back when the process ends."""
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(
            f"The data folder {folder} cannot be written ({error.strerror}); "
            "make it writable or name another folder."
        ) from None
    try:
        until = time.monotonic() + MIGRATION_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise StoreError(
                        f"Another vigil has been migrating the data folder {folder} for "
                        f"{MIGRATION_S:.0f} s; end it and start again."
                    ) from None
                time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)
