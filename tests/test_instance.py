"""One installation holds a data folder at a time, and others can find it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import platformdirs
import pytest

from pipeline import instance
from pipeline.errors import StoreError


def note(data: Path, **changes: str | None) -> instance.Instance:
    values = {"site": "test", "config": None, "redis": "redis://127.0.0.1:6390/0"} | changes
    return instance.Instance(pid=os.getpid(), data=str(data), started=datetime.now(UTC), **values)


def test_a_second_one_waits_and_is_then_refused_with_the_first_ones_number(tmp_path: Path) -> None:
    first = instance.DataLock(tmp_path / "data")
    first.acquire()
    times = iter(float(second) for second in range(100))
    waited: list[float] = []
    with pytest.raises(StoreError, match=rf"process {os.getpid()}\); stop that one"):
        instance.DataLock(tmp_path / "data").acquire(clock=lambda: next(times), sleep=waited.append)
    assert len(waited) == instance.LOCK_WAIT_S - 1
    first.release()
    instance.DataLock(tmp_path / "data").acquire()


def test_the_lock_lasts_as_long_as_any_worker_that_inherited_it(tmp_path: Path) -> None:
    lock = instance.DataLock(tmp_path)
    lock.acquire()
    worker = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"],
        stdin=subprocess.PIPE,
        pass_fds=(lock.fd,),
    )
    lock.release()
    second = instance.DataLock(tmp_path)
    times = iter([0.0, 100.0])
    with pytest.raises(StoreError, match="is in use"):
        second.acquire(clock=lambda: next(times), sleep=lambda _: None)
    worker.communicate()
    second.acquire()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written"):
        instance.DataLock(tmp_path / "file" / "data").acquire()


def test_what_runs_is_found_until_it_ends(tmp_path: Path) -> None:
    lock = instance.DataLock(tmp_path)
    lock.acquire()
    instance.announce(note(tmp_path))
    assert [one.data for one in instance.running()] == [str(tmp_path)]
    lock.release()
    assert instance.running() == []
    instance.withdraw(tmp_path)


def test_others_cannot_read_what_runs(tmp_path: Path) -> None:
    instance.announce(note(tmp_path))
    folder = platformdirs.user_state_path("vigil") / "running"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in folder.glob("*.json"))
    instance.withdraw(tmp_path)
    assert not list(folder.glob("*.json"))


def test_a_damaged_note_is_passed_over(tmp_path: Path) -> None:
    lock = instance.DataLock(tmp_path)
    lock.acquire()
    instance.announce(note(tmp_path))
    folder = platformdirs.user_state_path("vigil") / "running"
    (folder / "broken.json").write_text("{")
    assert [one.data for one in instance.running()] == [str(tmp_path)]
    (folder / "broken.json").unlink()
    instance.withdraw(tmp_path)
    lock.release()
