"""What `vigil bench novelty` measures: made weeks, and what is found in them."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.bench.novelty import measure_novelty, table
from pipeline.bench.scenes.days import novelty_cases
from pipeline.bench.scenes.feeding import perfect_views
from pipeline.bench.scenes.scene import CAMERA, FPS
from pipeline.bench.weeks import DAY_S, UNUSUAL, Camera, unusual, views
from pipeline.config import NoveltyRule
from pipeline.rules.novelty import Novelty


@pytest.mark.slow
def test_after_a_normal_period_unusual_passages_are_in_the_top_percent_of_surprise() -> None:
    measured = measure_novelty(seeds=2, learn_days=7, days=3, each=3)
    kinds = measured["kinds"]
    for plain in ("new place", "wrong way", "at night", "a dog", "too long"):
        assert np.mean(kinds[plain]["top"]["each"]) >= 0.8, plain
    assert max(measured["false_per_day"]["each"]) < 1
    told = table(measured)
    assert all(kind in told for kind in UNUSUAL)


def test_a_made_camera_shows_the_same_days_to_everybody() -> None:
    shown = []
    for _ in range(2):
        random = np.random.default_rng(4)
        camera = Camera.made(random)
        goings = camera.day(random, 0)
        seen = views(camera, random, goings, 0.0, DAY_S / 2)
        shown.append([view.tracks for view in seen])
    assert shown[0] == shown[1]
    assert any(shown[0])


def test_an_unusual_passage_differs_from_usual_ones_as_its_name_says() -> None:
    random = np.random.default_rng(5)
    camera = Camera.made(random)
    assert unusual(camera, random, "running", 3).pace >= 2
    assert 2 <= unusual(camera, random, "at night", 3).starts % DAY_S / 3600 < 4
    assert unusual(camera, random, "wrong way", 3).points[0][0] == 1.0
    assert unusual(camera, random, "a dog", 3).label == "dog"


def test_each_passage_is_seen_with_the_speed_of_its_boxes_and_reported_lost_once() -> None:
    random = np.random.default_rng(6)
    camera = Camera.made(random)
    goings = camera.day(random, 0)[:20]
    seen = list(views(camera, random, goings, 0.0, DAY_S))
    lost = [track.id for view in seen for track in view.lost]
    assert sorted(lost) == list(range(1, 21))
    first = next(track for view in seen for track in view.tracks)
    # One look tells of no speed yet.
    assert first.speed == 0.0
    assert max(track.speed for view in seen for track in view.tracks) > 0.5


@pytest.mark.slow
def test_where_tracking_never_errs_all_four_unusual_ones_of_usual_days_are_found() -> None:
    case = list(novelty_cases())[1]
    camera = case.config(FPS).cameras[CAMERA]
    (config,) = camera.rules.values()
    assert isinstance(config, NoveltyRule)
    rule = Novelty("novelty", config, None)
    found: dict[int, str] = {}
    for view in perfect_views(case.scene, camera, fps=FPS):
        for finding in rule.update(view):
            found.setdefault(finding.tracks[0].id, finding.rule_reason)
    wanted = ("unusual hour", "hardly any was", "unusually fast", "a rare sight")
    assert len(found) == len(wanted)
    for reason, part in zip(found.values(), wanted, strict=True):
        assert part in reason
