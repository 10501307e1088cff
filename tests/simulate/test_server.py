"""Simulated cameras, watched by FFmpeg (through PyAV), by GStreamer, and by hand."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from films import make_film, picture
from running import missing

from pipeline.errors import FilmError, SourceRefused, VigilError
from pipeline.simulate import Account, Auth, Reel, SimulatedCameras, in_thread, load, serve
from pipeline.simulate.accounts import Basic, Digest
from pipeline.sources import SourceOptions, open_source
from pipeline.types import Frame

ACCOUNT = Account("guard", "p@ss/w:rd %41")
ACCOUNT_IN_URL = "guard:p%40ss%2Fw%3Ard%20%2541"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("films")


@pytest.fixture(scope="module")
def film(folder: Path) -> Path:
    """Two seconds of 25 frames each, a keyframe twice a second."""
    return make_film(folder / "yard.mp4", frames=50, rate=25, gop=12)


@contextmanager
def serving(films: dict[str, Path], cache: Path, **options: Any) -> Iterator[Mapping[str, str]]:
    served = {name: load(film, cache) for name, film in films.items()}
    with in_thread(SimulatedCameras(served, port=0, **options)) as cameras:
        yield cameras.urls


def watch(url: str, count: int) -> list[Frame]:
    """At least so many frames, unless the stream ends before."""
    source = open_source("yard", url, options=SourceOptions(read_timeout_s=5))
    found = []
    for frame in source.frames():
        found.append(frame)
        if len(found) >= count:
            source.close()
    return found


def test_a_film_is_a_camera(film: Path, folder: Path) -> None:
    with serving({"yard": film}, folder) as urls:
        assert urls["yard"].endswith("/yard")
        found = watch(urls["yard"], 30)
    assert found[0].size == (160, 120)
    assert [frame.pts for frame in found[:30]] == pytest.approx([i / 25 for i in range(30)])
    for index in (0, 29):
        shown = found[index].image().astype(int)
        assert abs(shown - picture(index, (160, 120))).mean() < 6


def test_it_takes_the_films_own_time(film: Path, folder: Path) -> None:
    with serving({"yard": film}, folder) as urls:
        began = time.monotonic()
        found = watch(urls["yard"], 45)
        took = time.monotonic() - began
    # it began with the connection; a few pictures more may wait for FFmpeg to read them
    assert 0.8 * found[-1].pts < took < found[-1].pts + 2


def test_at_the_loops_seam_the_times_leap_and_a_discontinuity_is_seen(
    film: Path, folder: Path
) -> None:
    with serving({"yard": film}, folder) as urls:
        found = watch(urls["yard"], 60)
    assert [frame.index for frame in found if frame.discontinuity] == [0, 50]
    assert 0 < found[50].pts - found[49].pts < 2
    assert found[50].monotonic - found[49].monotonic < 2
    assert abs(found[50].image().astype(int) - picture(0, (160, 120))).mean() < 6


def test_it_starts_where_wanted_and_goes_round_from_there(film: Path, folder: Path) -> None:
    with serving({"yard": film}, folder, start_s=1.5) as urls:
        found = watch(urls["yard"], 40)
    seams = [frame.index for frame in found if frame.discontinuity]
    assert seams == [0, 14, 28]  # from the keyframe at 1.44 s to the end at 2 s
    assert abs(found[0].image().astype(int) - picture(36, (160, 120))).mean() < 6
    assert abs(found[14].image().astype(int) - picture(36, (160, 120))).mean() < 6


def test_without_loop_the_stream_ends_with_the_film(film: Path, folder: Path) -> None:
    with serving({"yard": film}, folder, loop=False) as urls:
        found = watch(urls["yard"], 1000)
    assert len(found) == 50


def test_each_client_sees_the_film_from_its_start(film: Path, folder: Path) -> None:
    with serving({"yard": film, "again": film}, folder) as urls:
        first = watch(urls["yard"], 20)
        second = watch(urls["again"], 20)
    assert first[0].pts == second[0].pts == 0
    assert (first[0].image() == second[0].image()).all()


def test_pictures_of_many_packets_arrive_whole(big_film: Path, folder: Path) -> None:
    with serving({"noise": big_film}, folder) as urls:
        source = open_source("noise", urls["noise"])
        found = []
        for frame in source.frames():
            found.append(frame)
            if len(found) == 20:
                source.close()
    assert found[0].image().std() > 30
    assert source.dropped == {}


@pytest.mark.parametrize("auth", Auth)
def test_an_account_is_asked_for_and_may_hold_odd_letters(
    film: Path, folder: Path, auth: Auth
) -> None:
    with serving({"yard": film}, folder, account=ACCOUNT, auth=auth) as urls:
        url = urls["yard"]
        assert "guard" not in url
        assert watch(url.replace("//", f"//{ACCOUNT_IN_URL}@"), 3)
        for account in ("", "guard:wrong@", "other:p%40ss@"):
            with pytest.raises(SourceRefused):
                open_source("yard", url.replace("//", f"//{account}"))
    assert ACCOUNT.password not in repr(ACCOUNT)


def test_a_response_of_odd_letters_proves_nothing_and_fails_nothing() -> None:
    digest = Digest(ACCOUNT)
    nonce = digest.challenge.split('"')[3]
    given = f'Digest username="guard", nonce="{nonce}", uri="rtsp://h/yard", response="ä€"'
    assert digest.accepts("DESCRIBE", given) is False
    for odd in ("Basic \u00e4", "Basic Z3VhcmQ", "Basic", "Digest Z3VhcmQ="):
        assert Basic(ACCOUNT).accepts("DESCRIBE", odd) is False


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_gstreamer_plays_it_too(film: Path, folder: Path, protocol: str) -> None:
    if not shutil.which("gst-launch-1.0"):
        missing("GStreamer")
    with serving({"yard": film}, folder) as urls:
        pipeline = (
            f"rtspsrc protocols={protocol} location={urls['yard']} ! rtph264depay ! h264parse "
            "! identity eos-after=60 ! fakesink"
        )
        command = ["gst-launch-1.0", "-q", *pipeline.split()]
        played = subprocess.run(command, capture_output=True, text=True, timeout=30)
    if "no element" in played.stderr:
        missing("a good or bad plugin of GStreamer")
    assert played.returncode == 0, played.stderr


def talk(url: str, *requests: str) -> str:
    """What the server answers to requests written by hand, until it hangs up or is quiet."""
    host, port = url.removeprefix("rtsp://").split("/")[0].split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        answer = b""
        for number, text in enumerate(requests, 1):
            line, *headers = text.split("|")
            lines = [f"{line} RTSP/1.0", f"CSeq: {number}", *headers, "", ""]
            connection.sendall("\r\n".join(lines).encode())
            answer += connection.recv(65536)
        return answer.decode(errors="replace")


def test_the_clients_first_wish_that_can_be_met_is(film: Path, folder: Path) -> None:
    with serving({"yard": film}, folder) as urls:
        url = urls["yard"]
        setup = f"SETUP {url}/track0"
        assert "461 Unsupported" in talk(
            url, f"{setup}|Transport: RTP/AVP;multicast;client_port=8-9"
        )
        answer = talk(url, f"{setup}|Transport: RTP/AVP;multicast, RTP/AVP/TCP;interleaved=4-5")
        assert "200 OK" in answer
        assert "interleaved=4-5" in answer
        answer = talk(url, f"{setup}|Transport: RTP/AVP;unicast;client_port=5000-5001")
        assert "client_port=5000-5001;server_port=" in answer


def test_requests_out_of_order_are_answered(film: Path, folder: Path) -> None:
    with serving({"yard": film}, folder) as urls:
        url = urls["yard"]
        assert "Public: OPTIONS" in talk(url, f"OPTIONS {url}")
        assert " 454 " in talk(url, f"PLAY {url}")
        assert " 405 " in talk(url, f"RECORD {url}")
        assert " 404 " in talk(url, f"DESCRIBE {url}x")
        assert " 404 " in talk(url, f"SETUP {url}x/track0|Transport: RTP/AVP/TCP")
        assert " 200 " in talk(url, f"TEARDOWN {url}")
        assert "m=video 0 RTP/AVP 96" in talk(url, f"DESCRIBE {url}")


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"OPTIONS * RTSP/1.0\r\nContent-Length: x\r\n\r\n",
        b"OPTIONS * RTSP/1.0\r\nContent-Length: 999999\r\n\r\n",
        b"OPTIONS * RTSP/1.0\r\nX: " + b"a" * 40_000,
        b"\xff\xfe\xfd\r\n\r\n",
        b"SETUP rtsp://[/yard RTSP/1.0\r\n\r\n",
        b"SETUP rtsp://h/yard RTSP/1.0\r\nTransport: RTP/AVP/TCP;interleaved=x\r\n\r\n",
    ],
)
def test_what_is_not_rtsp_ends_the_connection(film: Path, folder: Path, sent: bytes) -> None:
    with serving({"yard": film}, folder) as urls:
        host, port = urls["yard"].removeprefix("rtsp://").split("/")[0].split(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(sent)
            answer = b""
            with suppress(ConnectionResetError):
                while part := connection.recv(4096):
                    answer += part
        assert answer.startswith((b"RTSP/1.0 400", b"RTSP/1.0 404")) or not answer
        assert watch(urls["yard"], 1)  # others are still served


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def reels(film: Path, folder: Path) -> dict[str, Reel]:
    return {"yard": load(film, folder)}


async def test_clients_beyond_the_limit_are_turned_away(film: Path, folder: Path) -> None:
    async with SimulatedCameras(reels(film, folder), port=0, max_clients=2) as cameras:
        port = int(cameras.urls["yard"].split(":")[2].split("/")[0])
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        await until(lambda: cameras.clients == 2)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert b"503" in await asyncio.wait_for(reader.read(), 5)
        writer.close()
        for _, other in held:
            other.close()
        await until(lambda: cameras.clients == 0)


async def test_a_client_that_does_not_read_is_cut_off(
    big_film: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("connection", "transports"):
        monkeypatch.setattr(f"pipeline.simulate.{module}.SLOW_S", 0.2)
    async with SimulatedCameras(reels(big_film, folder), port=0) as cameras:
        url = cameras.urls["yard"]
        port = int(url.split(":")[2].split("/")[0])
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
        transport = "Transport: RTP/AVP/TCP;interleaved=0-1"
        writer.write(f"SETUP {url}/track0 RTSP/1.0\r\nCSeq: 1\r\n{transport}\r\n\r\n".encode())
        writer.write(f"PLAY {url} RTSP/1.0\r\nCSeq: 2\r\n\r\n".encode())
        await until(lambda: cameras.clients == 1)
        await until(lambda: cameras.clients == 0)
        writer.close()


async def test_a_client_that_asks_and_does_not_read_the_answers_is_cut_off(
    film: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("connection", "transports"):
        monkeypatch.setattr(f"pipeline.simulate.{module}.SLOW_S", 0.2)
    monkeypatch.setattr("pipeline.simulate.connection._BUFFER_BYTES", 4096)
    async with SimulatedCameras(reels(film, folder), port=0) as cameras:
        port = int(cameras.urls["yard"].split(":")[2].split("/")[0])
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", port))
        _, writer = await asyncio.open_connection(sock=deaf, limit=1)
        writer.transport.pause_reading()
        await until(lambda: cameras.clients == 1)
        asked = "DESCRIBE rtsp://h/yard RTSP/1.0\r\nCSeq: 1\r\n\r\n"
        writer.write(asked.encode() * 20_000)
        await until(lambda: cameras.clients == 0)
        writer.transport.abort()


async def test_a_film_without_pictures_ends_the_stream_and_holds_up_nobody(
    film: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = reels(film, folder)
    monkeypatch.setattr(Reel, "access_units", lambda *_: iter(()))
    async with SimulatedCameras(served, port=0, sender_reports=False) as cameras:
        url = cameras.urls["yard"]
        port = int(url.split(":")[2].split("/")[0])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        transport = "Transport: RTP/AVP/TCP;interleaved=0-1"
        writer.write(f"SETUP {url}/track0 RTSP/1.0\r\nCSeq: 1\r\n{transport}\r\n\r\n".encode())
        writer.write(f"PLAY {url} RTSP/1.0\r\nCSeq: 2\r\n\r\n".encode())
        answers = await asyncio.wait_for(reader.read(), 5)
        assert answers.count(b"200 OK") == 2
        writer.close()


async def test_leaving_ends_the_clients(film: Path, folder: Path) -> None:
    async with SimulatedCameras(reels(film, folder), port=0) as cameras:
        port = int(cameras.urls["yard"].split(":")[2].split("/")[0])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await until(lambda: cameras.clients == 1)
    with suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


def test_a_port_in_use_is_told_in_a_sentence(film: Path, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(VigilError, match=rf"^Port {port} on 127\.0\.0\.1 is in use; .*\.$"):
            serve({"yard": film}, folder, stop=threading.Event(), port=port)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"port": 70_000}, "Port 70000 does not exist"),
        ({"host": "192.0.2.1"}, "cannot listen on 192.0.2.1"),
        ({"start_s": 100.0}, "The film yard lasts 2 s and cannot start at 100 s"),
    ],
)
def test_what_cannot_be_served_is_told_in_a_sentence(
    film: Path, folder: Path, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(VigilError, match=sentence):
        serve({"yard": film}, folder, stop=threading.Event(), **{"port": 0, **options})


def test_a_missing_film_is_told_in_a_sentence(folder: Path) -> None:
    with pytest.raises(FilmError, match=r"^There is no film .*no\.mp4"):
        serve({"no": folder / "no.mp4"}, folder, stop=threading.Event(), port=0)
