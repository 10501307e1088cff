"""Cameras that are asked over HTTP: MJPEG, films, playlists."""

from __future__ import annotations

import threading
import time
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from certificates import make_certificate
from films import make_film, picture
from web_camera import Handler, make_playlist, playlist, web_camera

from pipeline.errors import SourceError, SourceRefused, SourceStalled, SourceUntrusted
from pipeline.sources import SourceOptions, open_source
from pipeline.types import EncodedPacket, EncodedStream, Frame

USER, PASSWORD = "guard.one", "hunter2"
CHALLENGES = [
    'Basic realm="camera"',
    'Digest realm="camera", nonce="af13", qop="auth", algorithm=MD5',
]
QUICK = SourceOptions(open_timeout_s=5, read_timeout_s=5)
PICTURES = 12


class Packets:
    def __init__(self) -> None:
        self.times: list[float] = []
        self.streams: set[EncodedStream] = set()

    def take(self, stream: EncodedStream, packet: EncodedPacket) -> None:
        assert packet.pts is not None
        assert float(packet.pts * stream.time_base) == pytest.approx(packet.time, abs=1e-4)
        self.times.append(packet.time)
        self.streams.add(stream)


def sends_pictures(handler: Handler, *, then_silent: bool = False) -> None:
    """MJPEG whose first half comes quickly and whose second half slowly."""
    handler.send_response(200)
    handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
    handler.end_headers()
    for index in range(PICTURES):
        jpeg = cv2.imencode(".jpg", picture(index, (160, 120)))[1].tobytes()
        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
        handler.wfile.write(head.encode() + jpeg + b"\r\n")
        time.sleep(0.02 if index < PICTURES // 2 else 0.12)
    if then_silent:
        handler.connection.settimeout(20)
        handler.rfile.read(1)
    handler.close_connection = True


def test_mjpeg_is_live_and_each_pictures_time_is_that_of_its_arrival(tmp_path: Path) -> None:
    found: list[Frame] = []
    packets = Packets()
    with web_camera(tmp_path, {"/video.mjpg": sends_pictures}) as host:
        source = open_source("door", f"http://{host}/video.mjpg", options=QUICK, packets=packets)
        assert (source.live, source.codec, source.rate) == (True, "mjpeg", None)
        with pytest.raises(SourceError):  # it has no end of its own
            found.extend(source.frames())
    assert len(found) >= PICTURES - 1
    assert np.abs(found[3].image().astype(int) - picture(3, (160, 120))).mean() < 6
    steps = [later.pts - earlier.pts for earlier, later in pairwise(found)]
    waits = [later.monotonic - earlier.monotonic for earlier, later in pairwise(found)]
    assert steps == pytest.approx(waits, abs=0.02)
    assert min(steps[-4:]) > 0.06  # FFmpeg makes 0.04 s of every step
    assert packets.times[: len(found)] == pytest.approx([frame.pts for frame in found], abs=1e-3)
    assert len(packets.streams) == 1


def test_mjpeg_that_falls_silent_is_stalled(tmp_path: Path) -> None:
    def falls_silent(handler: Handler) -> None:
        sends_pictures(handler, then_silent=True)

    options = SourceOptions(open_timeout_s=5, read_timeout_s=0.6)
    with web_camera(tmp_path, {"/video.mjpg": falls_silent}) as host:
        source = open_source("door", f"http://{host}/video.mjpg", options=options)
        found: list[Frame] = []
        with pytest.raises(SourceStalled):
            found.extend(source.frames())
        assert time.monotonic() - found[-1].monotonic < 2 * 0.6 + 1


def film_with_sound(folder: Path, *, video_s: float, sound_s: float) -> bytes:
    """A transport stream whose pictures end before its sound does."""
    path = folder / "sound.ts"
    with av.open(str(path), "w", format="mpegts") as output:
        options = {"preset": "ultrafast", "tune": "zerolatency"}
        video = output.add_stream("libx264", rate=10, options=options)
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        sound = output.add_stream("mp2", rate=48_000, layout="stereo")
        shown = 0
        for number in range(int(sound_s * 48_000 / 1152)):
            at = number * 1152 / 48_000
            if shown / 10 <= at < video_s:
                frame = av.VideoFrame.from_ndarray(picture(shown, (160, 120)), format="bgr24")
                frame.pts, frame.time_base = shown, Fraction(1, 10)
                output.mux(video.encode(frame))
                shown += 1
            silence = av.AudioFrame.from_ndarray(
                np.zeros((1, 2304), np.int16), format="s16", layout="stereo"
            )
            silence.sample_rate, silence.pts = 48_000, number * 1152
            output.mux(sound.encode(silence))
    return path.read_bytes()


def test_pictures_that_stop_are_missed_though_the_sound_goes_on(tmp_path: Path) -> None:
    content = film_with_sound(tmp_path, video_s=2, sound_s=40)

    def sends(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "video/mp2t")
        handler.end_headers()
        handler.close_connection = True
        pictures = len(content) // 2
        handler.wfile.write(content[:pictures])
        for begin in range(pictures, len(content), 188 * 20):
            handler.wfile.write(content[begin : begin + 188 * 20])
            time.sleep(0.1)

    found: list[float] = []
    options = SourceOptions(open_timeout_s=5, read_timeout_s=1)
    with web_camera(tmp_path, {"/live.ts": sends}) as host:
        source = open_source("door", f"http://{host}/live.ts", options=options)
        with pytest.raises(SourceStalled):
            found.extend(time.monotonic() for _ in source.frames())
    assert len(found) >= 15
    assert time.monotonic() - found[-1] < 3


@pytest.mark.parametrize("challenge", CHALLENGES, ids=["basic", "digest"])
def test_an_account_opens_a_web_camera_and_a_wrong_one_does_not(
    tmp_path: Path, challenge: str
) -> None:
    make_film(tmp_path / "film.mp4", frames=8)
    account = (USER, PASSWORD)
    with web_camera(tmp_path, challenge=challenge, account=account) as host:
        source = open_source("door", f"http://{USER}:{PASSWORD}@{host}/film.mp4", options=QUICK)
        assert len(list(source.frames())) == 8
        for wrong in (f"{USER}:nothing@", ""):
            with pytest.raises(SourceRefused, match="refuses the account"):
                open_source("door", f"http://{wrong}{host}/film.mp4", options=QUICK)


def test_a_redirection_is_followed_but_leaves_the_account_behind(tmp_path: Path) -> None:
    make_film(tmp_path / "film.mp4", frames=8)
    asked: list[tuple[str, str | None]] = []
    with web_camera(tmp_path, host="127.0.0.2", asked=asked) as other:
        answers = {"/video": lambda handler: handler.send_on(f"http://{other}/film.mp4")}
        with web_camera(
            tmp_path, answers, challenge=CHALLENGES[0], account=(USER, PASSWORD)
        ) as host:
            address = f"http://{USER}:{PASSWORD}@{host}/video"
            assert len(list(open_source("door", address, options=QUICK).frames())) == 8
    assert asked
    assert {account for _, account in asked} == {None}


def test_a_whole_playlist_is_a_film_wherever_its_parts_are(tmp_path: Path) -> None:
    parts = make_playlist(tmp_path)
    with web_camera(tmp_path, host="127.0.0.2") as other:
        spread = playlist([f"http://{other}/{part}" for part in parts])
        answers = {"/spread.m3u8": lambda handler: handler.text(spread)}
        with web_camera(tmp_path, answers) as host:
            for name in ("vod.m3u8", "spread.m3u8"):
                source = open_source("door", f"http://{host}/{name}", options=QUICK)
                assert not source.live
                assert len(list(source.frames())) == 40


def test_the_account_goes_with_a_playlists_own_parts_only(tmp_path: Path) -> None:
    parts = make_playlist(tmp_path)
    asked: list[tuple[str, str | None]] = []
    with web_camera(tmp_path, host="127.0.0.2", challenge=CHALLENGES[0], asked=asked) as other:
        spread = playlist([f"http://{other}/{part}" for part in parts])
        answers = {"/spread.m3u8": lambda handler: handler.text(spread)}
        with web_camera(
            tmp_path, answers, challenge=CHALLENGES[0], account=(USER, PASSWORD)
        ) as host:
            account = f"{USER}:{PASSWORD}@"
            source = open_source("door", f"http://{account}{host}/vod.m3u8", options=QUICK)
            assert len(list(source.frames())) == 40
            with pytest.raises(SourceError):
                open_source("door", f"http://{account}{host}/spread.m3u8", options=QUICK)
    assert asked
    assert {given for _, given in asked} == {None}


def test_a_growing_playlist_is_live_and_comes_at_its_own_pace(tmp_path: Path) -> None:
    parts = make_playlist(tmp_path, seconds=6)
    began = time.monotonic()

    def grows(handler: Handler) -> None:
        known = min(len(parts), 3 + int(time.monotonic() - began))
        handler.text(playlist(parts[:known], ended=False))

    options = SourceOptions(open_timeout_s=5, read_timeout_s=4)
    found: list[Frame] = []
    with web_camera(tmp_path, {"/live.m3u8": grows}) as host:
        source = open_source("door", f"http://{host}/live.m3u8", options=options)
        assert source.live
        for frame in source.frames():
            found.append(frame)
            if len(found) == 33:
                source.close()
    took = found[-1].monotonic - found[0].monotonic
    assert took == pytest.approx(found[-1].pts - found[0].pts, abs=0.8)
    longest = max(later.monotonic - earlier.monotonic for earlier, later in pairwise(found))
    assert longest < 0.9  # and not a part of ten pictures each second


def test_a_playlist_that_grows_no_more_is_stalled(tmp_path: Path) -> None:
    parts = make_playlist(tmp_path, seconds=2)
    answers = {"/live.m3u8": lambda handler: handler.text(playlist(parts, ended=False))}
    options = SourceOptions(open_timeout_s=5, read_timeout_s=0.6)
    found: list[Frame] = []
    with web_camera(tmp_path, answers) as host:
        source = open_source("door", f"http://{host}/live.m3u8", options=options)
        with pytest.raises(SourceStalled):
            found.extend(source.frames())
    assert found
    assert time.monotonic() - found[-1].monotonic < 2 * 0.6 + 2


def test_a_web_cameras_certificate_is_verified_where_that_is_wanted(tmp_path: Path) -> None:
    make_film(tmp_path / "film.mp4", frames=8)
    own, other = make_certificate(tmp_path), make_certificate(tmp_path, "other")
    with web_camera(tmp_path, certificate=own) as host:
        for options in (
            QUICK,
            SourceOptions(verify_tls=True, tls_ca=own.file),
        ):
            source = open_source("door", f"https://{host}/film.mp4", options=options)
            assert len(list(source.frames())) == 8
        for ca in (None, other.file):
            options = SourceOptions(verify_tls=True, tls_ca=ca)
            with pytest.raises(SourceUntrusted, match=r"certificate .* is not trusted \(self.sig"):
                open_source("door", f"https://{host}/film.mp4", options=options)


def test_a_playlist_whose_parts_nobody_would_verify_is_not_read(tmp_path: Path) -> None:
    make_playlist(tmp_path)
    own = make_certificate(tmp_path)
    asked: list[tuple[str, str | None]] = []
    with web_camera(tmp_path, certificate=own, asked=asked) as host:
        options = SourceOptions(verify_tls=True, tls_ca=own.file)
        with pytest.raises(
            SourceUntrusted, match="cannot be verified: an address without TLS, a playlist"
        ):
            open_source("door", f"https://{host}/vod.m3u8", options=options)
        assert {path for path, _ in asked} == {"/vod.m3u8"}
        source = open_source("door", f"https://{host}/vod.m3u8", options=QUICK)
        assert len(list(source.frames())) == 40


@pytest.mark.parametrize("account", ["", f"{USER}:{PASSWORD}@"])
def test_a_verified_web_camera_leads_to_no_address_without_tls(
    tmp_path: Path, account: str
) -> None:
    make_film(tmp_path / "film.mp4", frames=8)
    own = make_certificate(tmp_path)
    asked: list[tuple[str, str | None]] = []
    with web_camera(tmp_path, asked=asked) as plain:
        answers = {"/video": lambda handler: handler.send_on(f"http://{plain}/film.mp4")}
        with web_camera(tmp_path, answers, certificate=own) as host:
            options = SourceOptions(verify_tls=True, tls_ca=own.file)
            with pytest.raises(SourceUntrusted, match="cannot be verified: an address without TLS"):
                open_source("door", f"https://{account}{host}/video", options=options)
            assert asked == []
            source = open_source("door", f"https://{account}{host}/video", options=QUICK)
            assert len(list(source.frames())) == 8


def test_closing_is_quick_though_the_camera_reads_and_sends_no_more(tmp_path: Path) -> None:
    ready = threading.Event()

    def falls_silent(handler: Handler) -> None:
        sends_pictures(handler, then_silent=True)

    with web_camera(tmp_path, {"/video.mjpg": falls_silent}) as host:
        options = SourceOptions(open_timeout_s=5, read_timeout_s=0.6)
        source = open_source("door", f"http://{host}/video.mjpg", options=options)

        def read() -> None:
            try:
                for _ in source.frames():
                    ready.set()
            except SourceError:
                return

        reader = threading.Thread(target=read)
        reader.start()
        assert ready.wait(10)
        began = time.monotonic()
        source.close()
        assert time.monotonic() - began < 0.5
        reader.join(10)
        assert not reader.is_alive()
