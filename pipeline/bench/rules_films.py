"""Films of made scenes through the whole way: decoding, motion gate, detector, tracking, rules."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from pipeline.bench.scenes.case import RULE, Case, watched_by
from pipeline.bench.scenes.films import film_of
from pipeline.bench.scenes.scene import CAMERA
from pipeline.config import Config
from pipeline.detectors import SharedDetector, load_detector
from pipeline.incidents import Open
from pipeline.sources import open_source
from pipeline.workers.analysis import Analysis, looks
from pipeline.workers.choosing import Pacer
from pipeline.workers.look import Look


def events(seen: Iterable[Look]) -> list[float]:
    """When events began, in seconds of the scene."""
    return [look.pts for look in seen for action in look.actions if isinstance(action, Open)]


def opened_in(cases: Sequence[Case]) -> Iterator[tuple[Case, list[float]]]:
    """Each case, made into a film, and when its events began; the motion gate is on.

    Raises:
        FilmError: a film cannot be made.
        DetectorError: the detector cannot be loaded.
    """
    with tempfile.TemporaryDirectory() as folder:
        shared: SharedDetector | None = None
        for number, case in enumerate(cases):
            path = film_of(case.scene, Path(folder, f"{number}.mp4"))
            settings = watched_by(case.scene, {RULE: case.settings}, source=str(path), detect={})
            shared = shared or load_detector(settings.detector)
            yield case, events(_played(settings, shared))
        if shared is not None:
            shared.close()


def _played(settings: Config, shared: SharedDetector) -> Iterator[Look]:
    camera = settings.cameras[CAMERA]
    detector = shared.for_camera(CAMERA, camera)
    pace = Pacer(camera.detect.fps)
    with closing(open_source(CAMERA, camera.address())) as source:
        frames = (frame for frame in source.frames() if pace.due(frame))
        yield from looks(Analysis(settings, CAMERA, detector), frames)
