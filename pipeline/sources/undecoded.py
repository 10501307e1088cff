"""What is read of a stream of which only the packets are wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.sources.timing import Stamp
from pipeline.types import Frame, Image, Luma, Size

if TYPE_CHECKING:
    from av.video.stream import VideoStream


_NONE = "only the packets of this stream were asked for"


class NoPicture:
    """Stands for the picture of a packet that nobody decodes."""

    def fingerprint(self) -> int:
        raise ValueError(_NONE)

    def bgr(self, size: Size) -> Image:
        raise ValueError(_NONE)

    def luma(self, size: Size) -> Luma:
        raise ValueError(_NONE)


def undecoded(camera: str, index: int, stream: VideoStream, stamp: Stamp) -> Frame:
    """A packet as a frame without a picture, in decoding order."""
    return Frame(
        camera=camera,
        index=index,
        captured_at=stamp.captured_at,
        monotonic=stamp.monotonic,
        pts=stamp.pts,
        size=(stream.codec_context.width, stream.codec_context.height),
        picture=NoPicture(),
        discontinuity=stamp.discontinuity,
    )
