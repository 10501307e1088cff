"""A replay whose tracks, or whose drawn film, are written to files."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from pipeline.replaying.mot import mot_file
from pipeline.replaying.rendering import rendering
from pipeline.replaying.results import Replayed
from pipeline.replaying.running import Replay
from pipeline.workers.look import Look


def events_and_files(
    replaying: Replay,
    film: str,
    *,
    start: datetime | None = None,
    mot: Path | None = None,
    render: Path | None = None,
) -> Generator[Replayed]:
    """As `Replay.events`; once the last one was given, the film's tracks are in `mot` and the
    annotated film in `render`. Where something goes wrong, neither file is made or touched.

    Raises:
        StoreError: a file cannot be written; found out before anything is replayed.
        ClipError: the annotated film cannot be made.
        SourceError, DetectorError: as `Replay.events`.
    """
    with ExitStack() as files:
        drawing = None
        if render is not None:
            drawing = files.enter_context(
                rendering(render, replaying.config, replaying.camera, film)
            )
        take = None if mot is None else files.enter_context(mot_file(mot, film))

        def watching(look: Look) -> None:
            if drawing is not None:
                drawing.saw(look)
            if take is not None:
                take(look)

        for found in replaying.events(film, start=start, watching=watching):
            if drawing is not None:
                drawing.fired(found)
            yield found
