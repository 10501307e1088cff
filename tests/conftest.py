"""Fixtures for all tests. No test leaves this machine: see network_guard."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import network_guard
import pytest
import secrecy

TESTS = Path(__file__).resolve().parent
_notes = Path(tempfile.mkdtemp(prefix="vigil-test-")) / "connections"
atexit.register(shutil.rmtree, _notes.parent, ignore_errors=True)
os.environ[network_guard.NOTES] = str(_notes)
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(TESTS / "guard"), os.environ.get("PYTHONPATH")])
)
os.environ["VIGIL_TEST_REAL_CACHE"] = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
# Nothing a person has on this machine may change a test, and no test may change it.
for _name in ("STATE", "CACHE", "DATA", "CONFIG", "RUNTIME"):
    _key = "XDG_RUNTIME_DIR" if _name == "RUNTIME" else f"XDG_{_name}_HOME"
    os.environ[_key] = str(_notes.parent / _name.lower())
    (_notes.parent / _name.lower()).mkdir(mode=0o700)
network_guard.install()
# A runner started in the background ignores Ctrl-C, and so would every process that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _nothing_leaves_this_machine() -> Iterator[None]:
    yield
    assert not _notes.exists(), f"outbound connections were tried:\n{_notes.read_text()}"


@pytest.fixture(scope="session", autouse=True)
def _no_file_holds_a_password(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    yield
    leaking = secrecy.leaking_files(tmp_path_factory.getbasetemp())
    assert not leaking, "passwords stand in files:\n" + "\n".join(leaking)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test whose log or output holds a password has failed."""
    report = yield
    told = "".join(content for _, content in report.sections)
    words = secrecy.leaks(told.encode())
    if words and report.passed:
        report.outcome = "failed"
        report.longrepr = f"passwords stand in what was logged or printed: {', '.join(words)}"
    return report


@pytest.fixture(scope="session")
def media() -> Path:
    """The folder of shared test media."""
    folder = Path(os.environ.get("VIGIL_TEST_MEDIA", TESTS.parent.parent / "shared" / "media"))
    if not folder.is_dir():
        pytest.skip(f"there are no test media at {folder}; name the folder in VIGIL_TEST_MEDIA")
    return folder


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80 s in which a person comes, stays 24 s and goes, twice."""
    from pipeline.simulate.made import make_film

    path = tmp_path_factory.mktemp("film") / "person.mp4"
    make_film(path)
    return path


@pytest.fixture(scope="session")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 s in which a person comes, stays 24 s and goes."""
    from pipeline.simulate.made import make_film

    path = tmp_path_factory.mktemp("film") / "visit.mp4"
    make_film(path, visits=1)
    return path


@pytest.fixture(scope="session")
def camera(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The film as an RTSP camera; each client gets it from where the person has come."""
    from pipeline.simulate import serve

    stop, ready = threading.Event(), threading.Event()
    urls: dict[str, str] = {}

    def on_ready(addresses: Any) -> None:
        urls.update(addresses)
        ready.set()

    thread = threading.Thread(
        target=serve,
        args=({"person": film}, tmp_path_factory.mktemp("reels")),
        kwargs={"stop": stop, "port": 0, "start_s": 26.0, "on_ready": on_ready},
    )
    thread.start()
    assert ready.wait(30)
    yield urls["person"]
    stop.set()
    thread.join()
