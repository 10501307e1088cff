"""The ways of simulated pictures to real clients: UDP, TLS, and the camera's clock with them."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import struct
import subprocess
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import av
import pytest
from films import make_film
from running import missing, until

from pipeline.simulate import Reel, SimulatedCameras, in_thread, load
from pipeline.simulate.reports import CameraClock, sender_report

AHEAD_S = 1000.0
TCP = {"rtsp_transport": "tcp", "analyzeduration": "100000", "fpsprobesize": "0"}
UDP = {**TCP, "rtsp_transport": "udp", "protocol_whitelist": "rtsp,rtp,udp,tcp"}


@pytest.fixture(scope="module")
def reel(tmp_path_factory: pytest.TempPathFactory) -> Reel:
    """0.4 s of 10 frames."""
    folder = tmp_path_factory.mktemp("reel")
    return load(make_film(folder / "yard.mp4", frames=10, rate=25, gop=5), folder)


def packets(url: str, options: dict[str, str], count: int) -> Iterator[av.Packet]:
    with av.open(url, options=options, timeout=(5, 5)) as container:
        for index, packet in enumerate(container.demux(container.streams.video[0])):
            if not packet.size or index == count:
                return
            yield packet


def taken_at(packet: av.Packet) -> float | None:
    """When the camera took a picture by its own clock, in seconds since 1970, as FFmpeg says."""
    for data in packet.iter_sidedata():
        if data.data_type == "prft":
            return struct.unpack_from("<q", bytes(data))[0] / 1e6
    return None


@pytest.mark.parametrize("options", [TCP, UDP], ids=["tcp", "udp"])
def test_sender_reports_tell_the_cameras_clock_across_the_films_seam(
    reel: Reel, options: dict[str, str]
) -> None:
    with in_thread(SimulatedCameras({"yard": reel}, port=0, clock_offset_s=AHEAD_S)) as cameras:
        began = time.time()
        found = list(packets(cameras.urls["yard"], options, 25))
        ended = time.time()
    times = [taken_at(packet) for packet in found]
    assert None not in times
    assert began <= times[0] - AHEAD_S <= times[-1] - AHEAD_S <= ended
    # the RTP times leap twice by 10 s in these 25 pictures; the camera's clock does not
    steps = [after - before for before, after in pairwise(times)]
    assert steps == pytest.approx([0.04] * 24, abs=0.001)
    assert found[-1].pts - found[1].pts > 20 * 90_000


def test_two_streams_of_one_camera_are_aligned_by_its_clock(reel: Reel) -> None:
    with in_thread(SimulatedCameras({"a": reel, "b": reel}, port=0)) as cameras:
        began: list[float] = []
        said: list[float] = []
        for name in ("a", "b"):
            began.append(time.time())
            with av.open(cameras.urls[name], options=TCP, timeout=(5, 5)) as stream:
                said.append(stream.start_time_realtime / 1e6)
    assert began[0] <= said[0] <= began[1] <= said[1] <= time.time()


def test_reports_hold_across_a_jump_of_the_times_and_can_be_left_out(reel: Reel) -> None:
    with in_thread(SimulatedCameras({"yard": reel}, port=0)) as cameras:
        times = []
        for index, packet in enumerate(packets(cameras.urls["yard"], TCP, 20)):
            times.append(taken_at(packet))
            if index == 8:
                cameras.fault("yard", "timestamp-jump:-3000")
    assert times[-1] - times[0] == pytest.approx(19 * 0.04, abs=0.001)
    with in_thread(SimulatedCameras({"yard": reel}, port=0, sender_reports=False)) as cameras:
        assert {taken_at(packet) for packet in packets(cameras.urls["yard"], TCP, 5)} == {None}


async def test_where_only_reports_are_sent_there_are_many_of_them(reel: Reel) -> None:
    async with SimulatedCameras({"yard": reel}, port=0) as cameras:
        cameras.fault("yard", "rtcp-only")
        url = cameras.urls["yard"]
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        for line in (f"SETUP {url}/track0", f"PLAY {url}"):
            transport = "Transport: RTP/AVP/TCP;interleaved=4-5"
            writer.write(f"{line} RTSP/1.0\r\nCSeq: 1\r\n{transport}\r\n\r\n".encode())
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        for _ in range(5):
            marker, channel, length = struct.unpack(">cBH", await reader.readexactly(4))
            packet = await reader.readexactly(length)
            assert (marker, channel, packet[1]) == (b"$", 5, 200)
        cameras.fault("yard", "stall")
        with pytest.raises(TimeoutError):  # one report may be on its way still
            await asyncio.wait_for(reader.readexactly(200), 1.0)
        assert cameras.sent["yard"].pictures == 0
        writer.close()


def test_packets_are_lost_over_udp_too(reel: Reel) -> None:
    with in_thread(SimulatedCameras({"yard": reel}, port=0)) as cameras:
        cameras.fault("yard", "packet-loss:0.5")
        assert list(packets(cameras.urls["yard"], UDP, 5))
        sent = cameras.sent["yard"]
    assert sent.packets_lost > 0
    assert sent.packets > 0


def test_a_udp_client_that_says_no_more_is_forgotten(
    reel: Reel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.simulate.connection._SESSION_S", 1)
    cameras = SimulatedCameras({"yard": reel}, port=0)
    with in_thread(cameras), av.open(cameras.urls["yard"], options=UDP, timeout=(5, 5)):
        assert cameras.clients == 1
        until(lambda: cameras.clients == 0)


def test_a_camera_by_tls(reel: Reel, tmp_path: Path) -> None:
    if not shutil.which("openssl"):
        missing("openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    places = ["-subj", "/CN=127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *places], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with in_thread(SimulatedCameras({"yard": reel}, port=0, tls=context)) as cameras:
        url = cameras.urls["yard"]
        assert url.startswith("rtsps://")
        assert len(list(packets(url, {**TCP, "tls_verify": "0"}, 10))) == 10
        # without TLS nobody is served
        with pytest.raises(av.FFmpegError):
            list(packets(url.replace("rtsps", "rtsp"), TCP, 1))


def test_a_report_is_laid_out_as_rfc_3550_wants_it() -> None:
    packet = sender_report(ssrc=7, wall=1.5, timestamp=2**32 + 9, packets=3, octets=400)
    assert len(packet) % 4 == 0
    assert struct.unpack_from(">BBHIIIIII", packet) == (
        *(0x80, 200, 6, 7, 2_208_988_801),
        *(2**31, 9, 3, 400),
    )
    version, kind, words, ssrc = struct.unpack_from(">BBHI", packet, 28)
    assert (version, kind, ssrc, (words + 1) * 4) == (0x81, 202, 7, len(packet) - 28)


def test_the_cameras_clock_runs_on_whatever_this_machines_does() -> None:
    clock = CameraClock(offset_s=-60.0)
    assert clock.at(time.monotonic()) == pytest.approx(time.time() - 60, abs=0.5)
    assert clock.at(100.25) - clock.at(100.0) == pytest.approx(0.25, abs=1e-6)
