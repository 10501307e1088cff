"""What `vigil bench idling` measures: a source that idles, on a film made of a real one."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.bench import idling
from pipeline.stubs import StubDetector
from pipeline.types import Box, Detection, Frame

RATE = 10
THERE = range(65, 100)
"""Pictures in which somebody is there."""


def film(path: Path) -> Path:
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for number in range(120):
            image = np.full((120, 160, 3), 90, np.uint8)
            if number in THERE:
                image[20:110, 40:70] = 250
            output.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        output.mux(stream.encode(None))
    return path


def someone(frame: Frame) -> list[Detection]:
    there = frame.image()[60, 55].mean() > 200
    return [Detection("person", 0.9, Box(40, 20, 70, 110))] if there else []


def test_it_tells_what_is_saved_and_what_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idling, "load_detector", lambda *_: StubDetector(someone))
    monkeypatch.setattr(idling, "DECODED_SIZE", (64, 48))
    measured = idling.measure_idling(
        film(tmp_path / "film.mp4"), groups_s=[1.0, 2.0], idle_after_s=1.0, phases=1, repeat=2
    )
    found = json.loads(json.dumps(measured))
    assert len(found["decoding"]["ratio"]["each"]) == 2
    assert found["decoding"]["ms_per_s"]["all"] > 0
    one, two = found["groups"]
    # from 2 s on keyframes: somebody who comes at 6.5 s is seen at 7 and at 8 s, and tracked from
    # the second picture on
    assert one["seen_later_s"] == {"median": 0.5, "longest": 0.5}
    assert two["seen_later_s"] == {"median": 1.5, "longest": 1.5}
    assert (one["visits"], one["visits_unseen"], one["person_s"]) == (1, 0, 3.4)
    assert one["lost_share"] == pytest.approx(5 / 34, abs=1e-3)
    assert two["lost_share"] == pytest.approx(15 / 34, abs=1e-3)
    assert 0.3 < one["not_decoded_share"] < 0.5
