"""The film of a fixed camera shows what it says: a person for a share of the time, else nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.bench.busy_film import BusyFilm, busy_film
from pipeline.config import Camera, Config
from pipeline.configfile import validate
from pipeline.detectors import load_detector
from pipeline.errors import ConfigError
from pipeline.sources import open_source
from pipeline.types import Detection, Frame
from pipeline.weights import LABELS

SIZE = (640, 360)
RATE = 2
WIDTH_OF_A_PERSON = 0.08


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> BusyFilm:
    return busy_film(tmp_path_factory.mktemp("film"), SIZE, RATE, 0.2)


def frames(film: BusyFilm) -> Iterator[Frame]:
    with closing(open_source("film", str(film.path))) as source:
        yield from source.frames()


def found_in(film: BusyFilm) -> list[tuple[float, list[Detection]]]:
    """What the detector finds, of all that it knows, at which second."""
    config: Config = validate(
        {"cameras": {"film": {"source": str(film.path), "detect": {"labels": list(LABELS)}}}},
        where="test",
        folder=film.path.parent,
    )
    camera: Camera = config.cameras["film"]
    with closing(load_detector(config.detector)) as shared:
        detector = shared.for_camera("film", camera)
        return [(frame.pts, detector.submit(frame).result(30)) for frame in frames(film)]


def test_a_person_is_found_while_one_walks_through_and_nothing_else_ever(film: BusyFilm) -> None:
    whole = quiet = 0
    missed = []
    for second, found in found_in(film):
        if not film.active(second):
            quiet += 1
            assert found == [], f"at {second} s"
            continue
        assert {detection.label for detection in found} <= {"person"}, f"at {second} s"
        gone = (second - film.begins_s) / (film.ends_s - film.begins_s)
        if WIDTH_OF_A_PERSON < gone < 1 - WIDTH_OF_A_PERSON:
            whole += 1
            if len(found) != 1:
                missed.append(second)
    assert quiet == 80
    assert whole >= 16
    assert len(missed) <= 0.1 * whole, missed


def test_somebody_walks_for_the_share_of_the_time_that_was_asked_for(film: BusyFilm) -> None:
    assert film.duration_s == 50
    assert (film.begins_s, film.ends_s) == (20, 30)
    moments = [second for second in range(100) if film.active(second)]
    assert moments == [*range(20, 30), *range(70, 80)]


def test_where_nobody_walks_the_picture_is_never_the_same_twice(film: BusyFilm) -> None:
    seen = [frame.picture.fingerprint() for frame in frames(film) if frame.pts < film.begins_s]
    assert len(set(seen)) == len(seen) == 40


def test_a_keyframe_comes_each_two_seconds(film: BusyFilm) -> None:
    assert [frame.pts for frame in frames(film) if frame.keyframe] == list(range(0, 50, 2))


def test_a_film_is_made_once(film: BusyFilm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.bench.busy_film.write_film", pytest.fail)
    assert busy_film(film.path.parent, SIZE, RATE, 0.2) == film


@pytest.mark.parametrize("activity", [0.01, 1.5])
def test_an_activity_that_cannot_be_shown_is_refused(tmp_path: Path, activity: float) -> None:
    with pytest.raises(ConfigError, match="cannot be shown; choose 0, or 0.05 to 1"):
        busy_film(tmp_path, SIZE, RATE, activity)
