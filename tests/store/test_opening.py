"""Opening a data folder: made, migrated, refused with a sentence."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from happenings import NOW, after, asked, created, python, updated
from small_disk import fill, small_disk
from sqlalchemy import create_engine

from pipeline.errors import StoreError, StoreTooNew
from pipeline.store import Store
from pipeline.store.schema import REVISION, metadata

OPEN = """
import sys, time
from pathlib import Path
from pipeline.store import Store
began = time.perf_counter()
with Store.open(Path(sys.argv[1])) as store:
    seconds = time.perf_counter() - began
    print(seconds, "alembic" in sys.modules, store.installation)
"""


def sql(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "vigil.db")) as raw, raw:
        raw.execute(statement)


def test_the_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    Store.open(tmp_path / "data").close()
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_a_second_start_is_quick_and_needs_no_migrations(tmp_path: Path) -> None:
    Store.open(tmp_path / "data").close()
    command, options = python(OPEN, tmp_path / "data")
    done = subprocess.run(command, **options, capture_output=True, text=True, check=True)
    seconds, alembic, _ = done.stdout.split()
    assert float(seconds) < 0.15
    assert alembic == "False"


def test_processes_that_start_at_once_agree_on_one_database(tmp_path: Path) -> None:
    command, options = python(OPEN, tmp_path / "data")
    processes = [
        subprocess.Popen(command, **options, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    answers = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0] * 3, answers
    assert len({out.split()[2] for out, _ in answers}) == 1


@contextmanager
def migrating(folder: Path) -> Iterator[None]:
    """Somebody else migrates the folder."""
    folder.mkdir()
    with (folder / "vigil.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_a_start_waits_for_another_s_migration(tmp_path: Path) -> None:
    opened = threading.Event()

    def open_it() -> None:
        Store.open(tmp_path / "data").close()
        opened.set()

    thread = threading.Thread(target=open_it)
    with migrating(tmp_path / "data"):
        thread.start()
        assert not opened.wait(1.0)
    assert opened.wait(30)
    thread.join()


def test_a_migration_that_never_ends_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.store.database.MIGRATION_S", 0.05)
    with migrating(tmp_path / "data"):
        assert "Another vigil has been migrating" in refusal(tmp_path / "data")


def test_the_migrations_make_the_tables_that_the_program_uses(tmp_path: Path) -> None:
    Store.open(tmp_path / "data").close()
    engine = create_engine(f"sqlite:///{tmp_path / 'data' / 'vigil.db'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_the_program_knows_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", "pipeline.store:migrations")
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == REVISION


def test_a_migration_that_breaks_off_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic import command

    def upgrade_and_fail(*arguments: object) -> None:
        upgrade(*arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    upgrade = command.upgrade
    monkeypatch.setattr(command, "upgrade", upgrade_and_fail)
    with pytest.raises(KeyboardInterrupt):
        Store.open(tmp_path / "data")
    monkeypatch.undo()
    with closing(sqlite3.connect(tmp_path / "data" / "vigil.db")) as raw:
        assert raw.execute("SELECT name FROM sqlite_master").fetchall() == []
    with Store.open(tmp_path / "data") as store:
        store.amend("e1", created(), now=NOW)


def test_commits_are_on_the_disk_and_readers_do_not_wait(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store, store._database.read() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert settings == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 10_000,
    }


def test_a_copy_without_write_ahead_log_gets_it_back(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        store.amend("e1", created(), now=NOW)
    sql(tmp_path / "data", "PRAGMA journal_mode = DELETE")
    with Store.open(tmp_path / "data") as store, store._database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert store.event("e1") is not None


def test_a_newer_database_is_refused_in_a_sentence(tmp_path: Path) -> None:
    Store.open(tmp_path / "data").close()
    sql(tmp_path / "data", "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreTooNew) as refused:
        Store.open(tmp_path / "data")
    assert str(tmp_path / "data") in str(refused.value)
    assert "newer version of vigil" in str(refused.value)
    assert "9999" in str(refused.value)


def refusal(folder: Path) -> str:
    with pytest.raises(StoreError) as refused:
        Store.open(folder)
    sentence = str(refused.value)
    assert str(folder) in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def test_a_folder_in_a_missing_one_is_refused(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "missing" / "data")


def test_a_file_in_the_folder_s_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    assert "is a file" in refusal(tmp_path / "data")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be made (Not a directory)" in refusal(tmp_path / "file" / "data")


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        folder = Path("/proc/self")  # not even root can make files here
    else:
        folder = tmp_path / "data"
        folder.mkdir(mode=0o500)
    assert "cannot be written" in refusal(folder)


@pytest.mark.parametrize("content", [b"no database at all\n" * 400, b"SQLite format 3\0" * 400])
def test_what_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "vigil.db").write_bytes(content)
    assert "move it away" in refusal(tmp_path / "data")


def test_a_damaged_database_is_told_in_a_sentence(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        for number in range(100):
            store.amend(f"e{number}", asked(), now=NOW)
    sql(tmp_path / "data", "PRAGMA wal_checkpoint(TRUNCATE)")
    file = tmp_path / "data" / "vigil.db"
    size = file.stat().st_size
    with file.open("r+b") as raw:
        raw.seek(4096)
        raw.write(b"\xff" * (size - 4096))
    with (
        pytest.raises(StoreError, match="is damaged; move it away"),
        Store.open(tmp_path / "data") as store,
    ):
        store.search(100)


def test_a_database_held_by_another_program_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.store.database.BUSY_S", 0.05)
    with (
        Store.open(tmp_path / "data") as store,
        closing(sqlite3.connect(tmp_path / "data" / "vigil.db")) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="held by another program"):
            store.amend("e1", created(), now=NOW)


def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=2) as disk, Store.open(disk / "data") as store:
        store.amend("e1", asked(), now=NOW)
        ballast = fill(disk)
        reason = "A person. " * 20_000
        with pytest.raises(StoreError, match="disk of .* is full; free some space"):
            store.amend("e1", updated(rule_reason=reason), now=after(1))
        assert store.event("e1") == store.versions("e1")[-1]
        ballast.unlink()
        assert store.amend("e1", updated(rule_reason=reason), now=after(2)).version == 2


def test_no_event_s_content_is_in_an_error(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        sql(tmp_path / "data", "DROP TABLE outbox")
        with pytest.raises(StoreError) as refused:
            store.amend("e1", created(), now=NOW)
    assert "back door" not in f"{refused.value} {refused.value.__cause__}"


def test_the_filters_of_the_page_have_their_indexes(tmp_path: Path) -> None:
    Store.open(tmp_path / "data").close()
    for name in ("camera", "rule", "state", "severity"):
        with closing(sqlite3.connect(tmp_path / "data" / "vigil.db")) as raw:
            plan = raw.execute(
                f"EXPLAIN QUERY PLAN SELECT snapshot FROM events WHERE {name} = ?"
                " AND id < ? ORDER BY id DESC LIMIT 25",
                ("x", "y"),
            ).fetchall()
        assert f"USING INDEX events_{name} ({name}=? AND id<?)" in plan[0][3]
        assert len(plan) == 1, "sorted by hand"
