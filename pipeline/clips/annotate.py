"""The annotated clip: what was tracked drawn into the picture, the sentence below it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

import numpy as np

from pipeline.clips.bar import Bar
from pipeline.clips.cut import Cut
from pipeline.clips.drawn import drawn_film
from pipeline.clips.moments import Moments
from pipeline.clips.pen import Pen
from pipeline.clips.pictures import bgr, within
from pipeline.clips.tracks import Tracks
from pipeline.errors import ClipError
from pipeline.masking import Masks
from pipeline.types import ClipReason, Event, Image, Size, Zone

MOST_HEIGHT = 720
MOST_WIDTH = 1280


@dataclass(frozen=True, slots=True)
class Drawn:
    """An annotated clip; `sheet` shows its key moments in one picture (uint8, BGR)."""

    size: Size
    sheet: Image | None


def annotate(
    raw: Path,
    cut: Cut,
    event: Event,
    zones: Sequence[Zone],
    out: Path,
    *,
    tz: tzinfo | None,
    should_stop: Callable[[], bool],
    most_height: int = MOST_HEIGHT,
) -> Drawn | None:
    """Draw a raw clip's annotated one, in H.264 with the very times of its pictures; what lies in
    the masks of `cut` is black in it.

    `should_stop` is asked at each picture; None when it stopped the drawing, and then there is no
    file. Times are shown in `tz`.

    Raises:
        ClipError: the raw clip cannot be decoded, or the disk takes no file.
    """
    import av

    size = within(cut.size, MOST_WIDTH, most_height)
    bar = Bar(size[0], f"{event.camera_name}: {event.rule_reason}", size[1])
    own = {track.id for track in event.tracks}
    pen = Pen(size, [zone.polygon for zone in zones], own=own)
    masks = Masks(cut.masks)
    tracks = Tracks(cut.looks)
    moments = Moments(cut, event)
    whole = (size[0], size[1] + bar.height)
    stopped = False
    with drawn_film(out, whole, "annotated clip") as film, av.open(f"file:{raw}") as source:
        video = source.streams.video[0]
        video.codec_context.thread_count = 1
        start: float | None = None
        for frame in source.decode(video):
            stopped = should_stop()
            if stopped:
                break
            seconds = frame.time or 0.0
            start = seconds if start is None else start
            t = seconds - start
            image = pen.draw(bgr(frame, size, masks), tracks.at(t))
            moments.saw(t, image)
            local = cut.moment(t).astimezone(tz)
            film.add(np.vstack([image, bar.image(f"{local:%Y-%m-%d %H:%M:%S}")]), t)
        if film.empty and not stopped:
            raise ClipError("The clip cannot be decoded.", ClipReason.UNPLAYABLE)
    if stopped:
        out.unlink(missing_ok=True)
        return None
    return Drawn(whole, moments.sheet())
