"""A stream's description as a value: it outlives the connection that it came from.

FFmpeg hands parameter sets and the like from one container to another only as a stream of an open
container. So the value holds a container of its own, a few hundred bytes of NUT, which keeps them
as they are. NUT has no word for how a picture is to be turned, so that is a value beside it.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING

from pipeline.turning import quarter_turns
from pipeline.types import EncodedStream

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

_FORMAT = "nut"
# The header says all there is to know; there are no pictures in it to learn more from.
_UNPROBED = {"probesize": "32", "analyzeduration": "0"}
_TRACK_HEADER = 96


def describe(stream: VideoStream) -> EncodedStream:
    """The value of an open stream.

    Raises:
        av.FFmpegError: FFmpeg cannot describe it.
    """
    import av

    file = io.BytesIO()
    time_base = stream.time_base or Fraction(1, 90_000)
    with av.open(file, "w", format=_FORMAT) as container:
        out = container.add_stream_from_template(stream, opaque=True)
        container.start_encoding()
        # The header is written with the first packet.
        packet = av.Packet(b"\0")
        packet.pts = packet.dts = 0
        packet.time_base, packet.is_keyframe, packet.stream = time_base, True, out
        container.mux(packet)
    context = stream.codec_context
    return EncodedStream(
        codec=context.codec.canonical_name,
        size=(context.width, context.height),
        time_base=time_base,
        header=file.getvalue(),
        pixel_format=context.pix_fmt,
        turns=_turns(stream),
    )


def _turns(stream: VideoStream) -> int:
    """By how much the stream's container says that pictures are to be turned; 0 of a codec that
    MP4 does not hold, in whose header alone PyAV lets one see it before there is a picture."""
    import av

    file = io.BytesIO()
    try:
        with av.open(file, "w", format="mp4", options={"movflags": "empty_moov"}) as container:
            container.add_stream_from_template(stream, opaque=True)
            container.start_encoding()
    except (av.FFmpegError, ValueError):
        return 0
    # Its track header, where the matrix of the display comes after times of either length.
    header = file.getvalue().partition(b"tkhd")[2]
    if len(header) < _TRACK_HEADER:
        return 0
    cosine, sine = struct.unpack_from(">2i", header, 52 if header[0] else 40)
    return quarter_turns(-math.degrees(math.atan2(sine, cosine)))


@contextmanager
def opened(stream: EncodedStream) -> Iterator[VideoStream]:
    """The value as an open stream again, to decode with or to make others like it.

    Raises:
        av.FFmpegError: the header is none.
    """
    import av

    with av.open(io.BytesIO(stream.header), format=_FORMAT, options=_UNPROBED) as container:
        yield container.streams.video[0]


def add_stream(container: OutputContainer, stream: EncodedStream) -> VideoStream:
    """A stream of `container` that takes this stream's packets as they are."""
    with opened(stream) as template:
        added = container.add_stream_from_template(template, opaque=True)
    added.time_base = stream.time_base
    if stream.turns:
        added.set_display_rotation(90 * stream.turns)
    return added
