"""RTSP over UDP where nothing comes through, and cameras that freeze. That UDP and TLS work is
tested with GStreamer's server."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest
from certificates import TlsRelay, make_certificate
from films import make_film
from rtsp_answers import rtsp_answers
from rtsp_camera import RtspCamera, Stream

from pipeline.errors import SourceStalled
from pipeline.simulate import load
from pipeline.simulate.rtp import session_description
from pipeline.sources import Kind, SourceOptions, open_source
from pipeline.sources.ffmpeg import ffmpeg_options

LIMIT_S = 0.6


def test_udp_is_allowed_only_where_it_is_wanted() -> None:
    for transport, allowed in {"tcp": False, "udp": True}.items():
        options = SourceOptions(transport=transport)  # type: ignore[arg-type]
        ffmpeg = ffmpeg_options("door", Kind.RTSP, options)
        assert ffmpeg["rtsp_transport"] == transport
        assert ("udp" in ffmpeg["protocol_whitelist"].split(",")) is allowed
        assert "udp" not in ffmpeg_options("door", Kind.HTTP, options)["protocol_whitelist"]


def test_udp_that_does_not_come_through_is_a_stall_with_a_remedy(tmp_path: Path) -> None:
    reel = load(make_film(tmp_path / "film.mp4", frames=20), tmp_path)
    described = session_description("door", "127.0.0.1", reel.parameter_sets, reel.rate)

    def answers(method: str, given: str | None) -> list[str]:
        head = ["RTSP/1.0 200 OK", "Session: 1"]
        if method == "DESCRIBE":
            return [*head, "Content-Type: application/sdp", "", described]
        ports = "client_port=5000-5001;server_port=6000-6001"
        return [*head, f"Transport: RTP/AVP/UDP;unicast;{ports}"]

    options = SourceOptions(transport="udp", open_timeout_s=LIMIT_S, read_timeout_s=LIMIT_S)
    began = time.monotonic()
    with (
        rtsp_answers(answers, []) as host,
        pytest.raises(SourceStalled, match="something may hold UDP back: try transport: tcp"),
    ):
        list(open_source("door", f"rtsp://{host}/s", options=options).frames())
    assert time.monotonic() - began < 4 * LIMIT_S + 1


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_camera_that_has_frozen_is_closed_at_once(tmp_path: Path, encrypted: bool) -> None:
    reel = load(make_film(tmp_path / "film.mp4", frames=60), tmp_path)
    thawed = threading.Event()

    async def plays(stream: Stream) -> None:
        await stream.send(60)
        await stream.silence()

    with (
        RtspCamera(reel, plays) as camera,
        TlsRelay(make_certificate(tmp_path), camera.port) as relay,
    ):
        address = f"rtsps://127.0.0.1:{relay.port}/s" if encrypted else camera.url
        source = open_source("door", address, options=SourceOptions(read_timeout_s=10))
        frames = source.frames()
        next(frames)
        for loop in (camera._loop, relay._loop):
            assert isinstance(loop, asyncio.AbstractEventLoop)
            loop.call_soon_threadsafe(thawed.wait, 30)
        try:
            began = time.monotonic()
            source.close()
            assert len(list(frames)) < 60
            assert time.monotonic() - began < 2
        finally:
            thawed.set()
