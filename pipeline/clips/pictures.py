"""Single pictures of a clip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import ClipError
from pipeline.masking import Masks
from pipeline.turning import quarter_turns, turned, turned_size
from pipeline.types import ClipReason, Image, Size

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

POSTER_WIDTH = 640
NONE = Masks()


def poster(raw: Path, seconds: float, masks: Masks = NONE) -> Image:
    """The picture `seconds` into a clip, at most 640 pixels wide (uint8, height x width x 3, BGR).

    Raises:
        ClipError: no picture of it can be decoded.
    """
    import av

    found = None
    try:
        with av.open(f"file:{raw}") as container:
            stream = container.streams.video[0]
            if stream.time_base is not None:
                container.seek(round(seconds / stream.time_base), stream=stream)
            for frame in container.decode(stream):
                found = frame
                if frame.time is None or frame.time >= seconds - 1e-3:
                    break
    except (av.FFmpegError, OSError, IndexError):
        pass  # what was decoded before will do
    if found is None:
        raise ClipError("No picture of the clip can be decoded.", ClipReason.UNPLAYABLE)
    shown = turned_size((found.width, found.height), quarter_turns(found.rotation))
    return bgr(found, within(shown, POSTER_WIDTH, shown[1]), masks)


def bgr(frame: VideoFrame, size: Size, masks: Masks = NONE) -> Image:
    """A decoded picture, upright and scaled to `size` (uint8, height x width x 3, BGR), black in
    the masks."""
    turns = quarter_turns(frame.rotation)
    width, height = turned_size(size, turns)
    scaled: Any = frame.reformat(width=width, height=height).to_ndarray(format="bgr24")
    image = turned(np.asarray(scaled, np.uint8), turns)
    return masks.over(image, turned_size((frame.width, frame.height), turns))


def within(size: Size, width: int, height: int) -> Size:
    """The size of a picture scaled down to fit, its sides even as H.264 wants them."""
    scale = min(1.0, width / size[0], height / size[1])
    return (max(2, round(size[0] * scale / 2) * 2), max(2, round(size[1] * scale / 2) * 2))
