"""Real streams with known habits, measured: all cameras of a test at the same time."""

from __future__ import annotations

import asyncio
import http.server
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import av.logging
import numpy as np
import pytest
from films import make_film, picture
from rtsp_camera import OFFSET, RtspCamera, Stream

from pipeline.errors import SourceError, SourceNotFound
from pipeline.simulate import SimulatedCameras, in_thread, load
from pipeline.sources import Measurement, SourceOptions, measure
from pipeline.sources.costs import Decoded, decoded
from pipeline.sources.rtplog import listening, missed
from pipeline.types import EncodedPacket, EncodedStream

RATE = 25
SIZE = (320, 240)
SECONDS = 5.0
BEHIND_S = 63.0
LOST = 20
"""Every so manieth picture is left out by the camera that loses some."""
_UNIX_EPOCH_IN_NTP = 2_208_988_800


def film(
    path: Path, *, gop: int, b_frames: int = 0, black: bool = False, frames: int = 12 * RATE
) -> Path:
    """A film at 25 frames a second with a keyframe every `gop` of them, exactly."""
    options = {"preset": "ultrafast", "x264-params": f"scenecut=0:bframes={b_frames}:b-adapt=0"}
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height = SIZE
        stream.pix_fmt, stream.gop_size = "yuv420p", gop
        for index in range(frames):
            image = np.zeros((*SIZE[::-1], 3), np.uint8) if black else picture(index, SIZE)
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def report(rtp_time: int, wall: float) -> bytes:
    """An RTCP sender report (RFC 3550, section 6.4.1) within an RTSP connection."""
    seconds = wall + _UNIX_EPOCH_IN_NTP
    fraction = int(seconds % 1 * 2**32)
    told = struct.pack(
        ">BBHIIIIII", 0x80, 200, 6, 7, int(seconds), fraction, rtp_time & 0xFFFFFFFF, 0, 0
    )
    return b"$\x01" + struct.pack(">H", len(told)) + told


async def in_time(
    stream: Stream,
    *,
    sends: Callable[[int], bool] = lambda index: True,
    shift: Callable[[int], int] = lambda index: 0,
    behind_s: float | None = None,
) -> None:
    """Send pictures when they are due; the camera's clock is `behind_s` and told once a second."""
    began = time.monotonic()
    for index, unit in enumerate(stream.pictures):
        await asyncio.sleep(max(0.0, began + unit.due_s - time.monotonic()))
        stamp = OFFSET + unit.pts + shift(index)
        if behind_s is not None and index % RATE == 0:
            stream.writer.write(report(stamp, time.time() - behind_s))
        packets = stream.packetiser.access_unit(unit.units, stamp)
        if sends(index):
            stream.writer.write(packets)
            await stream.writer.drain()


PLAYS = {
    "good": partial(in_time, behind_s=BEHIND_S),
    "b_frames": in_time,
    "loses": partial(in_time, sends=lambda index: index % LOST != LOST - 1),
    "leaps": partial(in_time, shift=lambda index: index // 30 * 20 * 90_000),
    "black": in_time,
    "stops": lambda stream: stream.send(3 * RATE),
}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Measurement]:
    folder = tmp_path_factory.mktemp("films")
    films = {
        "good": film(folder / "good.mp4", gop=RATE),
        "b_frames": film(folder / "b_frames.mp4", gop=2 * RATE, b_frames=2),
        "black": film(folder / "black.mp4", gop=RATE, black=True),
    }
    reels = {name: load(path, folder) for name, path in films.items()}
    with ExitStack() as stack:
        urls = {
            name: stack.enter_context(RtspCamera(reels.get(name, reels["good"]), play)).url
            for name, play in PLAYS.items()
        }
        frozen = SimulatedCameras({"frozen": reels["good"]}, port=0, clock_offset_s=90)
        stack.enter_context(in_thread(frozen))
        frozen.fault("frozen", "frozen")
        urls |= frozen.urls
        with ThreadPoolExecutor(len(urls)) as pool:
            found = pool.map(lambda item: measure(*item, seconds=SECONDS), urls.items())
            return dict(zip(urls, found, strict=True))


def test_a_good_camera_is_measured_as_it_is(measured: dict[str, Measurement]) -> None:
    good = measured["good"]
    assert good.live
    assert good.transport == "tcp"
    assert good.broke is None
    assert good.seconds == pytest.approx(SECONDS, abs=1)
    assert (good.video.codec, good.video.size, good.video.sizes) == ("h264", SIZE, 1)
    assert good.video.pixel_format == "yuv420p"
    assert good.video.profile == "Constrained Baseline"
    assert good.video.rate == pytest.approx(RATE, rel=0.02)
    assert good.video.claimed_rate == RATE
    assert good.loss.share == 0
    assert good.loss.pictures >= 0.8 * SECONDS * RATE
    assert (good.times.jumps, good.times.repeated, good.times.backwards) == (0, 0, 0)
    opening = good.opening
    assert opening.first_packet_s is not None
    assert 0 < opening.connected_s <= opening.first_packet_s <= opening.first_picture_s < 10
    assert good.look.still_s is not None
    assert good.look.still_s < SECONDS / 2
    assert good.look.brightness == pytest.approx(0.35, abs=0.05)
    assert "h264, 320x240, 25 frames/s" in good.sentence


def test_the_bit_rate_is_that_of_the_film(measured: dict[str, Measurement], tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", gop=RATE)
    with av.open(str(path)) as container:
        sent = 8 * sum(packet.size for packet in container.demux(video=0)) / 12
    assert measured["good"].video.bit_rate == pytest.approx(sent, rel=0.25)


def test_the_keyframe_interval_is_found(measured: dict[str, Measurement]) -> None:
    for name, frames in {"good": RATE, "b_frames": 2 * RATE}.items():
        keyframes = measured[name].keyframes
        assert keyframes is not None
        assert keyframes.interval_s == pytest.approx(frames / RATE, abs=0.01)
        assert keyframes.interval_frames == frames
        assert keyframes.regular


def test_b_frames_are_found(measured: dict[str, Measurement]) -> None:
    assert measured["b_frames"].video.b_frames is True
    assert measured["b_frames"].video.rate == pytest.approx(RATE, rel=0.02)
    assert measured["b_frames"].times.jumps == 0
    assert measured["good"].video.b_frames is False


def test_arrival_is_as_even_as_the_sender_was(measured: dict[str, Measurement]) -> None:
    jitter = measured["good"].jitter
    assert jitter is not None
    assert 0 < jitter.interarrival_ms < 200
    assert jitter.late_p95_ms <= jitter.late_max_ms
    assert jitter.pace == pytest.approx(1, abs=0.1)


def test_the_clock_of_the_camera_is_compared(measured: dict[str, Measurement]) -> None:
    clock = measured["good"].clock
    assert clock is not None
    assert clock.source == "rtcp"
    assert clock.offset_s == pytest.approx(-BEHIND_S, abs=0.5)
    assert measured["loses"].clock is None


def test_pictures_that_are_left_out_are_counted(measured: dict[str, Measurement]) -> None:
    assert measured["loses"].loss.share == pytest.approx(1 / LOST, rel=0.4)
    assert measured["loses"].loss.missing >= 3


def test_leaps_of_the_times_are_counted(measured: dict[str, Measurement]) -> None:
    assert measured["leaps"].times.jumps >= 2
    assert measured["leaps"].video.rate == pytest.approx(RATE, rel=0.05)
    assert measured["leaps"].loss.missing == 0


def test_a_black_picture_that_stands_still_is_dark_and_frozen(
    measured: dict[str, Measurement],
) -> None:
    still_s = measured["black"].look.still_s
    assert still_s is not None
    assert still_s >= SECONDS - 1
    assert measured["black"].look.brightness < 0.05


def test_a_camera_that_sends_one_picture_over_and_over_is_found_out(
    measured: dict[str, Measurement],
) -> None:
    """Though its encoder draws it in as many ways as a group of pictures has members."""
    frozen = measured["frozen"]
    assert frozen.look.still_s is not None
    assert frozen.look.still_s >= SECONDS / 2
    assert frozen.video.rate == pytest.approx(RATE, rel=0.05)
    assert frozen.clock is not None
    assert frozen.clock.offset_s == pytest.approx(90, abs=0.5)


def test_a_camera_that_hangs_up_is_measured_as_far_as_it_came(
    measured: dict[str, Measurement],
) -> None:
    stops = measured["stops"]
    assert stops.broke is not None
    assert stops.loss.pictures == 3 * RATE
    assert stops.seconds < SECONDS


def test_a_film_is_measured_by_its_own_time(tmp_path: Path) -> None:
    began = time.monotonic()
    found = measure("film", str(film(tmp_path / "film.mp4", gop=50)), seconds=10)
    assert time.monotonic() - began < 8
    assert not found.live
    assert found.seconds == pytest.approx(10, abs=0.2)
    assert (found.jitter, found.clock, found.look.still_s, found.transport) == (None,) * 4
    assert found.keyframes is not None
    assert found.keyframes.interval_s == pytest.approx(2.0)


def test_a_camera_that_cannot_be_had_raises_as_it_does_when_it_is_watched(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match="Camera door: there is no file"):
        measure("door", str(tmp_path / "none.mp4"))

    async def silent(stream: Stream) -> None:
        await stream.silence()

    reel = load(make_film(tmp_path / "f.mp4"), tmp_path)
    options = SourceOptions(open_timeout_s=1, read_timeout_s=1)
    with RtspCamera(reel, silent) as camera, pytest.raises(SourceError):
        measure("door", camera.url, options=options)


class Web(http.server.BaseHTTPRequestHandler):
    """Streams a film without end mark, an hour late by its clock, to those with an account."""

    film = b""
    asked: list[str | None]

    def log_message(self, *args: object) -> None:
        return

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(time.time() - 3600)

    def do_HEAD(self) -> None:
        self.asked.append(self.headers.get("Authorization"))
        self.send_error(401)

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "video/mp2t")
        self.end_headers()
        self.wfile.write(self.film)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, list[str | None]]]:
    asked: list[str | None] = []
    content = film(tmp_path / "film.ts", gop=25, frames=50).read_bytes()
    handler = type("Handler", (Web,), {"film": content, "asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def test_a_camera_over_http_tells_its_clock_without_being_told_the_account(
    web: tuple[str, list[str | None]],
) -> None:
    host, asked = web
    found = measure("door", f"http://guard:hunter2@{host}/live.ts", seconds=3)
    assert found.clock is not None
    assert found.clock.source == "http"
    assert found.clock.offset_s == pytest.approx(-3600, abs=1.5)
    assert asked == [None]
    assert "hunter2" not in repr(found)
    assert found.broke is not None  # the film is over


class _Packets:
    def __init__(self) -> None:
        self.stream: EncodedStream | None = None
        self.data: list[bytes] = []

    def take(self, stream: EncodedStream, packet: EncodedPacket) -> None:
        self.stream = stream
        self.data.append(packet.data)


def test_what_decoding_costs_does_not_depend_on_what_else_runs(tmp_path: Path) -> None:
    from pipeline.sources import open_source

    kept = _Packets()
    for _ in open_source("door", str(film(tmp_path / "film.mp4", gop=25)), packets=kept).frames():
        pass
    assert kept.stream is not None
    stream = kept.stream

    def cost() -> Decoded:
        found = decoded(stream, kept.data, 640)
        assert found is not None
        return found

    alone = cost()
    stop = threading.Event()

    def burn() -> None:
        while not stop.is_set():
            sum(range(1000))

    hogs = [threading.Thread(target=burn) for _ in range(4)]
    for hog in hogs:
        hog.start()
    began = time.monotonic()
    crowded = cost()
    waited_ms = 1000 * (time.monotonic() - began)
    stop.set()
    for hog in hogs:
        hog.join()
    assert 0 < alone.decode_ms < 40
    assert crowded.decode_ms < 5 * alone.decode_ms + 1
    assert waited_ms > 5 * 120 * crowded.decode_ms  # by the clock it would have seemed so much


def test_what_is_no_picture_costs_nothing(tmp_path: Path) -> None:
    kept = _Packets()
    from pipeline.sources import open_source

    for _ in open_source("door", str(film(tmp_path / "f.mp4", gop=25)), packets=kept).frames():
        pass
    assert kept.stream is not None
    assert decoded(kept.stream, [b"\0" * 100] * 5, 640) is None


def test_the_rtp_packets_that_ffmpeg_missed_are_counted() -> None:
    with listening() as lines:
        for text in ("RTP: missed 3 packets\n", "RTP: missed 3 packets\n", "something else\n"):
            av.logging.log(av.logging.WARNING, "rtsp", text)
        thread = threading.Thread(
            target=av.logging.log, args=(av.logging.WARNING, "rtsp", "RTP: missed 50 packets")
        )
        thread.start()
        thread.join()
    assert missed(lines) == 6
    assert av.logging.get_level() is None
