"""A film for the demo where the real one cannot be had: a person's portrait, taken from a still
that is installed with matplotlib, comes onto a place, stays, and goes again. The picture itself
says that it is made."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from pipeline.errors import FilmError
from pipeline.simulate.encoding import write_film
from pipeline.simulate.rtp import CLOCK_HZ
from pipeline.types import Image

if TYPE_CHECKING:
    from av import VideoFrame

MADE_FILM = "made-1.mp4"
LABEL = "MADE FILM: a still moved over a drawing, no camera"

_WIDTH, _HEIGHT, _RATE = 768, 576, 10
_PERSON_HEIGHT = 300
_REST_X = 300
"""Where the portrait's left edge is while it stays; its foot is inside the drawn lawn."""
_COMES_S, _STAYS_S, _GOES_S, _EMPTY_S = 6.0, 24.0, 6.0, 4.0
_STILL = Path("mpl-data", "sample_data", "grace_hopper.jpg")


def make_film(target: Path, *, visits: int = 2) -> None:
    """Make the film, 40 s for each visit, as H.264 at `target`.

    Raises:
        FilmError: the still is not installed, or the film cannot be written.
    """
    portrait = _portrait()
    write_film(_frames(portrait, visits), target, Fraction(_RATE))


def _portrait() -> Image:
    import cv2

    found = importlib.util.find_spec("matplotlib")
    folders = (found.submodule_search_locations if found else None) or []
    for folder in folders:
        # imread gives None for a file that is not there
        still = cv2.imread(str(Path(folder) / _STILL))
        if still is not None:
            width = round(still.shape[1] * _PERSON_HEIGHT / still.shape[0])
            size = (width, _PERSON_HEIGHT)
            return cast("Image", cv2.resize(still, size, interpolation=cv2.INTER_AREA))
    raise FilmError(
        "The demo has no film: it cannot be fetched, and the still to make one from (of "
        "matplotlib) is not installed; name a film of your own with --source."
    )


def _background() -> Image:
    """A wall, a path and a lawn, with some grain so that it is not perfectly flat."""
    image = np.empty((_HEIGHT, _WIDTH, 3), np.uint8)
    image[:200] = (120, 150, 180)
    image[200:330] = (140, 140, 140)
    image[330:] = (60, 120, 70)
    grain = np.random.default_rng(1).integers(-8, 9, image.shape)
    noisy: Image = np.clip(image.astype(np.int16) + grain, 0, 255).astype(np.uint8)
    return noisy


def _label(image: Image, second: float) -> None:
    """Write what this is into the picture; the running time also keeps it from standing still."""
    import cv2

    text = f"{LABEL}  {second:04.1f} s"
    image[_HEIGHT - 36 :] = 0
    place, white = (12, _HEIGHT - 12), (255, 255, 255)
    cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.65, white, 1)


def _left_edge(second: float, width: int) -> int | None:
    """Where the portrait is at a time within one round; None while it is away."""
    if second < _COMES_S:
        return round(-width + (_REST_X + width) * second / _COMES_S)
    second -= _COMES_S
    if second < _STAYS_S:
        return _REST_X
    second -= _STAYS_S
    if second < _GOES_S:
        return round(_REST_X + (_WIDTH - _REST_X) * second / _GOES_S)
    return None


def _frames(portrait: Image, visits: int) -> Iterator[tuple[VideoFrame, int]]:
    import av

    background = _background()
    height, width = portrait.shape[:2]
    top = _HEIGHT - 50 - height
    period_s = _COMES_S + _STAYS_S + _GOES_S + _EMPTY_S
    for index in range(round(visits * period_s * _RATE)):
        image = background.copy()
        left = _left_edge(index / _RATE % period_s, width)
        if left is not None:
            first, last = max(left, 0), min(left + width, _WIDTH)
            image[top : top + height, first:last] = portrait[:, first - left : last - left]
        _label(image, index / _RATE)
        yield av.VideoFrame.from_ndarray(image, format="bgr24"), index * CLOCK_HZ // _RATE
