"""What an address says, and how it is shown."""

from __future__ import annotations

import pytest

from pipeline.errors import SourceNotFound
from pipeline.sources import Kind, kind_of, shown


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
        ("a folder/film.mp4", "a folder/film.mp4"),
    ],
)
def test_an_address_is_shown_without_its_account(address: str, seen: str) -> None:
    assert shown(address) == seen
