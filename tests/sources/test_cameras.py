"""Network cameras: good ones, and all that goes wrong with them."""

from __future__ import annotations

import http.server
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
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
    SourceUnreadable,
)
from pipeline.simulate import Account, Fault, FaultPlan, Reel, SimulatedCameras, in_thread, load
from pipeline.sources import SourceOptions, check, open_source, probe
from pipeline.types import Frame

USER, PASSWORD = "guard", "hunter2"
LIMIT_S = 0.5
SHOWN = 40
"""Pictures that a camera sends before it misbehaves; opening takes some of them."""
FEW = 8
"""Pictures that are seen before a simulated camera, which takes its time, has a fault."""


@pytest.fixture(scope="module")
def reel(tmp_path_factory: pytest.TempPathFactory) -> Reel:
    folder = tmp_path_factory.mktemp("reel")
    return load(make_film(folder / "film.mp4", frames=120), folder)


async def ends(stream: Stream) -> None:
    await stream.send(SHOWN)


async def sends_no_pictures(stream: Stream) -> None:
    await stream.send(SHOWN)
    await stream.no_slices()


def simulated(reel: Reel, fault: str | None = None) -> SimulatedCameras:
    """A camera that plays the film in its own time; a fault is there from the beginning."""
    plans = {"door": FaultPlan(Fault.parse(fault), after_s=0)} if fault else {}
    account = Account(USER, PASSWORD)
    return SimulatedCameras({"door": reel}, port=0, account=account, faults=plans)


def read(
    camera: RtspCamera | SimulatedCameras,
    found: list[Frame] | None = None,
    *,
    fault: str | None = None,
) -> list[Frame]:
    """All frames; the fault begins once a few have come."""
    found = [] if found is None else found
    if isinstance(camera, RtspCamera):
        address = camera.with_account(USER, PASSWORD)
    else:
        address = camera.urls["door"].replace("//", f"//{USER}:{PASSWORD}@")
    source = open_source(
        "door", address, options=SourceOptions(open_timeout_s=LIMIT_S, read_timeout_s=LIMIT_S)
    )
    assert source.live
    for frame in source.frames():
        found.append(frame)
        if len(found) == FEW and isinstance(camera, SimulatedCameras):
            camera.fault("door", fault)
    return found


def without_secrets(error: BaseException) -> bool:
    """Whether nothing that a log could show of an error holds the account."""
    told = "".join(traceback.format_exception(error)) + repr(error)
    chained = [error.__cause__, error.__context__]
    return not any(word in told for word in (USER, PASSWORD)) and chained == [None, None]


@pytest.mark.parametrize("fault", ["fin", "rst"])
def test_a_lost_connection_ends_the_frames(reel: Reel, fault: str) -> None:
    with in_thread(simulated(reel)) as cameras:
        found = read(cameras, fault=fault)
        sent = cameras.sent["door"].pictures
    # a reset may overtake the last picture
    assert sent - (fault == "rst") <= len(found) <= sent
    assert [frame.index for frame in found] == list(range(len(found)))
    assert found[0].size == (160, 120)


def test_the_first_frame_is_not_lost_for_having_no_time(reel: Reel) -> None:
    with RtspCamera(reel, ends) as camera:
        found = read(camera)
    assert [frame.pts for frame in found] == pytest.approx([i / 10 for i in range(SHOWN)])


@pytest.mark.parametrize("fault", ["stall", "rtcp-only"])
def test_a_camera_that_sends_no_more_pictures_is_stalled(reel: Reel, fault: str) -> None:
    found: list[Frame] = []
    with in_thread(simulated(reel)) as cameras, pytest.raises(SourceStalled) as caught:
        read(cameras, found, fault=fault)
    # The decoder holds the last one back until it is known that nothing follows.
    waited = time.monotonic() - found[-2].monotonic
    assert len(found) == cameras.sent["door"].pictures
    assert LIMIT_S <= waited < 2 * LIMIT_S + 1
    assert without_secrets(caught.value)
    assert f"{cameras.urls['door']} is connected but" in str(caught.value)


def test_a_camera_whose_packets_make_no_picture_is_stalled(reel: Reel) -> None:
    found: list[Frame] = []
    with RtspCamera(reel, sends_no_pictures) as camera, pytest.raises(SourceStalled) as caught:
        read(camera, found)
    waited = time.monotonic() - found[-1].monotonic
    assert len(found) == SHOWN
    assert LIMIT_S <= waited < 2 * LIMIT_S + 1
    assert without_secrets(caught.value)


@pytest.mark.parametrize("fault", ["stall", "rtcp-only"])
def test_a_camera_that_never_sends_a_picture_is_stalled(reel: Reel, fault: str) -> None:
    began = time.monotonic()
    cameras = simulated(reel, fault)
    with in_thread(cameras), pytest.raises(SourceStalled) as caught:
        read(cameras)
    assert time.monotonic() - began < 5 * LIMIT_S + 1
    assert without_secrets(caught.value)


def test_a_leap_of_the_times_is_marked(reel: Reel) -> None:
    found: list[Frame] = []
    with in_thread(simulated(reel)) as cameras:
        source = open_source("door", cameras.urls["door"].replace("//", f"//{USER}:{PASSWORD}@"))
        for frame in source.frames():
            found.append(frame)
            if len(found) == FEW:
                cameras.fault("door", "timestamp-jump:10")
                sent = cameras.sent["door"].pictures
            if len(found) == 2 * FEW:
                source.close()
    first, leap = [frame.index for frame in found if frame.discontinuity]
    assert first == 0
    assert FEW <= leap <= sent + 1


@pytest.mark.parametrize("request_name", ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"])
def test_a_camera_that_does_not_answer_is_unreachable_in_time(
    reel: Reel, request_name: str
) -> None:
    began = time.monotonic()
    with RtspCamera(reel, ends, silent_on=request_name) as camera:
        with pytest.raises(SourceUnreachable, match="nothing answers at") as caught:
            read(camera)
        assert time.monotonic() - began < 3 * LIMIT_S + 1
    assert without_secrets(caught.value)


@pytest.mark.parametrize("request_name", ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"])
def test_a_camera_that_hangs_up_is_told_in_a_sentence(reel: Reel, request_name: str) -> None:
    camera = RtspCamera(reel, ends, hangs_up_on=request_name)
    with camera, pytest.raises(SourceError) as caught:
        read(camera)
    assert without_secrets(caught.value)
    assert str(caught.value).startswith("Camera door: ")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("401 Unauthorized", SourceRefused),
        ("403 Forbidden", SourceRefused),
        ("404 Not Found", SourceNotFound),
        ("400 Bad Request", SourceError),
        ("503 Service Unavailable", SourceError),
    ],
)
def test_each_refusal_has_its_own_error(reel: Reel, status: str, error: type[SourceError]) -> None:
    with RtspCamera(reel, ends, status=status) as camera, pytest.raises(SourceError) as caught:
        read(camera)
    assert type(caught.value) is error
    assert without_secrets(caught.value)
    assert str(caught.value).endswith(".")


def test_a_port_without_a_camera_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    address = f"rtsp://{USER}:{PASSWORD}@127.0.0.1:{port}/stream1"
    with pytest.raises(SourceUnreachable, match="cannot be reached") as caught:
        open_source("door", address)
    assert without_secrets(caught.value)


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_port_that_never_answers_is_unreachable_in_time(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"{scheme}://{USER}:{PASSWORD}@127.0.0.1:{server.getsockname()[1]}/stream1"
        began = time.monotonic()
        with pytest.raises(SourceUnreachable, match="nothing answers at") as caught:
            open_source("door", address, options=SourceOptions(open_timeout_s=LIMIT_S))
        assert time.monotonic() - began < 3 * LIMIT_S + 1
    assert without_secrets(caught.value)


def test_closing_ends_the_frames_of_another_thread(reel: Reel) -> None:
    async def plays_on(stream: Stream) -> None:
        await stream.send(120)
        await stream.silence()

    with RtspCamera(reel, plays_on) as camera:
        source = open_source("door", camera.url, options=SourceOptions(read_timeout_s=30))
        first, ended = threading.Event(), threading.Event()

        def watch() -> None:
            for _ in source.frames():
                first.set()
            ended.set()

        threading.Thread(target=watch).start()
        assert first.wait(10)
        source.close()
        assert ended.wait(10)


def test_nothing_leaks_over_twenty_connections(reel: Reel) -> None:
    def open_things() -> tuple[int, ...]:
        return tuple(len(list(Path("/proc/self", name).iterdir())) for name in ("fd", "task"))

    async def sends_ten(stream: Stream) -> None:
        await stream.send(30, pause=0)

    with RtspCamera(reel, sends_ten) as camera:
        read(camera)
        before = open_things()
        for _ in range(20):
            assert len(read(camera)) == 30
        for _ in range(5):
            refused = RtspCamera(reel, ends, status="401 Unauthorized")
            with refused, pytest.raises(SourceRefused):
                read(refused)
        deadline = time.monotonic() + 5
        while open_things() > before and time.monotonic() < deadline:
            time.sleep(0.01)
        after = open_things()
    assert after <= (before[0] + 1, before[1] + 1)


def test_a_camera_is_probed_and_checked(reel: Reel) -> None:
    with RtspCamera(reel, lambda stream: stream.send(120, pause=0.05)) as camera:
        found = probe("door", camera.with_account(USER, PASSWORD))
        sentence = check("door", camera.with_account(USER, PASSWORD)).sentence
    assert (found.codec, found.size, found.live) == ("h264", (160, 120), True)
    assert found.rate == pytest.approx(10)
    assert sentence.startswith("Camera door: h264, 160x120, 10 frames/s")


def test_a_camera_that_opens_but_ends_is_not_probed(reel: Reel) -> None:
    async def ends_at_once(stream: Stream) -> None:
        return None

    with RtspCamera(reel, ends_at_once) as camera, pytest.raises(SourceError) as caught:
        probe(
            "door",
            camera.with_account(USER, PASSWORD),
            options=SourceOptions(open_timeout_s=2, read_timeout_s=2),
        )
    assert without_secrets(caught.value)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        return

    def do_GET(self) -> None:
        if self.path.startswith("/secret") and not self.headers.get("Authorization"):
            self.send_error(401)
        elif self.path == "/live.ts":
            # without a length, as a camera's own
            self.send_response(200)
            self.send_header("Content-Type", "video/mp2t")
            self.end_headers()
            self.wfile.write(Path(self.directory, "film.ts").read_bytes())
        else:
            super().do_GET()


@contextmanager
def web_server(folder: Path) -> Iterator[str]:
    handler = partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_film_over_http_is_a_film_and_a_stream_over_http_is_live(tmp_path: Path) -> None:
    make_film(tmp_path / "film.mp4", frames=12)
    make_film(tmp_path / "film.ts", frames=12)
    with web_server(tmp_path) as host:
        film = open_source("door", f"http://{host}/film.mp4")
        assert not film.live
        assert len(list(film.frames())) == 12
        stream = open_source("door", f"http://{host}/live.ts")
        assert stream.live
        found: list[Frame] = []
        with pytest.raises(SourceUnreachable, match="broke"):  # it has no end of its own
            found.extend(stream.frames())
        assert len(found) == 12


def test_the_web_servers_refusals_are_told(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<html><body>Welcome</body></html>")
    with web_server(tmp_path) as host:
        for path, error in {
            "nothing.mp4": SourceNotFound,
            "secret.mp4": SourceRefused,
            "page.html": SourceUnreadable,
        }.items():
            with pytest.raises(SourceError) as caught:
                open_source("door", f"http://{host}/{path}?password={PASSWORD}")
            assert type(caught.value) is error
            assert without_secrets(caught.value)


def test_a_playlist_over_http_cannot_reach_this_machines_files(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.ts", frames=12)
    for name, entry in {"a.m3u8": f"file://{film}", "b.m3u8": f"concat:{film}"}.items():
        (tmp_path / name).write_text(f"#EXTM3U\n#EXTINF:1,\n{entry}\n#EXT-X-ENDLIST\n")
        with web_server(tmp_path) as host, pytest.raises(SourceError):
            list(open_source("door", f"http://{host}/{name}").frames())
