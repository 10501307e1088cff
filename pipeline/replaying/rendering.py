"""The annotated film: what was tracked drawn into every picture, and what fired below it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path

import numpy as np

from pipeline.clips.annotate import MOST_HEIGHT, MOST_WIDTH
from pipeline.clips.bar import Bar
from pipeline.clips.cut import CutLook
from pipeline.clips.drawn import drawn_film
from pipeline.clips.pen import Pen
from pipeline.clips.pictures import within
from pipeline.clips.tracks import Tracks
from pipeline.config import Config
from pipeline.replaying.output import new_file
from pipeline.replaying.results import Replayed
from pipeline.replaying.running import open_film
from pipeline.types import Image, Size
from pipeline.workers.keeping import logged
from pipeline.workers.look import Look

SHOWN_S = 2.0
"""An event is shown for so long at least: time to read it."""


class Rendering:
    """Gathers what a replay of a film comes to, and draws it into the film, which is read again:
    only then it is known where a track was between two looks."""

    def __init__(self, config: Config, key: str, film: str) -> None:
        self._config, self._key, self._film = config, key, film
        self._looks: list[CutLook] = []
        self._events: list[Replayed] = []

    def saw(self, look: Look) -> None:
        """Another look at the film."""
        found = logged(look)
        t = look.view.monotonic
        self._looks.append(CutLook(t=t, at=found.captured_at, tracks=found.tracks))

    def fired(self, event: Replayed) -> None:
        """An event of the film."""
        self._events.append(event)

    def draw(self, out: Path) -> None:
        """Write the film in H.264, as many pictures as it has.

        Raises:
            ClipError: the disk takes no file.
            SourceError: the film cannot be read.
        """
        first_look = self._looks[0]
        begins = first_look.at - timedelta(seconds=first_look.t)
        with closing(open_film(self._config, self._key, self._film, begins)) as source:
            frames = source.frames()
            first = next(frames)
            size = within(first.size, MOST_WIDTH, MOST_HEIGHT)
            captions = _Captions(size, self._events)
            whole = (size[0], size[1] + captions.height)
            with drawn_film(out, whole, "annotated film") as film:
                pen, tracks = self._pen(size), Tracks(self._looks)
                for frame in chain([first], frames):
                    t = frame.monotonic
                    image = pen.draw(frame.image(size).copy(), tracks.at(t))
                    at = frame.captured_at.astimezone(self._config.tz())
                    film.add(np.vstack([image, captions.image(t, at)]), t)

    def _pen(self, size: Size) -> Pen:
        camera = self._config.cameras[self._key]
        zones = [zone.polygon for zone in camera.named_zones().values()]
        lines = [line.points for line in camera.named_lines().values()]
        return Pen(size, zones, lines=lines, numbered=True)


@contextmanager
def rendering(path: Path, config: Config, key: str, film: str) -> Iterator[Rendering]:
    """What gathers a replay of a film; when all went well, the annotated film is at `path`.

    Raises:
        StoreError: it cannot be written; found out before anything is replayed.
        ClipError: the disk takes no file.
    """
    with new_file(path, film) as part:
        gathered = Rendering(config, key, film)
        yield gathered
        gathered.draw(part)


class _Captions:
    """The bar below the pictures: the newest of the events that go on, else nothing; the time in
    the film and of the day."""

    def __init__(self, size: Size, events: Sequence[Replayed]) -> None:
        self._size, self._events = size, events
        self._shown = ("", Bar(size[0], "", size[1]))
        self.height = self._shown[1].height

    def image(self, t: float, at: datetime) -> Image:
        """The bar at a second of the film."""
        going_on = [
            event
            for event in self._events
            if event.time_s <= t + 1e-3 and t <= max(event.ended_s, event.time_s + SHOWN_S)
        ]
        sentence, others = "", ""
        if going_on:
            newest = going_on[-1].event
            sentence = f"{newest.severity.value.upper()} {newest.rule}: {newest.rule_reason}"
            others = f"  and {len(going_on) - 1} more" if len(going_on) > 1 else ""
        minutes, seconds = divmod(int(t), 60)
        line = f"{minutes}:{seconds:02d}  {at:%Y-%m-%d %H:%M:%S}{others}"
        return self._bar(sentence).image(line)

    def _bar(self, sentence: str) -> Bar:
        if sentence != self._shown[0]:
            self._shown = (sentence, Bar(self._size[0], sentence, self._size[1]))
        return self._shown[1]
