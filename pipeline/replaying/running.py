"""Films through one camera's stages, faster than real time, and the same each time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import SecretStr

from pipeline.config import Config
from pipeline.configfile import read_config
from pipeline.detectors import load_detector
from pipeline.errors import SourceError, SourceUnreadable
from pipeline.incidents import Action
from pipeline.replaying.results import InOrder, Replayed, Seen, ids
from pipeline.replaying.settings import (
    UNKNOWN_BEGIN,
    begun_at,
    chosen_camera,
    default_config,
    in_zone,
    moment,
)
from pipeline.sources import Clock, OpenedSource, SourceOptions, is_film, open_source, shown
from pipeline.types import Event, Frame
from pipeline.workers.analysis import Analysis, looks
from pipeline.workers.choosing import Pacer
from pipeline.workers.inline import versions
from pipeline.workers.look import Look

Film = str | Path


def replay(
    films: Film | Iterable[Film],
    config: Config | Path | str | None = None,
    *,
    camera: str | None = None,
    start: datetime | str | None = None,
) -> Iterator[Event]:
    """The events that a camera would have had, had it sent these films: each once, as it was when
    it was over, in the order in which they fired.

    Args:
        films: a film's path, that of a folder of films that follow on each other, or several; each
            is a recording of its own, in which nothing of those before it is known.
        config: a configuration or the path of a streams.yaml; a person anywhere, if not given.
        camera: whose settings count; not needed where there is only one.
        start: when each film was begun, such as "2026-11-25T22:00" in the site's time zone; if not
            given, what its container says, or else noon of 1 January 2024, a Monday.

    The same films, settings and machine give the same events, ids included. Nothing is stored or
    published, and no vision-language model is asked.

    Raises:
        ConfigError: the configuration is wrong, or has no such camera.
        SourceError: a film cannot be read; what was found in it until then was told.
        DetectorError: the detector could not look at a picture.
    """
    if config is None:
        config = default_config()
    elif not isinstance(config, Config):
        config = read_config(config)
    key = chosen_camera(config, camera)
    if start is not None:
        start = moment(str(start), config.tz())
    named = [films] if isinstance(films, str | Path) else list(films)
    return _replay(named, config, key, start)


def _replay(
    films: Sequence[Film], config: Config, key: str, start: datetime | None
) -> Iterator[Event]:
    with Replay(config, key) as replaying:
        for film in films:
            for found in replaying.events(str(film), start=start):
                yield found.event


class Replay:
    """The stages of one camera, for films; the detector is loaded once. A context manager.

    Raises:
        ConfigError: a key of `detector` is wrong for this machine, or it knows no such label.
        WeightsError: the detector's model cannot be had.
    """

    def __init__(self, config: Config, key: str) -> None:
        # No model will be asked: as if there were none.
        self.config = config.model_copy(update={"describer": None})
        self.camera = key
        self._shared = load_detector(config.detector)
        try:
            # Once: it divides its threads by how often it was asked.
            self._detector = self._shared.for_camera(key, config.cameras[key])
        except BaseException:
            self._shared.close()
            raise
        self.seen: list[Seen] = []
        """What each film came to so far."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the detector."""
        self._shared.close()

    def events(
        self,
        film: str,
        *,
        start: datetime | None = None,
        watching: Callable[[Look], None] = lambda _: None,
    ) -> Iterator[Replayed]:
        """A film's events in the order in which they fired, each when it and those that fired
        before it are over; `watching` gets each look.

        Raises:
            SourceError: the film cannot be read; what was found in it until then was told.
            DetectorError: the detector could not look at a picture.
        """
        begins = begun_at(film) if start is None else start
        seen = Seen(in_zone(begins or UNKNOWN_BEGIN, self.config.tz()), dated=begins is not None)
        self.seen.append(seen)
        began = time.monotonic()
        try:
            with closing(open_film(self.config, self.camera, film, seen.begins)) as source:
                try:
                    yield from self._events(film, source, seen, watching)
                finally:
                    seen.notes = tuple(source.notes)
                    seen.dropped.update(dict(source.dropped))
        finally:
            seen.took_s = time.monotonic() - began

    def _events(
        self, film: str, source: OpenedSource, seen: Seen, watching: Callable[[Look], None]
    ) -> Iterator[Replayed]:
        new_id = ids(self.camera, Path(film).name, len(self.seen), seen.begins)
        analysis = Analysis(self.config, self.camera, self._detector, new_id=new_id)
        known: dict[str, Event] = {}
        told = InOrder()

        def tell(look: Look, actions: Sequence[Action]) -> Iterator[Replayed]:
            for event in versions(self.config, look, actions, known):
                told.take(self._replayed(film, seen, event, look))
            for replayed in told.over():
                seen.events[replayed.event.rule] += 1
                yield replayed

        last: Look | None = None
        frames = _Counted(source, seen, self.config.cameras[self.camera].detect.fps)
        for look in looks(analysis, frames):
            seen.looks += 1
            seen.detected += look.detections is not None
            watching(look)
            yield from tell(look, look.actions)
            last = look
        if last is not None:
            yield from tell(last, analysis.interrupt("stopped"))
        if frames.failure is not None:
            raise frames.failure

    def _replayed(self, film: str, seen: Seen, event: Event, look: Look) -> Replayed:
        ended = event.ended or event.started
        return Replayed(
            film=film,
            type=self.config.cameras[self.camera].rules[event.rule].type,
            time_s=round(look.view.monotonic, 3),
            started_s=round((event.started - seen.begins).total_seconds(), 3),
            ended_s=round((ended - seen.begins).total_seconds(), 3),
            event=event,
        )


def open_film(config: Config, key: str, film: str, begins: datetime) -> OpenedSource:
    """A film, or a folder of films, as the camera's source: time begins with it, at 0 and `begins`.

    Raises:
        SourceError: it cannot be opened, or is no film.
    """
    if not is_film(film):
        raise SourceUnreadable(
            f"{shown(film)} is no film; name a video file or a folder of them, and let `vigil run` "
            "watch a camera."
        )
    camera = config.cameras[key].model_copy(update={"source": SecretStr(film)})
    return open_source(
        key,
        camera.address(),
        options=SourceOptions.of(camera),
        clock=Clock(monotonic=lambda: 0.0, now=lambda: begins),
    )


class _Counted:
    """The frames of a film that are due, counted; it ends where the film cannot be read on, and
    `failure` says why: what was found until then is told first."""

    def __init__(self, source: OpenedSource, seen: Seen, fps: float) -> None:
        self._source, self._seen, self._pacer = source, seen, Pacer(fps)
        self.failure: SourceError | None = None

    def __iter__(self) -> Iterator[Frame]:
        period_s = 1.0 / (self._source.rate or 25.0)
        try:
            for frame in self._source.frames():
                self._seen.pictures += 1
                self._seen.length_s = frame.monotonic + period_s
                if self._pacer.due(frame):
                    yield frame
        except SourceError as error:
            self.failure = error
