"""Measuring a camera for some seconds: what `vigil check` tells.

The camera is read as it is when it is watched. What decoding costs is measured afterwards, on
packets that were kept.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import pairwise
from statistics import mean
from urllib.parse import urlsplit

from pipeline.errors import SourceError, SourceStalled
from pipeline.redact import shown
from pipeline.sources import figures
from pipeline.sources.address import Kind, kind_of
from pipeline.sources.costs import Decoded, decoded
from pipeline.sources.figures import Arrival
from pipeline.sources.measurement import (
    CameraClock,
    Cost,
    Look,
    Loss,
    Measurement,
    Opening,
    Video,
)
from pipeline.sources.observing import Observed
from pipeline.sources.opened import OpenedSource
from pipeline.sources.opening import DEFAULTS, open_source
from pipeline.sources.options import SourceOptions
from pipeline.sources.rtplog import listening, missed
from pipeline.sources.stream import StreamSource

DEFAULT_SECONDS = 8.0
"""Shows a keyframe interval of up to four seconds at least twice."""
HTTP_TIMEOUT_S = 3.0


def measure(
    camera: str,
    address: str,
    *,
    options: SourceOptions = DEFAULTS,
    seconds: float = DEFAULT_SECONDS,
    detector_side: int = 640,
    looks_per_s: float = 5.0,
    stop: threading.Event | None = None,
) -> Measurement:
    """Read a camera for `seconds` after its first picture (a film for as much of its own time),
    and measure it. `detector_side` and `looks_per_s` are what its pictures are converted for;
    `stop` ends it earlier, with what is known by then.

    Raises:
        SourceError: it cannot be had: as `open_source`; also where no picture comes.
    """
    # masks are for eyes; a mean and a comparison show nothing
    options = replace(options, masks=())
    kind = kind_of(camera, address)
    observed = Observed()
    broke: SourceError | None = None
    began = time.monotonic()
    with ExitStack() as stack:
        udp = kind is Kind.RTSP and options.transport == "udp"
        lines = stack.enter_context(listening()) if udp else ()
        source = stack.enter_context(closing(open_source(camera, address, options=options)))
        observed.live, observed.rate = source.live, source.rate
        if isinstance(source, StreamSource):  # nothing else has packets
            source.observer = observed.packet
        connected = time.monotonic()
        try:
            _read(source, observed, seconds, stop or threading.Event())
        except SourceError as error:
            if observed.first_picture is None:
                raise
            broke = error
        observed.ended = time.monotonic()
    if observed.first_picture is None:
        raise SourceStalled(
            f"Camera {camera}: {shown(address)} opens but ends without a picture; "
            "restart the camera if it stays so."
        )
    ended_early = source.live and observed.ended - observed.first_picture < seconds
    arrivals = figures.with_first_time(observed.arrivals)
    steps = _steps(observed, arrivals, live=source.live)
    cost = (
        decoded(observed.stream, observed.packets, detector_side)
        if observed.stream is not None and kind is not Kind.WEBCAM
        else None
    )
    rate = figures.rate(steps)
    return Measurement(
        camera=camera,
        address=shown(address),
        live=source.live,
        transport=options.transport if kind is Kind.RTSP else None,
        certificate_verified=options.verify_tls if _is_tls(address) else None,
        seconds=_span(observed, live=source.live),
        broke=str(broke) if broke else _BROKE.format(camera=camera) if ended_early else None,
        opening=Opening(
            connected_s=connected - began,
            first_packet_s=arrivals[0].at - began if arrivals else None,
            first_picture_s=observed.first_picture - began,
        ),
        video=_video(source, observed, arrivals, rate, cost),
        keyframes=figures.keyframes(arrivals, live=source.live),
        jitter=figures.jitter(arrivals) if source.live else None,
        loss=Loss(
            pictures=observed.frames,
            damaged=source.dropped.get("corrupt", 0),
            undecodable=source.dropped.get("undecodable", 0),
            missing=figures.missing(steps) if source.live else 0,
            rtp_packets=missed(lines) if udp else None,
        ),
        times=figures.odd_times(arrivals, live=source.live),
        cost=None if cost is None else _cost(cost, rate, looks_per_s),
        clock=_clock(kind, address, arrivals) if source.live else None,
        look=_look(observed, live=source.live),
        notes=tuple(source.notes),
    )


_BROKE = "Camera {camera}: it hung up while it was measured."


def _read(source: OpenedSource, observed: Observed, seconds: float, stop: threading.Event) -> None:
    for frame in source.frames():
        observed.frame(frame)
        assert observed.first_picture is not None
        passed = time.monotonic() - observed.first_picture
        if not source.live:
            passed = frame.pts - observed.shown[0]
        if passed >= seconds or stop.is_set():
            source.close()  # ends the loop


def _steps(observed: Observed, arrivals: list[Arrival], *, live: bool) -> list[float]:
    """Seconds from picture to picture, also where there are no packets."""
    if arrivals:
        return figures.steps(arrivals, live=live)
    return [later - earlier for earlier, later in pairwise(observed.shown)]


def _span(observed: Observed, *, live: bool) -> float:
    assert observed.first_picture is not None
    if live:
        return observed.ended - observed.first_picture
    return observed.shown[-1] - observed.shown[0]


def _video(
    source: OpenedSource,
    observed: Observed,
    arrivals: list[Arrival],
    rate: float | None,
    cost: Decoded | None,
) -> Video:
    stream = observed.stream
    return Video(
        codec=source.codec,
        profile=cost.profile if cost else None,
        pixel_format=stream.pixel_format if stream else None,
        size=observed.size,
        sizes=len(observed.sizes),
        b_frames=cost.b_frames if cost else None,
        claimed_rate=source.rate,
        rate=rate or source.rate,
        bit_rate=figures.bit_rate(arrivals, rate),
    )


def _cost(cost: Decoded, rate: float | None, looks_per_s: float) -> Cost:
    return Cost(
        decode_ms=cost.decode_ms,
        convert_ms=cost.convert_ms,
        decode_share=None if rate is None else cost.decode_ms / 1000 * rate,
        convert_share=cost.convert_ms / 1000 * min(looks_per_s, rate or looks_per_s),
    )


def _look(observed: Observed, *, live: bool) -> Look:
    return Look(
        brightness=mean(observed.brightness),
        still_s=observed.looked_at[-1] - observed.new_at if live else None,
    )


def _is_tls(address: str) -> bool:
    return address.lower().startswith(("rtsps://", "https://"))


def _clock(kind: Kind, address: str, arrivals: list[Arrival]) -> CameraClock | None:
    offset = figures.clock_offset(arrivals, time.time() - time.monotonic())
    if offset is not None:
        return CameraClock(offset, "rtcp")
    if kind is Kind.HTTP:
        offset = _date_offset(address)
        return None if offset is None else CameraClock(offset, "http")
    return None


def _date_offset(address: str) -> float | None:
    """By the header Date of an answer to a request of no account: even a refusal has it."""
    from email.utils import parsedate_to_datetime

    import httpx

    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    try:
        before = time.time()
        answer = httpx.head(
            f"{parts.scheme}://{host}/",
            timeout=HTTP_TIMEOUT_S,
            verify=False,  # noqa: S501  nothing but the time is taken from it
            trust_env=False,
        )
        after = time.time()
        told = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (httpx.HTTPError, httpx.InvalidURL, KeyError, ValueError):
        return None
    # it is cut off to the second
    return told + 0.5 - (before + after) / 2
