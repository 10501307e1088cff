"""Pictures of a camera's own to make a model for it with: of its recorded video, or of itself."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.bench.samples import Sample, Thing, spread
from pipeline.clips.decoding import upright
from pipeline.clips.footage import Footage
from pipeline.clips.piece import Piece
from pipeline.clips.tracklog import read_looks
from pipeline.config import Config
from pipeline.errors import SourceError
from pipeline.masking import Masks
from pipeline.sources import OpenedSource, SourceOptions, is_film, open_source
from pipeline.sources.pictures import DecodedPicture, MaskedPicture
from pipeline.types import Detection, Frame, Luma, Size

LONGEST_S = 60.0
"""So long a camera, or a film, is read at most."""
APART_S = 0.5
"""Pictures of a live camera are so far apart at least."""
FILM_APART_S = 0.08
"""And those of a film by its own time; further where it is long."""
RECENT = timedelta(hours=24)
"""Older video is not looked at."""
INTO_S = 0.4
"""A recorded picture lies so long after a keyframe at least: most pictures are none."""
INTO_FRAMES = 60
"""And so many pictures at most, which bounds what is decoded for one."""
TRACKED = 0.75
"""So many of the recorded moments are ones at which something was tracked, if there are."""
MORE = 3
"""So many times the wanted pictures are taken at most, to find some with something in them."""
SMALL: Size = (64, 36)
CHANGED = 16
"""A change of brightness, of 255, that noise seldom makes in means over areas."""
STIRRED = 0.01
"""Something moves where so much of a picture has changed."""
AHEAD = 4
"""Pictures that are being looked at while others are decoded."""

Look = Callable[[Frame], Future[list[Detection]]]
Progress = Callable[[str], None]
Room = Callable[[Frame], int]
"""How many pictures of a frame's size may be kept."""


class _Taken(NamedTuple):
    """A picture, and a smaller one of just before it, if there is one."""

    frame: Frame
    before: Luma | None


def gather(
    config: Config,
    key: str,
    look: Look,
    *,
    wanted: int,
    detections: int,
    most_bytes: float,
    progress: Progress,
) -> list[Sample]:
    """Pictures of a camera in order of time, masked as always: as many as are wanted if they can
    be had, and up to MORE times as many while fewer than so many detections are in them; fewer
    where they would take more memory than `most_bytes`.

    They come from the recorded video; where that does not have enough, from the camera itself,
    read for LONGEST_S at most, or from the film, all over it.

    Raises:
        SourceError: there is no recorded video, and the camera or film cannot be read.
        DetectorError: the reference fails.
    """
    few = _Few(look, wanted, detections, most_bytes)
    few.take(_recorded(config, key, few.most))
    if few.samples:
        progress(f"Camera {key}: {len(few.samples)} pictures of its recorded video.")
    camera, before = config.cameras[key], len(few.samples)
    if few.more:
        progress(f"Camera {key}: taking pictures of {camera.shown()}, a minute at most...")
        read = _film if is_film(camera.address()) else _live
        try:
            few.take(read(config, key, few.most - before, few.most_of))
        except SourceError:
            if not before:
                raise
            progress(f"Camera {key} cannot be read; its recorded video has to do.")
        else:
            progress(f"Camera {key}: took {len(few.samples) - before} pictures.")
    return sorted(few.samples, key=lambda sample: sample.frame.captured_at)


class _Few:
    """Samples until there are enough."""

    def __init__(self, look: Look, wanted: int, detections: int, most_bytes: float) -> None:
        self.samples: list[Sample] = []
        self.most = MORE * wanted
        self._look, self._wanted, self._detections = look, wanted, detections
        self._most_bytes = most_bytes
        self._under_way: deque[tuple[_Taken, Future[list[Detection]]]] = deque()
        self._found = 0

    @property
    def more(self) -> bool:
        """Whether more pictures are of use, and may be taken."""
        taken = len(self.samples) + len(self._under_way)
        enough = taken >= self._wanted and self._found >= self._detections
        return not enough and taken < self.most

    def most_of(self, frame: Frame) -> int:
        """So many pictures of this size may be kept."""
        width, height = frame.size
        # Most decoders give a brightness for each pixel, and colours for each fourth one.
        return int(self._most_bytes / (1.5 * width * height))

    def take(self, pictures: Generator[_Taken]) -> None:
        """Take pictures while more are of use."""
        with closing(pictures):
            for taken in pictures:
                self.most = min(self.most, self.most_of(taken.frame))
                self._under_way.append((taken, self._look(taken.frame)))
                if len(self._under_way) > AHEAD:
                    self._done(*self._under_way.popleft())
                if not self.more:
                    break
        while self._under_way:
            self._done(*self._under_way.popleft())

    def _done(self, taken: _Taken, answer: Future[list[Detection]]) -> None:
        found = len(answer.result())
        luma = taken.frame.picture.luma(SMALL)
        moved = taken.before is not None and _moved(taken.before, luma)
        self.samples.append(Sample(taken.frame, found, float(luma.mean()), moved))
        self._found += found


def _moved(before: Luma, now: Luma) -> bool:
    changed = np.abs(before.astype(np.int16) - now) > CHANGED
    return float(changed.mean()) > STIRRED


def _live(config: Config, key: str, most: int, _room: Room) -> Generator[_Taken]:
    """Pictures of a camera as they come, APART_S apart."""
    before: Luma | None = None
    due = -math.inf
    until = time.monotonic() + LONGEST_S
    with closing(_opened(config, key)) as source:
        for frame in source.frames():
            if frame.monotonic >= due:
                due = frame.monotonic + APART_S
                yield _Taken(frame, before)
                before = frame.picture.luma(SMALL)
            if time.monotonic() > until:
                return


def _film(config: Config, key: str, most: int, room: Room) -> Generator[_Taken]:
    """Pictures spread over a film, however long it is: of each two every second one is let go
    whenever there are too many. A film that is not read within LONGEST_S is left there."""
    kept: list[_Taken] = []
    before: Luma | None = None
    apart, due = FILM_APART_S, -math.inf
    until = time.monotonic() + LONGEST_S
    with closing(_opened(config, key)) as source:
        for frame in source.frames():
            if frame.monotonic < due:
                continue
            due = frame.monotonic + apart
            kept.append(_Taken(frame, before))
            before = frame.picture.luma(SMALL)
            if len(kept) > min(most, room(frame)):
                del kept[1::2]
                apart *= 2
            if time.monotonic() > until:
                break
    yield from _in_passes(kept)


def _opened(config: Config, key: str) -> OpenedSource:
    camera = config.cameras[key]
    # A hardware decoder has few pictures, and waits for those that are kept here.
    options = replace(SourceOptions.of(camera), decoder=None)
    return open_source(key, camera.address(), options=options)


def _recorded(config: Config, key: str, most: int) -> Generator[_Taken]:
    """Pictures of a camera's recorded video, of all of its last day."""
    folder = config.video_folder / key
    footage = Footage(folder)
    masks = Masks(config.cameras[key].masks)
    import av

    for at in _in_passes(_moments(footage, folder, config.cameras[key].labels(), most)):
        for piece in footage.pieces(at, at + timedelta(seconds=1))[:1]:
            with suppress(OSError, av.FFmpegError):
                taken = _picture(piece, at, key, masks)
                if taken is not None:
                    yield taken


def _moments(
    footage: Footage, folder: Path, labels: Sequence[str], most: int
) -> Sequence[datetime]:
    """Moments in order of time: at most TRACKED of them are of looks at which something was
    tracked, spread evenly over these, and the others are spread over all of the video."""
    end = footage.until()
    if end is None:
        return []
    segments = [one for one in footage.segments() if one.end >= end - RECENT]
    middles = [one.start + (one.end - one.start) / 2 for one in segments]
    looks = read_looks(folder, segments[0].start, end)
    tracked = [
        look.captured_at for look in looks if any(track.label in labels for track in look.tracks)
    ]
    busy = spread(tracked, round(TRACKED * most))
    moments = sorted({*busy, *spread(middles, most - len(busy))})
    kept: list[datetime] = []
    for at in moments:
        if not kept or at - kept[-1] >= timedelta(seconds=APART_S):
            kept.append(at)
    return kept


def _picture(piece: Piece, at: datetime, key: str, masks: Masks) -> _Taken | None:
    """The first picture of a piece at `at` or later, or one soon after its beginning."""
    first: tuple[float, Luma] | None = None
    for number, (decoded, seconds, taken_at) in enumerate(upright(piece)):
        picture = DecodedPicture(decoded, 0)
        shown = MaskedPicture(picture, picture.size, masks)
        if first is None:
            first = seconds, shown.luma(SMALL)
        if seconds - first[0] >= INTO_S and (taken_at >= at or number >= INTO_FRAMES):
            frame = Frame(key, number, taken_at, 0.0, seconds, picture.size, shown)
            return _Taken(frame, first[1])
    return None


def _in_passes(things: Sequence[Thing]) -> Iterator[Thing]:
    """All of them, such that the first few are spread evenly too."""
    for first in range(MORE):
        yield from things[first::MORE]
