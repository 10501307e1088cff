"""Where the pictures of a camera come from."""

from __future__ import annotations

import gc
from concurrent.futures import Future
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from films import make_film
from footage import packets_of, write

from pipeline.bench import gather as gathering
from pipeline.bench.gather import gather
from pipeline.bench.samples import Sample
from pipeline.clips.tracklog import TrackLog
from pipeline.config import Config
from pipeline.configfile import validate
from pipeline.errors import SourceError
from pipeline.types import Box, Detection, Frame, LoggedLook, LoggedTrack

SQUARE = Detection("person", 0.9, Box(0, 0, 20, 20))


class Reference:
    """Finds a person in each picture, or in none."""

    def __init__(self, *, finds: bool = True) -> None:
        self.frames: list[Frame] = []
        self._finds = finds

    def submit(self, frame: Frame) -> Future[list[Detection]]:
        self.frames.append(frame)
        answer: Future[list[Detection]] = Future()
        answer.set_result([SQUARE] if self._finds else [])
        return answer


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 s in which a white square moves to the right."""
    return make_film(tmp_path_factory.mktemp("film") / "film.mp4", frames=300, rate=10)


def config(source: str, folder: Path, **camera: Any) -> Config:
    keys = {"data": str(folder), "cameras": {"door": {"source": source, **camera}}}
    return validate(keys, where="test", folder=folder)


def taken(settings: Config, reference: Reference | None = None, **wanted: Any) -> list[Sample]:
    given = {"wanted": 20, "detections": 10, "most_bytes": 1e9, "progress": lambda _: None}
    look = (reference or Reference()).submit
    return gather(settings, "door", look, **{**given, **wanted})


def times(samples: list[Sample]) -> list[float]:
    return [sample.frame.pts for sample in samples]


def test_pictures_of_a_film_are_spread_over_it(squares: Path, tmp_path: Path):
    samples = taken(config(str(squares), tmp_path))
    assert len(samples) == 20
    assert times(samples) == sorted(set(times(samples)))
    assert times(samples)[0] < 3
    assert times(samples)[-1] > 26
    assert max(np.diff(times(samples))) < 4


def test_what_is_taken_says_what_is_in_it(squares: Path, tmp_path: Path):
    samples = taken(config(str(squares), tmp_path), wanted=200)
    assert all(sample.found == 1 for sample in samples)
    assert all(80 < sample.light < 110 for sample in samples)
    assert sum(sample.moved for sample in samples) > 0.8 * len(samples)


def test_where_little_is_found_more_are_taken_but_not_without_end(squares: Path, tmp_path: Path):
    settings, empty = config(str(squares), tmp_path), Reference(finds=False)
    assert 30 <= len(taken(settings, empty)) <= 60
    assert len(taken(settings, detections=30)) == 30 + gathering.AHEAD


def test_no_more_memory_is_taken_than_may_be(squares: Path, tmp_path: Path):
    one = 160 * 120 * 1.5
    held: list[int] = []

    class Counting(Reference):
        def submit(self, frame: Frame) -> Future[list[Detection]]:
            held.append(sum(type(one) is gathering._Taken for one in gc.get_objects()))
            return super().submit(frame)

    settings = config(str(squares), tmp_path)
    samples = taken(settings, Counting(), wanted=100, most_bytes=12.5 * one)
    assert 6 <= len(samples) <= 12
    assert max(held) <= 13  # not all of a film, either, before the first is looked at


def test_a_mask_hides_what_it_hides_from_the_pictures_too(squares: Path, tmp_path: Path):
    whole = [[[0, 0], [1, 0], [1, 1], [0, 1]]]
    for sample in taken(config(str(squares), tmp_path, masks=whole)):
        assert not sample.frame.image().any()
        assert sample.light == 0


def test_a_film_that_is_not_there_is_said_so(tmp_path: Path):
    with pytest.raises(SourceError, match=r"door.*away\.mp4"):
        taken(config(str(tmp_path / "away.mp4"), tmp_path))


@pytest.fixture
def recorded(squares: Path, tmp_path: Path) -> Config:
    """A camera that cannot be reached, of which there is video, with a person at 10 s to 16 s."""
    settings = config("rtsp://127.0.0.1:9/stream", tmp_path)
    folder = settings.video_folder / "door"
    kept = packets_of(squares)
    write(kept, folder, segment_s=5.0)
    log = TrackLog(folder)
    for packet in kept.packets:
        person = LoggedTrack(1, "person", 0.9, (0.1, 0.1, 0.2, 0.2))
        inside = 10 <= packet.time < 16
        tracks = (person,) if inside else ()
        log.append(LoggedLook(packet.time, packet.captured_at, tracks, packet.monotonic))
    log.close()
    return settings


def test_pictures_come_from_the_recorded_video_and_most_are_of_what_was_tracked(recorded: Config):
    reference = Reference()
    samples = taken(recorded, reference, wanted=8, detections=1)
    assert len(samples) >= 8
    assert all(frame.camera == "door" for frame in reference.frames)
    captured = [sample.frame.captured_at for sample in samples]
    assert captured == sorted(set(captured))
    assert sum(10 <= at < 16 for at in times(samples)) >= 4  # of a fifth of the video


def test_recorded_pictures_are_spread_over_the_video_too(recorded: Config):
    samples = taken(recorded, wanted=9, detections=100)
    assert min(times(samples)) < 5
    assert max(times(samples)) > 25


def test_recorded_pictures_show_what_was_filmed_then(
    recorded: Config, squares: Path, tmp_path: Path
):
    shown = {
        round(frame.pts, 3): frame.image()
        for frame in gathering._opened(config(str(squares), tmp_path), "door").frames()
    }
    for sample in taken(recorded, wanted=4, detections=4):
        expected = shown[round(sample.frame.pts, 3)]
        assert np.abs(sample.frame.image().astype(int) - expected).max() <= 2


def test_the_masks_of_today_hide_what_was_recorded_too(recorded: Config, tmp_path: Path):
    whole = [[[0, 0], [1, 0], [1, 1], [0, 1]]]
    masked = config("rtsp://127.0.0.1:9/stream", tmp_path, masks=whole)
    samples = taken(masked, wanted=4, detections=4)
    assert samples
    assert not any(sample.frame.image().any() for sample in samples)


def test_a_camera_that_is_away_is_no_obstacle_where_there_is_video(recorded: Config):
    told: list[str] = []
    samples = taken(recorded, wanted=100, detections=1000, progress=told.append)
    assert 4 <= len(samples) < 100
    assert told[-1] == "Camera door cannot be read; its recorded video has to do."


def test_without_video_and_without_the_camera_it_is_said_why(tmp_path: Path):
    with pytest.raises(SourceError, match=r"Camera door: rtsp://127\.0\.0\.1:9/stream cannot be"):
        taken(config("rtsp://guard:sesame@127.0.0.1:9/stream", tmp_path))


def test_a_live_camera_is_read_until_there_is_enough(camera: str, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(gathering, "APART_S", 0.1)
    told: list[str] = []
    samples = taken(config(camera, tmp_path), wanted=8, progress=told.append)
    assert 8 <= len(samples) <= 10 + gathering.AHEAD
    captured = [sample.frame.captured_at for sample in samples]
    assert all(later - earlier >= timedelta(seconds=0.09) for earlier, later in pairwise(captured))
    assert told[0].startswith("Camera door: taking pictures of rtsp://")


def test_a_live_camera_is_not_read_for_ever(camera: str, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(gathering, "LONGEST_S", 0.5)
    monkeypatch.setattr(gathering, "APART_S", 0.1)
    samples = taken(config(camera, tmp_path), Reference(finds=False), wanted=1000)
    assert 1 <= len(samples) <= 60
