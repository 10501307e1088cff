"""A camera that sends one film as two streams, for tests of the pair."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Awaitable, Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from rtsp_camera import OFFSET, Stream

from pipeline.simulate.rtp import CLOCK_HZ

RATE = 20
NTP_S = 2_208_988_800
"""Between 1900, from which the time of reports counts, and 1970."""
CAMERA_IS_AHEAD_S = 4321.0
"""What the camera's clock shows more than this machine's."""


def square(number: int) -> tuple[float, float, float, float]:
    """Where the square is in a picture of the film, in fractions: it crosses a fifth a second."""
    left = 0.02 + 0.2 * (number / RATE % 3.5)
    return (left, 0.3, left + 0.2, 0.7)


def write_film(path: Path, size: tuple[int, int], seconds: float) -> Path:
    width, height = size
    options = {"bf": "0", "preset": "ultrafast", "crf": "15"}
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.gop_size = RATE
        for number in range(round(seconds * RATE)):
            image = np.full((height, width, 3), 60, np.uint8)
            x1, y1, x2, y2 = square(number)
            image[
                round(y1 * height) : round(y2 * height), round(x1 * width) : round(x2 * width)
            ] = 250
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def found(image: np.ndarray) -> tuple[float, float, float, float] | None:
    """Where the square is in a picture, in fractions, by looking."""
    bright = image.max(axis=2) > 155
    rows, columns = np.nonzero(bright.any(axis=1))[0], np.nonzero(bright.any(axis=0))[0]
    if not len(rows):
        return None
    height, width = bright.shape
    return (
        columns[0] / width,
        rows[0] / height,
        (columns[-1] + 1) / width,
        (rows[-1] + 1) / height,
    )


def report(taken: float, timestamp: int) -> bytes:
    """An RTCP sender report (RFC 3550, section 6.4.1): the picture of this RTP time was taken so
    many seconds after 1970."""
    seconds, fraction = divmod(taken + NTP_S, 1)
    body = struct.pack(
        ">BBHIIIIII",
        0x80,
        200,
        6,
        7,
        int(seconds),
        int(fraction * 2**32),
        timestamp & 0xFFFFFFFF,
        0,
        0,
    )
    return b"$\x01" + struct.pack(">H", len(body)) + body


def plays(
    epoch: float,
    *,
    late: Callable[[int], float],
    origin: int,
    reports: bool,
) -> Callable[[Stream], Awaitable[None]]:
    """Sends the film as a camera that films on: who connects gets what is taken from then on.

    Picture `n` is taken at `epoch + n / RATE`, monotonic, and sent `late(n)` seconds later; its RTP
    time begins at `origin`, as that of each stream does somewhere.
    """

    async def play(stream: Stream) -> None:
        pictures = stream.pictures
        passed = time.monotonic() - epoch
        # from a keyframe on
        number = min(len(pictures) - 1, (int(passed) + 1) * RATE)
        while number < len(pictures):
            taken = epoch + number / RATE
            await asyncio.sleep(max(0.0, taken + late(number) - time.monotonic()))
            timestamp = OFFSET + origin + round(number * CLOCK_HZ / RATE)
            if reports and number % RATE == 0:
                wall = taken - time.monotonic() + time.time() + CAMERA_IS_AHEAD_S
                stream.writer.write(report(wall, timestamp))
            stream.writer.write(stream.packetiser.access_unit(pictures[number].units, timestamp))
            await stream.writer.drain()
            number += 1
        await stream.silence()

    return play
