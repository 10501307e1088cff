"""Turning films to H.264."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

from pipeline.errors import FilmError
from pipeline.simulate.rtp import CLOCK_HZ
from pipeline.turning import quarter_turns, turned
from pipeline.types import Image

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.container import InputContainer, OutputContainer
    from av.video.stream import VideoStream

OPTIONS = {"preset": "veryfast", "crf": "23", "bf": "0", "x264-params": "scenecut=0"}
_DEFAULT_RATE = Fraction(25)
_TIME_BASE = Fraction(1, CLOCK_HZ)
# a playlist or a list of parts may not lead anywhere else
_READ_OPTIONS = {"protocol_whitelist": "file"}


def opened(film: Path) -> InputContainer:
    """A film's container, with a video stream that has a decoder.

    Raises:
        FilmError: there is none.
    """
    import av

    if not film.is_file():
        raise FilmError(f"There is no film {film}; name a video file.")
    try:
        container = av.open(f"file:{film}", "r", options=_READ_OPTIONS, metadata_errors="replace")
    except (av.FFmpegError, ValueError):
        raise FilmError(f"{film} is not a video that can be read.") from None
    streams = container.streams.video
    # FFmpeg takes plain text for the picture of an old terminal
    if not streams or streams[0].codec_context is None or container.format.name == "tty":
        container.close()
        raise FilmError(f"{film} holds no video that can be read.")
    return container


def transcode(film: Path, target: Path) -> None:
    """Write a film as H.264 (yuv420p, a keyframe each second, no B-frames) in MP4, atomically.

    Raises:
        FilmError: it cannot be read or written.
    """
    with closing(opened(film)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        rate = stream.average_rate or stream.guessed_rate or _DEFAULT_RATE
        rate = rate if 1 <= rate <= 120 else _DEFAULT_RATE
        if not write_film(_decoded(container, stream, rate), target, rate):
            raise FilmError(f"{film} holds no picture that can be decoded.")


def _decoded(
    container: InputContainer, stream: VideoStream, rate: Fraction
) -> Iterator[tuple[VideoFrame, int]]:
    """Frames with rising times in 1/90000 s; damaged packets are left out."""
    import av

    period = round(CLOCK_HZ / rate)
    origin: float | None = None
    last = -period
    for packet in _readable(container, stream):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            continue
        for frame in frames:
            # raw H.264 has no times
            known = frame.pts is not None
            time = frame.time if known else (last + period) / CLOCK_HZ + (origin or 0.0)
            origin = time if origin is None else origin
            # one frame after the last at least, so that no two frames share a time
            last = max(last + 1, round((time - origin) * CLOCK_HZ))
            yield _upright(frame), last


def _readable(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """The packets up to the end, or up to where a film was cut off."""
    import av

    try:
        yield from container.demux(stream)
    except av.FFmpegError:
        return


def _upright(frame: VideoFrame) -> VideoFrame:
    """The frame as its film says it is to be shown: phones store pictures on their side."""
    turns = quarter_turns(frame.rotation)
    if not turns:
        return frame
    import av

    image = cast("Image", frame.to_ndarray(format="rgb24"))
    return av.VideoFrame.from_ndarray(turned(image, turns), format="rgb24")


def write_film(
    frames: Iterator[tuple[VideoFrame, int]],
    target: Path,
    rate: Fraction,
    *,
    options: Mapping[str, str] = OPTIONS,
    keyframe_s: float = 1.0,
) -> int:
    """Encode frames with their times (1/90000 s) to an MP4 file, with a keyframe each `keyframe_s`
    seconds; gives how many there were.

    `options` are libx264's, as FFmpeg calls them. The file appears under its name when it is whole,
    and not at all where there was no frame.

    Raises:
        FilmError: it cannot be written.
    """
    import av

    temporary = target.with_name(f".{target.stem}-{secrets.token_hex(4)}.mp4")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(temporary), "w", format="mp4") as output:
            count = _encode(frames, output, rate, dict(options), keyframe_s)
        if count:
            temporary.replace(target)
    except (av.FFmpegError, OSError) as error:
        raise FilmError(f"The film {target} cannot be made: {error.strerror}.") from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return count


def _encode(
    frames: Iterator[tuple[VideoFrame, int]],
    output: OutputContainer,
    rate: Fraction,
    options: dict[str, str],
    keyframe_s: float,
) -> int:
    count = 0
    stream: VideoStream | None = None
    for frame, time in frames:
        if stream is None:
            stream = output.add_stream("libx264", rate=rate, options=options)
            # 4:2:0 wants even sides
            stream.width, stream.height = frame.width & ~1, frame.height & ~1
            stream.pix_fmt = "yuv420p"
            stream.codec_context.time_base = _TIME_BASE
            stream.codec_context.gop_size = max(1, round(rate * keyframe_s))
        # films may change their size half-way; a camera does not
        picture = frame.reformat(stream.width, stream.height, "yuv420p")
        picture.pts, picture.time_base = time, _TIME_BASE
        picture.pict_type = 0
        output.mux(stream.encode(picture))
        count += 1
    if stream is not None:
        output.mux(stream.encode(None))
    return count
