"""A film as a faulty camera shows it: as one picture for ever, or in another size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from fractions import Fraction
from itertools import islice, repeat
from typing import TYPE_CHECKING

from pipeline.errors import FilmError
from pipeline.simulate.encoding import OPTIONS, opened
from pipeline.simulate.reel import AccessUnit, Reel, wind
from pipeline.simulate.rtp import CLOCK_HZ, nal_units

if TYPE_CHECKING:
    from av import VideoFrame

STILL_S = 2.0
RESIZED_S = 4.0
"""So much of each is made; it is sent over and over."""
_SMALLEST = 32
"""Pixels; what would be smaller when halved is doubled instead."""


def still(reel: Reel, start_s: float) -> tuple[AccessUnit, ...]:
    """The film's first picture from `start_s` on, encoded again and again: a keyframe a second.

    Raises:
        FilmError: the film cannot be read.
    """
    first = next(_decoded(reel, start_s))
    count = max(2, round(STILL_S / reel.period_s))
    return _encoded(repeat(first, count), (first.width, first.height), reel)


def resized(reel: Reel, start_s: float) -> tuple[AccessUnit, ...]:
    """The film's first seconds from `start_s` on in half of its width and height.

    Raises:
        FilmError: the film cannot be read.
    """
    frames = _decoded(reel, start_s)
    first = next(frames)
    count = max(2, round(RESIZED_S / reel.period_s))
    size = _other_size(first.width, first.height)
    return _encoded(islice(_and(first, frames), count), size, reel)


def _and(first: VideoFrame, rest: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    yield first
    yield from rest


def _other_size(width: int, height: int) -> tuple[int, int]:
    if min(width, height) // 2 >= _SMALLEST:
        return width // 2, height // 2
    return width * 2, height * 2


def _decoded(reel: Reel, start_s: float) -> Iterator[VideoFrame]:
    """At least one picture."""
    import av

    with closing(opened(reel.path)) as container:
        stream = container.streams.video[0]
        count = 0
        try:
            wind(container, stream, start_s)
            for frame in container.decode(stream):
                count += 1
                yield frame
        except av.FFmpegError:
            pass  # what has been decoded is enough
        if not count:
            raise FilmError(f"{reel.path} holds no picture that can be decoded.")


def _encoded(
    frames: Iterable[VideoFrame], size: tuple[int, int], reel: Reel
) -> tuple[AccessUnit, ...]:
    from av.video.codeccontext import VideoCodecContext

    encoder = VideoCodecContext.create("libx264", "w")
    # 4:2:0 wants even sides
    encoder.width, encoder.height = size[0] & ~1, size[1] & ~1
    encoder.pix_fmt = "yuv420p"
    encoder.framerate = Fraction(1 / reel.period_s).limit_denominator(1001)
    encoder.time_base = 1 / encoder.framerate
    encoder.gop_size = max(1, round(encoder.framerate))
    encoder.options = OPTIONS
    packets = []
    for index, frame in enumerate(frames):
        picture = frame.reformat(encoder.width, encoder.height, "yuv420p")
        picture.pts, picture.time_base, picture.pict_type = index, encoder.time_base, 0
        packets += encoder.encode(picture)
    packets += encoder.encode(None)
    # no B-frames: they come in the order in which they are shown
    return tuple(
        AccessUnit(
            index * reel.period_s,
            round(index * reel.period_s * CLOCK_HZ),
            tuple(nal_units(bytes(packet))),
        )
        for index, packet in enumerate(packets)
    )
