"""Host names are looked up within a time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.errors import SourceUnreachable
from pipeline.sources import SourceOptions, open_source

LIMIT_S = 0.3
QUICK = SourceOptions(open_timeout_s=LIMIT_S)


def open_camera(host: str, scheme: str = "rtsp") -> None:
    open_source("door", f"{scheme}://me:hunter2@{host}/s", options=QUICK)


def looking_up() -> int:
    return sum(thread.name == "look-up" for thread in threading.enumerate())


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A name server that answers nothing until the test is over; the names it was asked for."""
    answer, asked = threading.Event(), list[str]()

    def getaddrinfo(host: str, *_: Any, **__: Any) -> Any:
        asked.append(host)
        answer.wait(30)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield asked
    answer.set()
    deadline = time.monotonic() + 10
    while looking_up() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert looking_up() == 0


@pytest.mark.parametrize("scheme", ["rtsp", "rtsps", "http", "https"])
def test_a_name_server_that_does_not_answer_is_told_in_time(silent: list[str], scheme: str) -> None:
    began = time.monotonic()
    with pytest.raises(SourceUnreachable, match="no name server tells the address of door.example"):
        open_camera("door.example:8554", scheme)
    assert LIMIT_S <= time.monotonic() - began < LIMIT_S + 1


def test_however_often_a_camera_is_tried_one_look_up_of_its_name_is_left_behind(
    silent: list[str],
) -> None:
    for _ in range(3):
        with pytest.raises(SourceUnreachable):
            open_camera("door.example")
    assert silent == ["door.example"]
    assert looking_up() == 1
    with pytest.raises(SourceUnreachable):
        open_camera("garden.example")
    assert looking_up() == 2


def test_a_name_that_is_not_known_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(SourceUnreachable) as caught:
        open_camera("door.example")
    assert str(caught.value) == (
        "Camera door: the host door.example is not known (name or service not known); "
        "check the address and the network."
    )
    assert caught.value.__context__ is None


def test_an_address_in_numbers_is_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = socket.getaddrinfo

    def getaddrinfo(host: str, port: Any = None, *rest: Any, **options: Any) -> Any:
        if port is None:
            asked.append(host)
        return real(host, port, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    for host in ("127.0.0.1:9", "[::1]:9"):
        with pytest.raises(SourceUnreachable, match="cannot be reached"):
            open_source("door", f"http://{host}/s", options=QUICK)
    assert asked == []
    with pytest.raises(SourceUnreachable, match="cannot be reached"):
        open_source("door", "http://localhost:9/s", options=QUICK)
    assert asked == ["localhost"]
