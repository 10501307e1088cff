"""What `vigil bench stages` measures: the product's own stages, on a real film."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from films import make_film

from pipeline.bench import stages
from pipeline.stubs import StubDetector
from pipeline.types import Box, Detection, Frame


class Seen:
    """A detector that counts what it was given."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def __call__(self, frame: Frame) -> list[Detection]:
        self.frames.append(frame)
        return [Detection("person", 0.8, Box(40, 20, 70, 110))]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    seen = Seen()
    monkeypatch.setattr(stages, "load_detector", lambda *_: StubDetector(seen))
    return seen


def test_each_stage_has_its_figures_and_only_what_is_due_is_looked_at(seen: Seen, tmp_path: Path):
    film = make_film(tmp_path / "film.mp4", frames=30, rate=10)
    found = json.loads(json.dumps(stages.measure_stages(film, frames=200, repeat=2)))
    assert list(found["stages"]) == ["decode", "detect", "track", "rules"]
    for figures in found["stages"].values():
        assert 0 < figures["median_ms"] <= figures["p95_ms"]
    assert found["frames"] == 60
    assert found["looks"] == len(seen.frames) == 30
    assert len(found["frames_per_s"]["each"]) == 2


def test_no_more_frames_are_read_than_wanted(seen: Seen, tmp_path: Path):
    film = make_film(tmp_path / "film.mp4", frames=30, rate=10)
    assert stages.measure_stages(film, frames=11, repeat=1)["frames"] == 11
    assert len(seen.frames) == 6


def test_the_figures_are_the_median_and_the_95th_percentile_in_milliseconds():
    found = stages.figures({"detect": [i / 1000 for i in range(101)], "track": [0.1]})
    assert found == {"detect": {"median_ms": 50.0, "p95_ms": pytest.approx(95.9, abs=1)}}
