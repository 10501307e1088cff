"""Small films, made here, and where the shared ones are."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

MEDIA = Path(os.environ.get("VIGIL_TEST_MEDIA", Path(__file__).parents[2] / "shared" / "media"))


def shared(name: str) -> Path:
    """A file of the shared test media, or a skip that says what is missing."""
    path = MEDIA / name
    if not path.exists():
        pytest.skip(f"the shared test media are not there: {path} (set VIGIL_TEST_MEDIA)")
    return path


def make_film(
    path: Path,
    *,
    frames: int = 30,
    rate: int = 10,
    size: tuple[int, int] = (160, 120),
    codec: str = "libx264",
    times: list[int] | None = None,
    gop: int = 10,
) -> Path:
    """A film in which a white square moves to the right, 4 pixels a frame, on grey.

    `times` are presentation times in frame periods, where they are not 0, 1, 2, ...
    """
    options = {"bf": "0", "preset": "ultrafast"} if codec == "libx264" else {}
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.gop_size = gop
        stream.codec_context.time_base = Fraction(1, rate)
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(index, size), format="bgr24")
            frame.pts = times[index] if times else index
            frame.time_base = Fraction(1, rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def picture(index: int, size: tuple[int, int]) -> np.ndarray:
    width, height = size
    image = np.full((height, width, 3), 90, np.uint8)
    left = (4 * index) % (width - 20)
    image[height // 2 - 10 : height // 2 + 10, left : left + 20] = 255
    return image


def make_song(path: Path) -> Path:
    """A second of silence without any picture."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 8000), np.int16), format="s16", layout="mono"
        )
        frame.sample_rate = 8000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path
