"""A webcam's pictures as the packets that other cameras send by themselves."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import TYPE_CHECKING

from pipeline.encoded import describe
from pipeline.protocols import PacketSink
from pipeline.sources.timing import Stamp
from pipeline.types import EncodedPacket, EncodedStream, Image

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

TIME_BASE = Fraction(1, 90_000)
GROUP_S = 2.0
"""A keyframe comes so often."""
_OPTIONS = {"preset": "veryfast", "tune": "zerolatency", "crf": "24"}


class Encoder:
    """Encodes pictures (uint8, height x width x 3, BGR) to H.264, one packet each, for a sink."""

    def __init__(self, sink: PacketSink) -> None:
        self._sink = sink
        self._container: OutputContainer | None = None
        self._video: VideoStream | None = None
        self._stream: EncodedStream | None = None
        self._keyframe_at = -GROUP_S

    def take(self, image: Image, stamp: Stamp) -> None:
        """Encode a picture; odd sizes lose a row or column, which H.264 cannot hold."""
        import av
        from av.video.frame import PictureType

        height, width = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
        if self._video is None or (self._video.width, self._video.height) != (width, height):
            self._begin(width, height)
        assert self._video is not None
        assert self._stream is not None
        frame = av.VideoFrame.from_ndarray(image[:height, :width].copy(), format="bgr24")
        frame.pts, frame.time_base = round(stamp.pts / TIME_BASE), TIME_BASE
        if stamp.discontinuity or stamp.pts - self._keyframe_at >= GROUP_S:
            frame.pict_type = PictureType.I
            self._keyframe_at = stamp.pts
        for packet in self._video.encode(frame):
            self._sink.take(
                self._stream,
                EncodedPacket(
                    data=bytes(packet),
                    pts=packet.pts,
                    dts=packet.dts,
                    duration=packet.duration or None,
                    keyframe=packet.is_keyframe,
                    time=stamp.pts,
                    captured_at=stamp.captured_at,
                    monotonic=stamp.monotonic,
                    discontinuity=stamp.discontinuity,
                ),
            )

    def _begin(self, width: int, height: int) -> None:
        import av

        # Only the encoder is wanted; it comes with a container, whose file nobody reads.
        self._container = av.open(io.BytesIO(), "w", format="mp4")
        video = self._container.add_stream("libx264", rate=30, options=_OPTIONS)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.codec_context.time_base = TIME_BASE
        video.codec_context.thread_count = 1
        video.codec_context.gop_size = 10_000
        self._container.start_encoding()
        video.time_base = TIME_BASE
        self._video, self._stream = video, describe(video)
