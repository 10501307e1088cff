"""The annotated clip: what was tracked drawn into the picture, the sentence below it.

Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which people with any form
of colour blindness tell apart.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.clips.bar import Bar
from pipeline.clips.cut import Cut
from pipeline.clips.moments import Moments
from pipeline.clips.output import new_output
from pipeline.clips.pictures import bgr, within
from pipeline.clips.tracks import Tracks
from pipeline.errors import ClipError
from pipeline.masking import Masks
from pipeline.types import ClipReason, Event, Image, LoggedTrack, Size, Zone

if TYPE_CHECKING:
    from supervision import Detections

MOST_HEIGHT = 720
MOST_WIDTH = 1280
TRAIL = 50
_TIME_BASE = Fraction(1, 90_000)
_ENCODING = {"preset": "superfast", "crf": "25"}
_PALETTE = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
_ZONE = "#F0E442"
_OTHERS = "#999999"


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

    try:
        drawn = _annotate(raw, cut, event, zones, out, tz, should_stop, most_height)
    except (av.FFmpegError, OSError) as error:
        out.unlink(missing_ok=True)
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        why = "the disk is full; free some space on it" if full else str(error.strerror)
    else:
        if drawn is None:
            out.unlink(missing_ok=True)
        return drawn
    raise ClipError(
        f"The annotated clip cannot be made: {why}.",
        ClipReason.DISK_FULL if full else ClipReason.UNPLAYABLE,
        passing=full,
    )


def _annotate(
    raw: Path,
    cut: Cut,
    event: Event,
    zones: Sequence[Zone],
    out: Path,
    tz: tzinfo | None,
    should_stop: Callable[[], bool],
    most_height: int,
) -> Drawn | None:
    import av

    size = within(cut.size, MOST_WIDTH, most_height)
    bar = Bar(size[0], f"{event.camera_name}: {event.rule_reason}", size[1])
    pen = _Pen(size, event, zones)
    masks = Masks(cut.masks)
    tracks = Tracks(cut.looks)
    moments = Moments(cut, event)
    with (
        av.open(f"file:{raw}") as source,
        new_output(out) as target,
    ):
        video = source.streams.video[0]
        video.codec_context.thread_count = 1
        stream = target.add_stream("libx264", rate=25, options=_ENCODING)
        stream.width, stream.height, stream.pix_fmt = size[0], size[1] + bar.height, "yuv420p"
        stream.codec_context.time_base = _TIME_BASE
        stream.codec_context.thread_count = 1
        start: float | None = None
        last = -1
        for frame in source.decode(video):
            if should_stop():
                return None
            seconds = frame.time or 0.0
            start = seconds if start is None else start
            t = seconds - start
            image = pen.draw(bgr(frame, size, masks), tracks.at(t))
            moments.saw(t, image)
            local = cut.moment(t).astimezone(tz)
            picture = np.vstack([image, bar.image(f"{local:%Y-%m-%d %H:%M:%S}")])
            encoded = av.VideoFrame.from_ndarray(picture, format="bgr24")
            last = max(round(t / _TIME_BASE), last + 1)
            encoded.pts, encoded.time_base = last, _TIME_BASE
            target.mux(stream.encode(encoded))
        target.mux(stream.encode(None))
    if last < 0:
        raise ClipError("The clip cannot be decoded.", ClipReason.UNPLAYABLE)
    return Drawn((size[0], size[1] + bar.height), moments.sheet())


class _Pen:
    """Draws into pictures of one size, by the annotators of `supervision`."""

    def __init__(self, size: Size, event: Event, zones: Sequence[Zone]) -> None:
        import supervision as sv

        self._size = size
        self._own = {track.id for track in event.tracks}
        thick = max(2, round(size[1] / 240))
        palette = sv.ColorPalette.from_hex(list(_PALETTE))
        by_track = sv.ColorLookup.TRACK
        self._box = sv.BoxAnnotator(palette, thickness=thick, color_lookup=by_track)
        self._trail = sv.TraceAnnotator(
            palette,
            position=sv.Position.BOTTOM_CENTER,
            trace_length=TRAIL,
            thickness=thick,
            color_lookup=by_track,
        )
        self._label = sv.LabelAnnotator(
            palette,
            text_color=sv.Color.BLACK,
            text_scale=max(0.4, size[1] / 1200),
            text_padding=4,
            color_lookup=by_track,
        )
        self._other = sv.BoxAnnotator(sv.Color.from_hex(_OTHERS), thickness=1)
        self._zone_colour, self._thick = sv.Color.from_hex(_ZONE), thick
        self._draw_polygon = sv.draw_polygon
        self._polygons = [
            np.round(np.array(zone.polygon) * np.array(size)).astype(int) for zone in zones
        ]

    def draw(self, image: Image, tracks: Sequence[LoggedTrack]) -> Image:
        """Zones first, then other tracks thinly, then the event's own with trails and labels."""
        for polygon in self._polygons:
            image = self._draw_polygon(image, polygon, self._zone_colour, thickness=self._thick)
        own = [track for track in tracks if track.id in self._own]
        others = [track for track in tracks if track.id not in self._own]
        if others:
            image = self._other.annotate(image, self._detections(others))
        if own:
            found = self._detections(own)
            image = self._trail.annotate(image, found)
            image = self._box.annotate(image, found)
            labels = [f"{track.label} {track.confidence:.0%}" for track in own]
            image = self._label.annotate(image, found, labels=labels)
        return image

    def _detections(self, tracks: Sequence[LoggedTrack]) -> Detections:
        import supervision as sv

        width, height = self._size
        boxes = np.array([track.box for track in tracks]) * [width, height, width, height]
        return sv.Detections(
            xyxy=boxes.astype(np.float32),
            confidence=np.array([track.confidence for track in tracks], np.float32),
            class_id=np.zeros(len(tracks), int),
            tracker_id=np.array([track.id for track in tracks], int),
        )
