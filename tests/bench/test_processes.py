"""What processes take is read from the system."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.bench.processes import busy_seconds, cpu_seconds, memory_mb

WORKS = "x = bytearray(b'x') * {mb}_000_000; t = __import__('time').process_time\n"
WORKS += "while t() < 0.2: pass\nprint(flush=True); import sys; sys.stdin.read()"
STARTS_ONE = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"


@contextmanager
def working(*arguments: str) -> Iterator[int]:
    """The id of a Python process, once it or its child has worked."""
    with subprocess.Popen(
        [sys.executable, "-c", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.stdin.close()


def test_processor_time_is_told_of_this_process_and_of_all_that_it_started() -> None:
    before, busy = cpu_seconds(), busy_seconds()
    with working(STARTS_ONE, WORKS.format(mb=1)) as parent:
        after = cpu_seconds()
        busy = busy_seconds() - busy
    started = {pid: seconds for pid, seconds in after.items() if pid not in before}
    assert len(started) == 2
    assert started[parent] < 0.1 <= max(started.values()) < 5
    assert 0 < after[os.getpid()] <= time.process_time() + 0.1
    assert 1 not in after
    assert busy >= 0.2


def test_memory_is_what_a_process_holds_and_grows_with_it() -> None:
    with working(WORKS.format(mb=10)) as small, working(WORKS.format(mb=90)) as large:
        more = memory_mb([large]) - memory_mb([small])
        assert 75 < more < 85
        both = memory_mb([small, large])
        assert both > memory_mb([large])


def test_the_memory_of_a_process_that_has_ended_is_not_known() -> None:
    with working(WORKS.format(mb=1)) as pid:
        pass
    assert memory_mb([os.getpid(), pid]) is None
