"""Decoded pictures that are converted only when somebody looks at them.

Scaling and converting a 1080p frame costs as much as decoding it, and most frames are never
looked at.
"""

from __future__ import annotations

import threading
import zlib
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.masking import Masks
from pipeline.turning import quarter_turns, turned, turned_size
from pipeline.types import Image, Luma, Picture, Size

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.reformatter import VideoReformatter


class _Converters(threading.local):
    """One swscale context for each thread: contexts are dear to set up and not to be shared."""

    def __init__(self) -> None:
        from av.video.reformatter import VideoReformatter

        self.converter: VideoReformatter = VideoReformatter()


_converters: _Converters | None = None


def _converter() -> VideoReformatter:
    global _converters
    if _converters is None:
        _converters = _Converters()
    return _converters.converter


class Damage:
    """Follows how far a damaged keyframe reaches: each picture up to the next whole keyframe is
    made from it, though the decoder calls only the keyframe corrupt.

    A damaged picture between keyframes counts for itself alone: where packets are lost now and
    then, all else would leave no picture for seconds.
    """

    HEALED_AFTER = 300
    """Pictures after which a stream that has no further keyframe, but renews its pictures piece by
    piece, is whole again."""

    def __init__(self) -> None:
        self._left = 0

    def reaches(self, *, corrupt: bool, keyframe: bool) -> bool:
        """Whether the next picture is damaged."""
        if keyframe:
            self._left = self.HEALED_AFTER if corrupt else 0
        else:
            self._left = max(self._left - 1, 0)
        return corrupt or self._left > 0


class DecodedPicture:
    """A frame of PyAV's; any thread may convert it.

    It is turned by `turns` quarter turns, counter-clockwise, or as the frame itself says, as those
    of hand-held cameras do; `size` and `bgr` are of the turned picture.
    """

    __slots__ = ("_frame", "size", "turns")

    def __init__(self, frame: VideoFrame, turns: int | None = None) -> None:
        self._frame = frame
        self.turns = quarter_turns(frame.rotation) if turns is None else turns
        self.size: Size = turned_size((frame.width, frame.height), self.turns)

    @property
    def keyframe(self) -> bool:
        return bool(self._frame.key_frame)

    def fingerprint(self) -> int:
        """As `types.Picture`."""
        return _checksum(self._brightness())

    def bgr(self, size: Size) -> Image:
        """The picture scaled to `size` (width, height), bilinear."""
        width, height = turned_size(size, self.turns)
        scaled = _converter().reformat(
            self._frame,
            width=width,
            height=height,
            format="bgr24",
            interpolation="BILINEAR",
            threads=_THREADS,
        )
        # A view of FFmpeg's memory, not a copy.
        return turned(cast("Image", scaled.to_ndarray()), self.turns)

    def luma(self, size: Size) -> Luma:
        """As `types.Picture`."""
        return turned(_shrunk(self._brightness(), turned_size(size, self.turns)), self.turns)

    def _brightness(self) -> Luma:
        """Of all pixels, not turned, without a conversion where the decoder gives it."""
        frame = self._frame
        if frame.format.name not in _LUMA_FIRST:
            frame = _converter().reformat(frame, format="gray", threads=_THREADS)
        plane = frame.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        return rows[: frame.height, : frame.width]


_LUMA_FIRST = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "nv12", "gray"})
"""Pixel formats whose first plane is the brightness, a byte each."""
_THREADS = 1
"""For one conversion. With FFmpeg's choice, one for each core, a picture of 768x576 took twice the
processor time and, beside a busy detector, three times as long (0.30 ms and 0.46 ms; with one
thread 0.14 ms both): it waits for cores that others have."""
_ROWS = 4
"""Every fourth row is enough to tell pictures apart: noise changes all of them."""


def _shrunk(brightness: Luma, size: Size) -> Luma:
    """Scaled by means over areas. Halved first, which OpenCV has a fast way for: 1080p to 160 x 90
    takes 0.16 ms instead of 0.39, with the same noise; every third row alone would take 0.14 with
    1.6 times the noise."""
    import cv2

    height, width = brightness.shape
    if width >= 4 * size[0] and height >= 4 * size[1]:
        even, half = brightness[: height // 2 * 2, : width // 2 * 2], (width // 2, height // 2)
        brightness = cast("Luma", cv2.resize(even, half, interpolation=cv2.INTER_AREA))
    return cast("Luma", cv2.resize(brightness, size, interpolation=cv2.INTER_AREA))


def _checksum(brightness: NDArray[np.uint8]) -> int:
    return zlib.crc32(brightness[::_ROWS].tobytes())


class ArrayPicture:
    """A picture that is an array already, as OpenCV gives it."""

    __slots__ = ("_image", "size")

    def __init__(self, image: Image) -> None:
        self._image = image
        self.size: Size = (image.shape[1], image.shape[0])

    def fingerprint(self) -> int:
        """As `types.Picture`, of the green channel, which is most of the brightness."""
        return _checksum(self._image[:, :, 1])

    def bgr(self, size: Size) -> Image:
        """The picture scaled to `size` (width, height)."""
        if size == self.size:
            return self._image
        import cv2

        return cast("Image", cv2.resize(self._image, size, interpolation=cv2.INTER_LINEAR))

    def luma(self, size: Size) -> Luma:
        """As `types.Picture`, of the green channel."""
        import cv2

        return _shrunk(cast("Luma", cv2.extractChannel(self._image, 1)), size)


class MaskedPicture:
    """A picture that is black in what its camera's masks hide, whoever looks at it."""

    __slots__ = ("_masks", "_picture", "_size")

    def __init__(self, picture: Picture, size: Size, masks: Masks) -> None:
        self._picture, self._size, self._masks = picture, size, masks

    def bgr(self, size: Size) -> Image:
        """The picture scaled to `size` (width, height)."""
        return self._masks.over(self._picture.bgr(size), self._size)

    def luma(self, size: Size) -> Luma:
        """As `types.Picture`."""
        return self._masks.over(self._picture.luma(size), self._size)

    def fingerprint(self) -> int:
        """As `types.Picture`: of the whole picture, or a camera that is masked all over would seem
        to stand still."""
        return self._picture.fingerprint()
