"""A camera that is kept open."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from films import make_film
from rtsp_camera import RtspCamera, Stream

from pipeline.errors import (
    SourceError,
    SourceNotFound,
    SourceRefused,
    SourceStalled,
    SourceUnreachable,
)
from pipeline.health import CameraState
from pipeline.simulate import load
from pipeline.sources import Backoff, Clock, OpenedSource, Reconnecting, SourceOptions, open_source
from pipeline.sources.pictures import ArrayPicture
from pipeline.sources.timing import utc_now
from pipeline.types import Frame

Step = SourceError | list[float]
"""An opening that fails; or one whose frames come at these times, and that then ends."""


class Scripted:
    """An opened source that gives frames at given times, then fails or ends."""

    codec, rate = "h264", 10.0

    def __init__(self, times: list[float], failure: SourceError | None, *, live: bool) -> None:
        self.live = live
        self.dropped = Counter(corrupt=1)
        self.closed = 0
        self.idling: list[bool] = []
        self._times = times
        self._failure = failure

    def frames(self) -> Iterator[Frame]:
        import numpy as np

        picture = ArrayPicture(np.zeros((2, 2, 3), np.uint8))
        for index, time in enumerate(self._times):
            if self.closed:
                return
            yield Frame("door", index, utc_now(), time, time, (2, 2), picture, index == 0)
        if self._failure is not None:
            raise self._failure

    def idle(self, idle: bool) -> None:
        self.idling.append(idle)

    def close(self) -> None:
        self.closed += 1


class World:
    """Cameras by script, time without waiting, and what was told."""

    def __init__(self, *steps: Scripted | SourceError, address: str = "rtsp://192.0.2.20/s"):
        self.stop = threading.Event()
        self.waits: list[float] = []
        self.calls: list[str] = []
        self.states: list[tuple[CameraState, str | None]] = []
        self._steps = list(steps)
        self.camera = Reconnecting(
            "door",
            address,
            stop=self.stop,
            on_state=lambda state, message: self.states.append((state, message)),
            opener=self._open,
            wait=self.waits.append,
            chance=lambda: 1.0,
            call=self._called,
        )

    @contextmanager
    def _called(self, what: str) -> Iterator[None]:
        self.calls.append(what)
        yield
        self.calls.append("")

    def _open(self) -> OpenedSource:
        step = self._steps.pop(0)
        if not self._steps:
            self.stop.set()
        if isinstance(step, SourceError):
            raise step
        return step

    def run(self) -> list[Frame]:
        return list(self.camera.frames())

    def told(self) -> list[CameraState]:
        return [state for state, _ in self.states]


def live(*times: float, failure: SourceError | None = None) -> Scripted:
    return Scripted(list(times), failure, live=True)


def test_an_ended_live_stream_is_opened_again_and_the_index_goes_on() -> None:
    world = World(live(0, 1, 2), live(3, 4), live())
    found = world.run()
    assert [frame.index for frame in found] == [0, 1, 2, 3, 4]
    assert [frame.discontinuity for frame in found] == [True, False, False, True, False]
    assert (
        world.told()
        == [
            CameraState.CONNECTING,
            CameraState.LIVE,
            CameraState.CONNECTING,
            CameraState.LIVE,
            CameraState.CONNECTING,
            CameraState.STOPPED,
        ][: len(world.told())]
    )
    message = world.states[2][1]
    assert message == "Camera door: rtsp://192.0.2.20/s ended the stream; reconnecting."
    assert world.camera.dropped == {"corrupt": 3}


def test_each_native_call_is_named_while_it_lasts_and_no_frame_is_handed_on_in_one() -> None:
    world = World(live(1.0, 1.1))
    for _ in world.camera.frames():
        assert world.calls[-1] == ""
    assert world.calls == ["open", "", "read", "", "read", "", "close", ""]


class Counting(Counter[str]):
    """A counter that another thread adds a cause to while it is stepped through."""

    def items(self):
        for pair in super().items():
            self[f"cause {len(self)}"] += 1
            yield pair


def test_what_was_dropped_can_be_asked_for_while_it_is_counted() -> None:
    source = live(0, 1)
    source.dropped = Counting(corrupt=1)
    world = World(source, live())
    world.camera._dropped = Counting(undecodable=1)
    asked = [world.camera.dropped for _ in world.camera.frames()]
    assert asked == [{"corrupt": 1, "undecodable": 1}] * 2


@pytest.mark.parametrize(
    ("failure", "state"),
    [
        (SourceUnreachable("Camera door: away."), CameraState.UNREACHABLE),
        (SourceRefused("Camera door: account."), CameraState.REFUSED),
        (SourceNotFound("Camera door: path."), CameraState.NOT_FOUND),
        (SourceStalled("Camera door: nothing."), CameraState.STALLED),
        (SourceError("Camera door: odd."), CameraState.ERROR),
    ],
)
def test_each_failure_is_a_state_with_its_sentence(
    failure: SourceError, state: CameraState
) -> None:
    world = World(failure, live(0, failure=failure), live())
    world.run()
    assert world.states == [
        (CameraState.CONNECTING, None),
        (state, str(failure)),
        (CameraState.LIVE, None),
        (state, str(failure)),
        (CameraState.STOPPED, None),
    ]


def test_waits_grow_to_a_limit() -> None:
    world = World(*[SourceUnreachable("Camera door: away.")] * 9)
    world.run()
    assert world.waits == [0.5, 1, 2, 4, 8, 10, 10, 10]


def test_a_refused_account_is_tried_more_slowly() -> None:
    world = World(*[SourceRefused("Camera door: account.")] * 6)
    world.run()
    assert world.waits == [15, 30, 60, 120, 120]


def test_a_stable_minute_begins_the_waits_anew_and_a_short_one_does_not() -> None:
    away = SourceUnreachable("Camera door: away.")
    world = World(away, away, live(0, 59), away, live(100, 161), away, away)
    world.run()
    assert world.waits == [0.5, 1, 2, 4, 0.5, 1]


def test_chance_spreads_the_waits() -> None:
    backoff = Backoff()
    waits = [backoff.delay_s(3, refused=False, chance=c) for c in (0.0, 0.5, 1.0)]
    assert waits == [1.0, 1.5, 2.0]
    assert backoff.delay_s(10_000, refused=False, chance=1.0) == 10.0


def test_stop_interrupts_a_wait() -> None:
    stop, waiting = threading.Event(), threading.Event()

    def away() -> OpenedSource:
        raise SourceRefused("Camera door: account.")

    def on_state(state: CameraState, message: str | None) -> None:
        if state is CameraState.REFUSED:
            waiting.set()

    camera = Reconnecting("door", "rtsp://h/s", stop=stop, on_state=on_state, opener=away)
    thread = threading.Thread(target=lambda: list(camera.frames()))
    thread.start()
    assert waiting.wait(10)
    camera.close()
    thread.join(5)
    assert not thread.is_alive()


def test_stop_ends_a_stream_and_releases_it() -> None:
    source = live(*range(1000))
    world = World(source, live())
    found = []
    for frame in world.camera.frames():
        found.append(frame)
        world.stop.set()
    assert len(found) == 1
    assert source.closed
    assert world.told()[-1] is CameraState.STOPPED


def test_a_film_is_read_once(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.mp4", frames=7)
    found, states = _read_once(str(path))
    assert len(found) == 7
    assert states == [CameraState.CONNECTING, CameraState.LIVE, CameraState.ENDED]


def test_a_missing_film_is_reported_and_not_tried_again(tmp_path: Path) -> None:
    found, states = _read_once(str(tmp_path / "no.mp4"))
    assert (found, states) == ([], [CameraState.CONNECTING, CameraState.NOT_FOUND])


def test_an_address_of_no_kind_is_reported_and_not_tried_again() -> None:
    assert _read_once("ftp://h/x")[1] == [CameraState.CONNECTING, CameraState.NOT_FOUND]


def test_a_film_over_http_is_not_read_again() -> None:
    film = Scripted([0, 1], None, live=False)
    world = World(film, live(), address="http://192.0.2.20/film.mp4")
    assert world.camera.live
    assert len(world.run()) == 2
    assert not world.camera.live
    assert world.told() == [CameraState.CONNECTING, CameraState.LIVE, CameraState.ENDED]


def _read_once(address: str) -> tuple[list[Frame], list[CameraState]]:
    states: list[CameraState] = []

    def no_wait(seconds: float) -> None:
        raise AssertionError(f"waited {seconds} s")

    camera = Reconnecting(
        "door",
        address,
        stop=threading.Event(),
        on_state=lambda state, _: states.append(state),
        wait=no_wait,
    )
    return list(camera.frames()), states


def test_a_real_camera_comes_back(tmp_path: Path) -> None:
    reel = load(make_film(tmp_path / "a.mp4", frames=60), tmp_path)
    stop = threading.Event()
    states: list[CameraState] = []

    async def sends_some(stream: Stream) -> None:
        await stream.send(30, pause=0)

    with RtspCamera(reel, sends_some) as camera:
        watched = Reconnecting(
            "door",
            camera.url,
            stop=stop,
            on_state=lambda state, _: states.append(state),
            opener=lambda: open_source("door", camera.url, options=SourceOptions(read_timeout_s=2)),
            wait=lambda _: None,
        )
        found = []
        for frame in watched.frames():
            found.append(frame)
            if len(found) == 75:
                stop.set()
        assert camera.connections == 3
    assert [frame.index for frame in found] == list(range(len(found)))
    assert [frame.index for frame in found if frame.discontinuity] == [0, 30, 60]
    times = [frame.monotonic for frame in found]
    assert times == sorted(times)
    assert states.count(CameraState.LIVE) == 3
    assert states[-1] is CameraState.STOPPED


def test_the_clock_is_handed_on(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.mp4", frames=2)
    clock = Clock(monotonic=lambda: 5000.0, now=utc_now)
    source: Callable[[], OpenedSource] = lambda: open_source("door", str(path), clock=clock)  # noqa: E731
    assert [frame.monotonic for frame in source().frames()] == pytest.approx([5000, 5000.1])


def test_each_connection_hears_whether_keyframes_are_enough() -> None:
    one, other = live(0, 1), live(2)
    world = World(one, other)
    world.camera.idle(True)
    frames = world.camera.frames()
    next(frames)
    assert one.idling == [True]
    world.camera.idle(False)
    list(frames)
    assert one.idling == [True, False]
    assert other.idling == [False]
