"""Opening network cameras and films with FFmpeg."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import SourceError, SourceNotFound, SourceUnreadable
from pipeline.protocols import PacketSink
from pipeline.redact import shown
from pipeline.sources.address import (
    ENCODE_ADVICE,
    Kind,
    Place,
    at_behind_host,
    file_path,
    kind_of,
    place_of,
)
from pipeline.sources.asking import USER_AGENT
from pipeline.sources.certificates import distrust, tls_options
from pipeline.sources.decoders import choose, settled
from pipeline.sources.failures import certificate_failure, opening_failure, unverifiable
from pipeline.sources.lookup import check_host, look_up
from pipeline.sources.options import SourceOptions
from pipeline.sources.redirects import check_redirection
from pipeline.sources.stream import StreamSource
from pipeline.sources.timing import Clock

if TYPE_CHECKING:
    from av import FFmpegError
    from av.container import InputContainer
    from av.video.stream import VideoStream

# What each kind may open while it is read. A playlist or a session description names further
# addresses: a camera's may not lead to this machine's files, nor a film's to the network.
_PROTOCOLS = {
    Kind.RTSP: "rtsp,rtp,tcp,tls",
    Kind.HTTP: "http,https,httpproxy,tcp,tls,crypto",
    Kind.FILE: "file",
}
# What a certificate that is to be verified vouches for: all but playlists, whose parts FFmpeg
# fetches without verifying anything.
_VERIFIED_FORMATS = "asf,avi,flv,h264,hevc,matroska,mjpeg,mov,mp4,mpeg,mpegts,mpjpeg,ogg,webm"
_VERIFIED_PROTOCOLS = "https,httpproxy,tcp,tls"
_ALMOST_AN_ADDRESS = re.compile(r"(rtsps?|https?)[:/]", re.IGNORECASE)
# FFmpeg takes plain text for the picture of an old terminal
_TEXT_CODECS = frozenset({"ansi", "bintext", "idf", "xbin"})


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A stream that is to be opened. `name` is its address for people, `place` None for films."""

    camera: str
    address: str = field(repr=False)
    name: str
    kind: Kind
    place: Place | None
    options: SourceOptions


def open_stream(
    camera: str,
    address: str,
    *,
    options: SourceOptions,
    clock: Clock,
    packets: PacketSink | None = None,
) -> StreamSource:
    """Open a network camera or a film; `packets` gets what it sends before it is decoded.

    Raises:
        SourceError: it cannot be opened; the subclass says why.
    """
    kind = kind_of(camera, address)
    place = None if kind is Kind.FILE else place_of(address)
    wanted = _Wanted(camera, address, shown(address), kind, place, options)
    ffmpeg = ffmpeg_options(camera, kind, options)
    try:
        if kind is not Kind.FILE:
            check_host(camera, address)
        with ExitStack() as connections:
            open_s = _prepare(wanted, connections)
            return _open(wanted, ffmpeg, open_s, clock, packets)
    except SourceError as error:
        if kind is Kind.FILE or not at_behind_host(address):
            raise
        failure = type(error)(f"{error} {ENCODE_ADVICE}")
    raise failure


def _prepare(wanted: _Wanted, connections: ExitStack) -> float:
    """Make sure of what FFmpeg does not; gives the seconds that are left to it, once to connect and
    once more to learn what comes."""
    whole_s = wanted.options.open_timeout_s
    if wanted.place is None:
        return whole_s
    deadline = time.monotonic() + whole_s
    look_up(wanted.camera, wanted.address, wanted.place, whole_s)
    check_redirection(
        wanted.camera,
        wanted.address,
        wanted.place,
        wanted.options,
        max(deadline - time.monotonic(), whole_s / 4),
        connections,
    )
    return max(deadline - time.monotonic(), whole_s / 4)


def _open(
    wanted: _Wanted,
    ffmpeg: dict[str, str],
    open_s: float,
    clock: Clock,
    packets: PacketSink | None,
) -> StreamSource:
    import av

    camera, kind, options = wanted.camera, wanted.kind, wanted.options
    target = wanted.address
    if kind is Kind.FILE:
        target = _checked_file(camera, target, file_path(wanted.name))
    if _verified_http(wanted):
        ffmpeg["format_whitelist"] = _VERIFIED_FORMATS
        # nor does it for an address without TLS that a redirection leads to
        ffmpeg["protocol_whitelist"] = _VERIFIED_PROTOCOLS
    decoder = choose(camera, options.decoder)
    container: InputContainer | None = None
    began = time.monotonic()
    try:
        container = av.open(
            target,
            options=ffmpeg,
            timeout=(open_s, options.read_timeout_s),
            metadata_errors="replace",
            hwaccel=decoder.acceleration,
        )
        stream = _video(container)
        if stream is not None:
            context = stream.codec_context
            decoder = settled(camera, decoder, context.name, accelerated=context.is_hwaccel)
            return StreamSource(
                camera, wanted.name, kind, container, stream, options, clock, decoder, packets
            )
        failure: SourceError = SourceUnreadable(
            f"Camera {camera}: {wanted.name} holds no video that can be decoded."
        )
    except (av.FFmpegError, UnicodeError, ValueError) as error:
        failure = _failure(error, wanted, time.monotonic() - began, open_s)
    if container is not None:
        container.close()
    # raised out here so that the failure's context does not hold PyAV's error and its address
    raise failure


def _failure(
    error: FFmpegError | UnicodeError | ValueError,
    wanted: _Wanted,
    elapsed_s: float,
    open_s: float,
) -> SourceError:
    import av

    camera, name, place = wanted.camera, wanted.name, wanted.place
    if isinstance(error, av.ArgumentError) and _verified_http(wanted):
        return unverifiable(camera, name)
    if place is not None and place.encrypted and wanted.options.verify_tls and elapsed_s < open_s:
        why = distrust(camera, place, wanted.options, open_s - elapsed_s)
        if why is not None:
            return certificate_failure(camera, name, why)
    return opening_failure(error, camera, name, wanted.kind, open_s, elapsed_s)


def _verified_http(wanted: _Wanted) -> bool:
    place = wanted.place
    return wanted.options.verify_tls and place is not None and place.scheme == "https"


def _checked_file(camera: str, address: str, name: str) -> str:
    path = Path(file_path(address)).expanduser()
    try:
        if not path.exists():
            remedy = "check the path"
            if "@" in address or _ALMOST_AN_ADDRESS.match(address):
                remedy += "; if it is the address of a camera, write rtsp:// in front"
            raise SourceNotFound(f"Camera {camera}: there is no file {name}; {remedy}.")
        if not path.is_file():  # a pipe or a device, whose opening nothing bounds
            raise SourceUnreadable(f"Camera {camera}: {name} is not a file; name a video file.")
        if path.stat().st_size == 0:
            raise SourceUnreadable(f"Camera {camera}: {name} is empty; name a video file.")
    except (OSError, ValueError):
        raise SourceNotFound(f"Camera {camera}: {name} cannot be opened; check the path.") from None
    # without the prefix FFmpeg would take concat:a|b or pipe:0 for one of its protocols
    return f"file:{path}"


def ffmpeg_options(camera: str, kind: Kind, options: SourceOptions) -> dict[str, str]:
    """How a stream is to be opened, as FFmpeg calls it.

    Raises:
        SourceUntrusted: the file of certificates is of no use.
    """
    ffmpeg = {"protocol_whitelist": _PROTOCOLS[kind]}
    if kind is Kind.FILE:
        return ffmpeg
    ffmpeg["timeout"] = str(round(options.open_timeout_s * 1_000_000))
    # half a second of stream is enough to know it; by default FFmpeg looks for about two
    ffmpeg |= {"analyzeduration": "500000", "fpsprobesize": "0"}
    ffmpeg |= tls_options(camera, options)
    if kind is Kind.RTSP:
        ffmpeg |= {"rtsp_transport": options.transport, "allowed_media_types": "video"}
        ffmpeg["user_agent"] = USER_AGENT
        if options.transport == "udp":
            ffmpeg["protocol_whitelist"] += ",udp"
    return ffmpeg


def _video(container: InputContainer) -> VideoStream | None:
    from av.stream import Disposition

    for stream in container.streams.video:
        decoder = stream.codec_context
        # a cover picture makes no film of a song
        if decoder is None or Disposition.attached_pic in stream.disposition:
            continue
        if decoder.name not in _TEXT_CODECS:
            return stream
    return None
