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
from typing import TYPE_CHECKING

from pipeline.bench.scenes.pictures import SensorNoise, man, meadow, still
from pipeline.errors import ConfigError
from pipeline.simulate.encoding import write_film
from pipeline.simulate.rtp import CLOCK_HZ
from pipeline.types import Size

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
    width, height = size
    image = still()
    scene = meadow(image, size)
    walker = man(image, _HEIGHT * height)
    tall, wide = walker.image.shape[:2]
    noise = SensorNoise(size)
    for index in range(round(film.duration_s * rate)):
        picture = scene
        second = index / rate
        if film.active(second):
            gone = (second - film.begins_s) / (film.ends_s - film.begins_s)
            left, top = round(-wide + (width + wide) * gone), round(_FOOT * height) - tall
            picture = walker.over(scene, left, top)
        yield noise.over(picture), index * CLOCK_HZ // rate
