"""A measurement of a camera with which all is well, to be spoiled by tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pipeline.sources import Measurement
from pipeline.sources.measurement import (
    CameraClock,
    Cost,
    Jitter,
    Keyframes,
    Look,
    Loss,
    Opening,
    Times,
    Video,
)

GOOD = Measurement(
    camera="door",
    address="rtsp://192.0.2.1/stream1",
    live=True,
    transport="tcp",
    certificate_verified=None,
    seconds=8.0,
    broke=None,
    opening=Opening(connected_s=0.5, first_packet_s=0.5, first_picture_s=0.6),
    video=Video(
        codec="h264",
        profile="Main",
        pixel_format="yuv420p",
        size=(1280, 720),
        sizes=1,
        b_frames=False,
        claimed_rate=15.0,
        rate=15.0,
        bit_rate=2_000_000.0,
    ),
    keyframes=Keyframes(8, 1.0, 15, 1.0, True),
    jitter=Jitter(interarrival_ms=3.0, late_p95_ms=20.0, late_max_ms=40.0, pace=1.0),
    loss=Loss(pictures=120, damaged=0, undecodable=0, missing=0, rtp_packets=None),
    times=Times(),
    cost=Cost(decode_ms=3.0, convert_ms=2.0, decode_share=0.045, convert_share=0.01),
    clock=CameraClock(-0.2, "rtcp"),
    look=Look(brightness=0.4, still_s=0.5),
)


def spoiled(**changes: Any) -> Measurement:
    """The good measurement with other values; a nested one is written `video__rate=3.0`."""
    found = GOOD
    for name, value in changes.items():
        outer, _, inner = name.partition("__")
        if inner:
            value = replace(getattr(found, outer), **{inner: value})
        found = replace(found, **{outer: value})
    return found
