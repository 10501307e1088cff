"""What an address says, and how it is shown."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import SourceNotFound, SourceUnreachable
from pipeline.sources import Kind, SourceOptions, open_source, shown
from pipeline.sources.address import kind_of


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("rtsp://192.0.2.20/stream1", Kind.RTSP),
        ("RTSPS://192.0.2.20/stream1", Kind.RTSP),
        ("http://192.0.2.20/video.mjpg", Kind.HTTP),
        ("https://192.0.2.20/live.m3u8", Kind.HTTP),
        ("film.mp4", Kind.FILE),
        ("/films/a:b.mp4", Kind.FILE),
        ("file:///films/a.mp4", Kind.FILE),
        ("webcam:0", Kind.WEBCAM),
        ("webcam:HD Pro Webcam", Kind.WEBCAM),
    ],
)
def test_an_address_is_of_a_kind(address: str, kind: Kind) -> None:
    assert kind_of("door", address) is kind


@pytest.mark.parametrize("address", ["ftp://u:hunter2@h/x", "webcam:", "webcam: ", "rtmp://h/x"])
def test_an_address_of_no_kind_is_told_in_a_sentence(address: str) -> None:
    with pytest.raises(SourceNotFound, match=r"^Camera door: .*write .*\.$") as caught:
        kind_of("door", address)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "seen"),
    [
        ("rtsp://192.0.2.20/stream1", "rtsp://192.0.2.20/stream1"),
        ("rtsp://admin:hunter2@192.0.2.20:554/s", "rtsp://192.0.2.20:554/s"),
        ("rtsp://admin:hun/ter2@192.0.2.20/s", "rtsp://192.0.2.20/s"),
        ("rtsp://admin:hun@ter2@192.0.2.20/s", "rtsp://192.0.2.20/s"),
        ("http://192.0.2.20/s?user=a&password=hunter2", "http://192.0.2.20/s?user=a&password=***"),
        ("rtsp://admin:hun?ter2@192.0.2.20/s", "rtsp://192.0.2.20/s"),
        (
            "http://192.0.2.20/s?x=1&password=a;b'c#hunter2&y=2",
            "http://192.0.2.20/s?x=1&password=***&y=2",
        ),
        ("http://192.0.2.20/s?p%61ssword=hunter2&y=2", "http://192.0.2.20/s?password=***&y=2"),
        ("http://192.0.2.20/s?p%2561ssword=hunter2", "http://192.0.2.20/s?password=***"),
        ("http://192.0.2.20/s?user=a%26pwd%3Dhunter2", "http://192.0.2.20/s?user=a&pwd=***"),
        ("http://192.0.2.20/s?name=a%26b", "http://192.0.2.20/s?name=a%26b"),
        ("a folder/film.mp4", "a folder/film.mp4"),
        ("admin:hunter2@192.0.2.20/s", "192.0.2.20/s"),
        ("rtsp:/admin:hunter2@192.0.2.20/s", "192.0.2.20/s"),
        ("rtsp//admin:hunter2@192.0.2.20/s", "192.0.2.20/s"),
        ("webcam:admin:hunter2@h", "h"),
        ("file:///films/x?password=hunter2", "file:///films/x?password=***"),
    ],
)
def test_an_address_is_shown_without_its_account(address: str, seen: str) -> None:
    assert shown(address) == seen


def test_a_film_that_is_there_is_shown_whole_whatever_its_name(tmp_path: Path) -> None:
    film = tmp_path / "me@home.mp4"
    film.touch()
    assert shown(str(film)) == str(film)


@pytest.mark.parametrize(
    "address",
    [
        "admin:hunter2@192.0.2.1/stream",
        "rtsp:/admin:hunter2@192.0.2.1/s",
        "rtsp//admin:hunter2@192.0.2.1/s",
        "rtsp:admin:hunter2@192.0.2.1/s",
        "/place/admin:hunter2@192.0.2.1/s",
    ],
)
def test_an_address_without_its_beginning_is_told_what_to_write(address: str) -> None:
    with pytest.raises(
        SourceNotFound, match=r"192\.0\.2\.1/s.*write rtsp:// in front\.$"
    ) as caught:
        open_source("door", address)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("address", ["webcam:admin:hunter2@h", "file:///x?password=hunter2"])
def test_what_is_no_film_and_no_webcam_is_told_without_its_password(address: str) -> None:
    with pytest.raises(SourceNotFound) as caught:
        open_source("door", address)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "password", ["p@Ss-hunter2#1", "p@hunter2/w", "p@hunter2?x", "77/hunter2", "hunter2/7"]
)
def test_a_password_that_is_not_encoded_is_not_told_but_how_to_encode_it(
    password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *_, **__: asked.append(host))
    with pytest.raises(
        SourceNotFound, match=r"192\.0\.2\.1.* percent-encoded, as %2F %40"
    ) as caught:
        open_source("door", f"rtsp://admin:{password}@192.0.2.1:9/s")
    assert asked == []  # nor does a name server learn a part of it
    assert "hunter2" not in str(caught.value).lower()
    assert caught.value.__context__ is None


def test_an_at_in_a_path_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    options = SourceOptions(open_timeout_s=1)
    for address in ("rtsp://admin:hunter2@127.0.0.1:9/a@b", "http://door.example/s?user=a@b"):
        with pytest.raises(SourceUnreachable, match=r"percent-encoded, as %2F %40") as caught:
            open_source("door", address, options=options)
        assert "hunter2" not in str(caught.value)


def test_an_address_whose_host_cannot_be_read_is_not_opened() -> None:
    with pytest.raises(SourceNotFound, match="names no host and port"):
        open_source("door", "rtsp://admin:hunter2@127.0.0.1:554x/s")
