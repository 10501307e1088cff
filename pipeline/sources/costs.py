"""What decoding costs, measured on packets that were kept: in one thread, by that thread's own
processor time, so that other cameras and other programs do not count."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline import encoded
from pipeline.types import EncodedStream, Size

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

MOST_FRAMES = 120
LONGEST_S = 2.0
"""So many pictures, or as many as are decoded in so much processor time, tell what one costs."""
CONVERTED = 8
"""So many of them are also converted: each costs the same."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """Milliseconds per picture, and what only a decoder finds out."""

    decode_ms: float
    convert_ms: float
    profile: str | None
    b_frames: bool


def decoded(stream: EncodedStream, packets: Sequence[bytes], detector_side: int) -> Decoded | None:
    """What the pictures of `packets`, which begin with a keyframe, cost: to decode, and to convert
    to BGR with `detector_side` pixels on the longer side. None where no picture comes of them.
    """
    import av
    from av.video.frame import PictureType
    from av.video.reformatter import VideoReformatter

    spent = converting = 0.0
    count = converted = 0
    b_frames = False
    between = (PictureType.B, PictureType.BI)
    converter = VideoReformatter()
    try:
        with encoded.opened(stream) as video:
            video.codec_context.thread_count = 1
            for data in packets[:MOST_FRAMES]:
                began = time.thread_time()
                frames = _pictures(video, data)
                spent += time.thread_time() - began
                for frame in frames:
                    count += 1
                    b_frames |= frame.pict_type in between
                    if converted < CONVERTED:
                        converted += 1
                        converting += _convert(converter, frame, detector_side)
                if spent > LONGEST_S:
                    break
            profile = video.codec_context.profile
    except av.FFmpegError:
        return None
    if not count:
        return None
    return Decoded(1000 * spent / count, 1000 * converting / converted, profile, b_frames)


def _pictures(video: VideoStream, data: bytes) -> list[VideoFrame]:
    import av

    try:
        return video.decode(av.Packet(data))
    except av.FFmpegError:
        return []


def _convert(converter: VideoReformatter, frame: VideoFrame, side: int) -> float:
    width, height = fitted((frame.width, frame.height), side)
    began = time.thread_time()
    # as `pictures.DecodedPicture` does
    converter.reformat(
        frame, width=width, height=height, format="bgr24", interpolation="BILINEAR", threads=1
    ).to_ndarray()
    return time.thread_time() - began


def fitted(size: Size, side: int) -> Size:
    """The size with `side` pixels on its longer side."""
    ratio = side / max(size)
    return max(round(size[0] * ratio), 1), max(round(size[1] * ratio), 1)
