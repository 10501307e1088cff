"""Opening network cameras and films with FFmpeg."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import SourceError, SourceNotFound, SourceUnreadable
from pipeline.protocols import PacketSink
from pipeline.sources.address import Kind, Place, file_path, kind_of, place_of, shown
from pipeline.sources.certificates import distrust, tls_options
from pipeline.sources.decoders import choose, settled
from pipeline.sources.failures import certificate_failure, opening_failure, unverifiable
from pipeline.sources.lookup import look_up
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
# FFmpeg takes plain text for the picture of an old terminal
_TEXT_CODECS = frozenset({"ansi", "bintext", "idf", "xbin"})


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
    import av

    kind = kind_of(camera, address)
    name = shown(address)
    target = _checked_file(camera, address) if kind is Kind.FILE else address
    place = None if kind is Kind.FILE else place_of(address)
    ffmpeg = ffmpeg_options(camera, kind, options)
    if _verified_http(place, options):
        ffmpeg["format_whitelist"] = _VERIFIED_FORMATS
    decoder = choose(camera, options.decoder)
    open_s = _prepare(camera, address, place, options)
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
                camera,
                name,
                kind,
                container,
                stream,
                options.read_timeout_s,
                clock,
                decoder,
                packets,
            )
        failure: SourceError = SourceUnreadable(
            f"Camera {camera}: {name} holds no video that can be decoded."
        )
    except (av.FFmpegError, UnicodeError, ValueError) as error:
        elapsed_s = time.monotonic() - began
        failure = _failure(error, camera, name, kind, options, place, elapsed_s, open_s)
    if container is not None:
        container.close()
    # raised out here so that the failure's context does not hold PyAV's error and its address
    raise failure


def _prepare(camera: str, address: str, place: Place | None, options: SourceOptions) -> float:
    """Make sure of what FFmpeg does not; gives the seconds that are left to it for opening."""
    if place is None:
        return options.open_timeout_s
    began = time.monotonic()
    look_up(camera, place, options.open_timeout_s)
    left_s = options.open_timeout_s - (time.monotonic() - began)
    check_redirection(camera, address, place, options, max(left_s, options.open_timeout_s / 2))
    left_s = options.open_timeout_s - (time.monotonic() - began)
    return max(left_s, options.open_timeout_s / 2)


def _failure(
    error: FFmpegError | UnicodeError | ValueError,
    camera: str,
    name: str,
    kind: Kind,
    options: SourceOptions,
    place: Place | None,
    elapsed_s: float,
    open_s: float,
) -> SourceError:
    import av

    if isinstance(error, av.ArgumentError) and _verified_http(place, options):
        return unverifiable(camera, name)
    failure = opening_failure(error, camera, name, kind, open_s, elapsed_s)
    if place is not None and place.encrypted and options.verify_tls and elapsed_s < open_s:
        why = distrust(camera, place, options, open_s - elapsed_s)
        if why is not None:
            return certificate_failure(camera, name, why)
    return failure


def _verified_http(place: Place | None, options: SourceOptions) -> bool:
    return options.verify_tls and place is not None and place.scheme == "https"


def _checked_file(camera: str, address: str) -> str:
    path = Path(file_path(address)).expanduser()
    try:
        if not path.exists():
            raise SourceNotFound(f"Camera {camera}: there is no file {path}; check the path.")
        if not path.is_file():  # a pipe or a device, whose opening nothing bounds
            raise SourceUnreadable(f"Camera {camera}: {path} is not a file; name a video file.")
        if path.stat().st_size == 0:
            raise SourceUnreadable(f"Camera {camera}: {path} is empty; name a video file.")
    except (OSError, ValueError):
        raise SourceNotFound(f"Camera {camera}: {path} cannot be opened; check the path.") from None
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
