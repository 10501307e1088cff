"""A process that crashed or hangs tells whose native call it was."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from running import environment, until

from pipeline import blackbox

PRELUDE = """
import sys, threading, time
from native_faults import FAULTS
from pipeline.blackbox import Recorder
recorder = Recorder.attach(int(sys.argv[1]))
def wait():
    time.sleep(3600)
def work():
    # Takes the interpreter's lock again and again, as one who reads pictures does.
    while True: time.sleep(0.01)
def start(subject, run, call):
    trail = recorder.trail(subject)
    def calling():
        if call is None: return run()
        with trail.call(call): run()
    threading.Thread(target=trail.followed(calling), daemon=True).start()
start("idle", work, None)
start("calm", wait, "read")
start("busy", work, "read")
time.sleep(0.2)
"""


@contextmanager
def process(body: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    box = blackbox.make("test")
    with subprocess.Popen(
        [sys.executable, "-c", PRELUDE + body + "\nwait()", str(box)],
        env=environment(),
        pass_fds=(box,),
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running, box
        finally:
            running.kill()
            os.close(box)


def remains_after(body: str) -> blackbox.Remains:
    with process(body) as (running, box):
        _, errors = running.communicate(timeout=60)
        assert "Traceback" not in errors
        return blackbox.read(box)


def test_a_crash_in_a_thread_of_python_is_traced_to_it() -> None:
    remains = remains_after("start('bad', FAULTS['segfault'], 'open')")
    assert remains.suspects() == ("bad",)


def test_a_crash_outside_any_call_is_traced_to_its_thread_all_the_same() -> None:
    remains = remains_after("start('bad', FAULTS['segfault'], None)")
    assert remains.suspects() == ("bad",)


def test_after_a_crash_in_a_librarys_own_thread_all_who_were_in_a_call_are_suspects() -> None:
    remains = remains_after("start('bad', FAULTS['abort'], 'open')")
    assert remains.suspects() == ("calm", "busy", "bad")


def test_a_thread_that_ends_by_an_error_of_its_own_is_named() -> None:
    with process("start('bad', lambda: sys.exit('odd'), 'read')") as (_, box):
        assert until(lambda: blackbox.read(box).failed()) == ("bad",)
        assert blackbox.read(box).suspects() == ("bad",)


def test_of_a_hung_process_those_who_wait_for_the_lock_are_not_suspects() -> None:
    with process("start('bad', FAULTS['hold'], 'open')") as (running, box):
        until(lambda: any(crumb.subject == "bad" for crumb in blackbox.read(box).crumbs))
        # Whoever was in a call that has not returned may be it.
        until(lambda: blackbox.read(box).stuck(running.pid) == ("calm", "bad"))


def test_a_call_that_returned_leaves_nothing() -> None:
    recorder = blackbox.Recorder()
    trail = recorder.trail("door")

    def run() -> None:
        with trail.call("read"):
            (crumb,) = recorder.crumbs()
            assert (crumb.subject, crumb.call) == ("door", "read")
        (crumb,) = recorder.crumbs()
        assert crumb.call == ""

    trail.followed(run)()


@pytest.mark.parametrize("threads", [0, 3000])
def test_more_threads_than_there_is_room_for_do_no_harm(threads: int) -> None:
    recorder = blackbox.Recorder()
    for number in range(threads):
        recorder.trail(f"camera-{number}").followed(lambda: None)()
    assert len(recorder.crumbs()) <= threads
