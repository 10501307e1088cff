"""RTSP over UDP where nothing comes through. That it works is tested with GStreamer's server."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from films import make_film
from rtsp_answers import rtsp_answers

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
