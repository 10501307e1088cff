"""The process of the embedded server: begun, awaited, ended, and found again after a crash."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from redis import exceptions as errors

from pipeline.bus.connection import connect
from pipeline.errors import BusError

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
LOG = "server.log"
START_S = 30.0
"""A long append-only file takes seconds to read."""
STOP_S = 3.0
_ANSWER_S = 1.0
_POLL_S = 0.01
_SERVER_LOCK = "server.lock"

# Runs as the server's process before it becomes the server. It notes its number in the file that it
# keeps locked from then on, and asks the kernel to be ended with the thread that began it, which
# only a process can ask for itself (and where the system cannot do so, the next start ends it).
_PRELUDE = """
import ctypes, os, signal, sys
parent, lock, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
os.pwrite(lock, b"%d\\n" % os.getpid(), 0)
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() == parent:
    os.execv(program, sys.argv[3:])
"""


class Server:
    """A server process, begun and awaited by a thread that lives as long as it does.

    The kernel ends the server when the *thread* that began it ends, so that may not be the
    caller's, which can be short-lived.
    """

    def __init__(self, program: Path, folder: Path, port: int) -> None:
        self.port = port
        self._program = program
        self._folder = folder
        self._begun = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._problem: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="embedded-redis", daemon=True)
        self._thread.start()
        self._begun.wait()
        if self._problem is not None:
            raise self._problem

    def _run(self) -> None:
        try:
            self._process = self._begin()
        except OSError as error:
            self._problem = error
        finally:
            self._begun.set()
        if self._process is not None:
            self._process.wait()

    def _begin(self) -> subprocess.Popen[bytes]:
        lock = os.open(
            self._folder / _SERVER_LOCK, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600
        )
        try:
            # The lock belongs to the open file, which the server keeps until it ends.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            prelude = [sys.executable, "-I", "-S", "-c", _PRELUDE, str(os.getpid()), str(lock)]
            return subprocess.Popen(
                prelude + _command(self._program, self.port),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(lock,),
                # Ctrl-C in a terminal is for the supervisor, which stops things in order.
                start_new_session=True,
            )
        finally:
            os.close(lock)

    def ready(self) -> bool:
        """Wait until it has its data; False if it ended instead, or took too long."""
        until = time.monotonic() + START_S
        while self._runs() and time.monotonic() < until:
            if self.answers(loaded=True):
                return True
            time.sleep(_POLL_S)
        return False

    def answers(self, *, loaded: bool = False) -> bool:
        """Whether it is this server that answers at the port, with its data `loaded`."""
        assert self._process is not None
        if not self._runs():
            return False
        # Not PING, which a server with a full disk refuses as if it were a write.
        with connect(f"redis://{HOST}:{self.port}/0", timeout_s=_ANSWER_S) as client:
            try:
                told = client.info()
            except errors.RedisError:
                return False
        mine = told.get("process_id") == self._process.pid
        return mine and not (loaded and told.get("loading"))

    def stop(self) -> None:
        assert self._process is not None
        if self._runs():
            self._process.terminate()
        self._thread.join(STOP_S)
        if self._thread.is_alive():
            logger.warning("The embedded Redis does not end in order; killing it")
            self._process.kill()
            self._thread.join()

    def _runs(self) -> bool:
        return self._thread.is_alive()


def _command(program: Path, port: int) -> list[str]:
    # Paths are relative to its working directory, since its options know no quoting.
    options = {
        "bind": HOST,
        "port": str(port),
        "protected-mode": "yes",
        "dir": ".",
        "logfile": LOG,
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
    }
    command = [str(program)]
    for key, value in options.items():
        command += [f"--{key}", value]
    return command


def end_orphan(folder: Path) -> None:
    """End a server that still runs in this folder; the caller holds the folder itself."""
    lock = os.open(folder / _SERVER_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if _is_unlocked(lock, 0.0):
            return
        for order in (signal.SIGTERM, signal.SIGKILL):
            # Whoever holds the lock has written this number, so it is no other process's.
            pid = int(os.pread(lock, 32, 0).strip() or 0)
            logger.warning("Ending the embedded Redis (%d) that a killed vigil left behind", pid)
            with contextlib.suppress(ProcessLookupError):
                if pid > 0:
                    os.kill(pid, order)
            if _is_unlocked(lock, STOP_S):
                return
    finally:
        os.close(lock)
    raise BusError(f"An embedded Redis still runs in {folder} and cannot be ended; end it.")


def _is_unlocked(lock: int, wait_s: float) -> bool:
    until = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(_POLL_S)
        else:
            return True
