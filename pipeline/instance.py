"""What runs on this machine: a lock on each data folder, and a note by which `vigil subscribe`
finds a running installation."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import platformdirs
from pydantic import AwareDatetime, ValidationError

from pipeline.errors import StoreError
from pipeline.types import Wire

LOCK_WAIT_S = 5.0
"""So long a start waits for the workers of a killed predecessor to end."""


class Instance(Wire):
    """A running installation. `redis` is None where its address holds an account: then the
    configuration file `config` has it."""

    pid: int
    data: str
    site: str
    config: str | None
    redis: str | None
    started: AwareDatetime


class DataLock:
    """Holds a data folder for one installation.

    The lock belongs to the open file, which the workers inherit: it is free only when the last
    of them has ended, even after a kill -9 of the supervisor.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self.fd = -1

    def acquire(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Raises: StoreError: the folder cannot be written, or another installation has it."""
        folder = self._path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                f"The data folder {folder} cannot be written ({error.strerror}); "
                "name another with `data:` or make it writable."
            ) from None
        until = clock() + LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if clock() >= until:
                    holder = os.pread(self.fd, 32, 0).decode(errors="replace").strip()
                    self.release()
                    raise StoreError(
                        f"The data folder {folder} is in use by another vigil "
                        f"(process {holder or 'unknown'}); stop that one or name another folder."
                    ) from None
                sleep(0.1)
            else:
                break
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _folder() -> Path:
    """Where the notes lie; other users of the machine cannot read it."""
    folder = platformdirs.user_state_path("vigil") / "running"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def _note(data: Path | str) -> Path:
    return _folder() / (hashlib.sha256(str(data).encode()).hexdigest()[:16] + ".json")


def announce(instance: Instance) -> None:
    """Leave the note; a home that cannot be written only means that nobody finds it."""
    try:
        note = _note(instance.data)
        draft = note.with_suffix(f".{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(instance.model_dump_json())
        draft.replace(note)
    except OSError:
        return


def withdraw(data: Path | str) -> None:
    """Take the note back."""
    try:
        _note(data).unlink(missing_ok=True)
    except OSError:
        return


def running() -> list[Instance]:
    """The installations of this user that run now, the newest first."""
    found = []
    try:
        notes = list(_folder().glob("*.json"))
    except OSError:
        return []
    for note in notes:
        try:
            instance = Instance.model_validate_json(note.read_bytes())
        except (OSError, ValidationError):
            continue
        if _alive(instance):
            found.append(instance)
    return sorted(found, key=lambda instance: instance.started, reverse=True)


def _alive(instance: Instance) -> bool:
    """Whether somebody holds the instance's data folder."""
    try:
        fd = os.open(Path(instance.data) / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(fd)
