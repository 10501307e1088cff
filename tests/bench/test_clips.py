"""What `vigil bench clips` measures: the product's own cutting and drawing."""

from __future__ import annotations

import json
from pathlib import Path

from films import make_film

from pipeline.bench.clips import measure_clips


def test_a_clip_is_cut_drawn_and_detection_timed_beside_it(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", frames=80, size=(320, 240))
    found = json.loads(json.dumps(measure_clips(film, seconds=4, rounds=1)))
    assert 3 < found["clip_s"] < 5
    assert found["size"] == [320, 240]
    assert not found["transcoded"]
    assert found["cut_s"] > 0
    assert found["draw_s"] > 0
    assert [len(values) for values in found["detect_ms"].values()] == [1, 1]
    assert found["slowdown"] > 0
