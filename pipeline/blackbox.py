"""What a process leaves behind when it ends without a word: whose native call each thread was in.

A supervisor makes a box, which is memory that both processes see and no file anybody could find,
and hands it to its worker. The worker's threads write one crumb each, in a fixed place; where a
signal ends it, the standard library's faulthandler adds which thread was hit, after the crumbs.
A worker that hangs, with or without the interpreter's lock, is read the same way as a dead one.
"""

from __future__ import annotations

import faulthandler
import mmap
import os
import re
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_CRUMB = struct.Struct("<QQd8s64s")
_CRUMBS = 1024
SIZE = _CRUMB.size * _CRUMBS
"""Bytes of all crumbs; faulthandler writes behind them."""
_LONGEST_DUMP = 1_000_000
FAILED = "failed"
"""Stands in the place of a call where a thread ended by an error of its own."""

_HIT = re.compile(rb"^Current thread 0x([0-9a-f]+)", re.MULTILINE)

POLLING_S = 0.2
"""How long threads are looked at to see who asks for the interpreter's lock."""
_POLLS = 8
"""A thread that wants the lock asks every 5 ms: 40 times meanwhile, on a machine with time."""


@dataclass(frozen=True, slots=True)
class Crumb:
    """Where one thread is: in the native call `call` for `subject` since `since` (`time.monotonic`
    of this machine), or in none where `call` is empty."""

    subject: str
    call: str
    since: float
    ident: int
    native_id: int


class Recorder:
    """The worker's end: a trail for each of its threads, in a writable buffer of `SIZE` bytes."""

    def __init__(self, buffer: bytearray | mmap.mmap | None = None) -> None:
        self._buffer = bytearray(SIZE) if buffer is None else buffer
        self._taken = 0
        self._lock = threading.Lock()

    @classmethod
    def attach(cls, fd: int) -> Self:
        """Write into a supervisor's box, and have faulthandler do so when a signal ends this
        process."""
        os.set_inheritable(fd, False)
        os.lseek(fd, SIZE, os.SEEK_SET)
        faulthandler.enable(file=fd)
        return cls(mmap.mmap(fd, SIZE))

    def trail(self, subject: str) -> Trail:
        """The trail of one thread that works for `subject`, such as a camera (63 bytes at most).

        Where there are more threads than there is room, the last share a place.
        """
        with self._lock:
            place = min(self._taken, _CRUMBS - 1)
            self._taken += 1
        return Trail(self._buffer, place * _CRUMB.size, subject)

    def crumbs(self) -> tuple[Crumb, ...]:
        """Where each thread is now."""
        return _crumbs(self._buffer)


class Trail:
    """Says where one thread is; costs about a microsecond."""

    def __init__(self, buffer: bytearray | mmap.mmap, offset: int, subject: str) -> None:
        self._buffer, self._offset, self._subject = buffer, offset, subject.encode()
        self._ids = (0, 0)

    def followed(self, run: Callable[[], None]) -> Callable[[], None]:
        """`run` for the thread whose trail this is; an error that ends it is left in the box."""

        def running() -> None:
            self._ids = (threading.get_ident(), threading.get_native_id())
            self._write("")
            try:
                run()
            except BaseException:
                self._write(FAILED)
                raise

        return running

    @contextmanager
    def call(self, what: str) -> Iterator[None]:
        """Around a native call; `what` is one word of at most 8 letters."""
        self._write(what)
        try:
            yield
        finally:
            self._write("")

    def _write(self, what: str) -> None:
        now = time.monotonic()
        _CRUMB.pack_into(self._buffer, self._offset, *self._ids, now, what.encode(), self._subject)


@dataclass(frozen=True, slots=True)
class Remains:
    """What a box holds; `hit` is the thread that a signal ended, where Python knew it."""

    crumbs: tuple[Crumb, ...]
    hit: int | None

    def suspects(self) -> tuple[str, ...]:
        """For whom it may have been that the process ended: one if that is known.

        A thread of a library's own, such as a decoder's, is unknown to Python: then it may have
        been anyone who was in a native call, and if nobody was, anyone.
        """
        failed = [crumb for crumb in self.crumbs if crumb.call == FAILED]
        hit = [crumb for crumb in self.crumbs if self.hit and crumb.ident == self.hit]
        calling = [crumb for crumb in self.crumbs if crumb.call]
        return subjects(failed or hit or calling or self.crumbs)

    def failed(self) -> tuple[str, ...]:
        """For whom a thread worked that ended by an error of its own."""
        return subjects([crumb for crumb in self.crumbs if crumb.call == FAILED])

    def stuck(self, pid: int) -> tuple[str, ...]:
        """For whom it may be that the process `pid`, which still is there, hangs.

        Who holds the interpreter's lock in a native call does not ask for it, and all others whose
        calls have returned meanwhile do, which their context switches show. Takes `POLLING_S`.
        """
        calling = [crumb for crumb in self.crumbs if crumb.call]
        before = {crumb.native_id: _switches(pid, crumb.native_id) for crumb in calling}
        time.sleep(POLLING_S)
        still = [
            crumb
            for crumb in calling
            if _switches(pid, crumb.native_id) - before[crumb.native_id] < _POLLS
        ]
        return subjects(still or calling or self.crumbs)


def make(name: str) -> int:
    """A new box, as the descriptor to hand to a worker and to `read` later.

    Raises:
        OSError: no memory or descriptor can be had.
    """
    fd = os.memfd_create(f"vigil-{name}")
    os.ftruncate(fd, SIZE)
    return fd


def read(fd: int) -> Remains:
    """What is in a box now."""
    hit = _HIT.search(os.pread(fd, _LONGEST_DUMP, SIZE))
    return Remains(_crumbs(os.pread(fd, SIZE, 0)), int(hit[1], 16) if hit else None)


def subjects(crumbs: Sequence[Crumb]) -> tuple[str, ...]:
    """Whom they are about, each once, in order."""
    return tuple(dict.fromkeys(crumb.subject for crumb in crumbs))


def _crumbs(buffer: bytes | bytearray | mmap.mmap) -> tuple[Crumb, ...]:
    found = []
    for ident, native_id, since, call, subject in _CRUMB.iter_unpack(buffer[:SIZE]):
        if not ident:
            continue
        name, what = (text.rstrip(b"\0").decode(errors="replace") for text in (subject, call))
        found.append(Crumb(name, what, since, ident, native_id))
    return tuple(found)


def _switches(pid: int, native_id: int) -> int:
    """How often a thread has let another one run by itself; 0 where that cannot be read."""
    try:
        status = Path(f"/proc/{pid}/task/{native_id}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status, re.MULTILINE)
    return int(found[1]) if found else 0
