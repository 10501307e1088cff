"""A worker does not go on without one of its threads, nor give up because the disk is full."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest
from running import environment

from pipeline.errors import StoreError, StoreTooNew
from pipeline.workers import patience
from pipeline.workers.guard import CRASHED
from pipeline.workers.link import Link, Order, Stopped
from pipeline.workers.patience import patiently


def run(body: str) -> subprocess.CompletedProcess[str]:
    """A process whose main thread waits for ever while a guarded one runs `body`."""
    code = (
        "import logging, threading; logging.basicConfig()\n"
        "from pipeline.workers.guard import guarded_thread\n"
        f"def run(): {body}\n"
        "thread = guarded_thread('door-analyse', run); thread.start(); thread.join()\n"
        "print('went on')"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("failure", ["raise TimeoutError('it hangs')", "raise MemoryError"])
def test_a_thread_that_fails_ends_the_process_and_says_which(failure: str) -> None:
    done = run(failure)
    assert done.returncode == CRASHED
    assert "The thread door-analyse failed" in done.stderr
    assert "went on" not in done.stdout


def test_what_the_user_wrote_wrong_is_said_in_a_sentence_without_a_traceback() -> None:
    done = run("from pipeline.errors import ConfigError; raise ConfigError('No such rule.')")
    assert done.returncode == CRASHED
    assert done.stderr.splitlines()[-1].endswith("No such rule.")
    assert "Traceback" not in done.stderr


def test_a_thread_that_is_done_ends_nothing() -> None:
    done = run("pass")
    assert (done.returncode, done.stdout.strip()) == (0, "went on")


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> Link:
    monkeypatch.setattr(patience, "RETRY_S", 0.0)
    return Link(io.StringIO(), Order(name="watch-cameras"))


def test_a_store_that_fails_is_waited_for_and_the_supervisor_is_told(link: Link) -> None:
    failures = iter([StoreError("The disk of /data is full."), StoreError("Still full.")])

    def opened() -> str:
        for failure in failures:
            raise failure
        return "open"

    assert patiently(link, opened) == "open"
    told = link._out.getvalue()
    assert "The disk of /data is full." in told
    assert str(os.getpid()) in told


def test_a_store_that_is_too_new_is_not_waited_for(link: Link) -> None:
    def opened() -> str:
        raise StoreTooNew("A newer vigil wrote it.")

    with pytest.raises(StoreTooNew):
        patiently(link, opened)


def test_a_wish_to_stop_ends_the_wait(link: Link) -> None:
    def opened() -> str:
        link.stopping.set()
        raise StoreError("The disk of /data is full.")

    with pytest.raises(Stopped):
        patiently(link, opened)
