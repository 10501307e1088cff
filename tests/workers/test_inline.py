"""`watch`: what it yields of a film and of a live source, and how it ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from handmade import frame, standing, times

from pipeline import watch
from pipeline.errors import DetectorError, SourceStalled, SourceUnreachable
from pipeline.stubs import StubDetector
from pipeline.types import Detection, EventType, Frame
from pipeline.workers import inline


class Stream:
    """A source that gives these frames, then ends or breaks."""

    codec, rate, dropped = "h264", 5.0, {}

    def __init__(self, frames: Iterable[Frame], *, live: bool, breaks: bool = False) -> None:
        self._frames, self.live, self._breaks = frames, live, breaks
        self.closed = False

    def frames(self) -> Iterator[Frame]:
        yield from self._frames
        if self._breaks:
            raise SourceStalled("It sends nothing.")

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch):
    def open_as(stream: Stream, answer=lambda _: [Detection("person", 0.8, standing(500, 800))]):
        monkeypatch.setattr(inline, "load_detector", lambda *_: StubDetector(answer))
        monkeypatch.setattr(inline, "open_source", lambda *_, **__: stream)
        return stream

    return open_as


def film() -> list[Frame]:
    return [frame(at) for at in times(0, 4)]


def test_of_a_film_every_version_of_every_event_is_told_until_it_ends(opened):
    stream = opened(Stream(film(), live=False))
    events = list(watch("a.mp4"))
    assert [event.type for event in events] == [EventType.CREATED, EventType.ENDED]
    assert [event.version for event in events] == [1, 2]
    assert events[0].id == events[1].id
    assert stream.closed


def test_a_live_source_that_ends_by_itself_raises_and_is_named_without_its_account(opened):
    opened(Stream(film(), live=True))
    with pytest.raises(SourceUnreachable, match=r"127\.0\.0\.1/door sends nothing more") as caught:
        list(watch("rtsp://someone:hush@127.0.0.1/door"))
    assert "hush" not in str(caught.value)


def test_a_live_source_that_breaks_says_how(opened):
    opened(Stream(film(), live=True, breaks=True))
    with pytest.raises(SourceStalled):
        list(watch("rtsp://127.0.0.1/door"))


def test_a_detector_that_fails_is_told_and_ends_nothing_in_silence(opened):
    def answer(_: Frame) -> list[Detection]:
        raise DetectorError("It failed.")

    stream = opened(Stream(film(), live=False), answer)
    with pytest.raises(DetectorError):
        list(watch("a.mp4"))
    assert stream.closed
