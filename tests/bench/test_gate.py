"""What `vigil bench gate` and `vigil bench decode` measure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.bench import decode, gate
from pipeline.stubs import StubDetector
from pipeline.types import Box, Detection, Frame

HERE = Box(40, 20, 70, 110)


def test_a_box_is_missing_unless_another_one_is_the_same() -> None:
    there = Box(100, 20, 130, 110)
    assert gate.missing([HERE, there], [there]) == 1
    assert gate.missing([HERE, HERE], [HERE]) == 1
    assert gate.missing([], [HERE]) == 0
    assert gate.missing([HERE], [Box(45, 20, 75, 110)]) == 0


def test_who_stands_still_loses_nothing_and_what_the_gate_does_not_see_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def appears(frame: Frame) -> list[Detection]:
        """Somebody who stands there from the start; and somebody whom no pixel shows."""
        found = [Detection("person", 0.8, HERE)]
        if 10.0 < frame.pts < 15.0:
            found.append(Detection("person", 0.8, Box(100, 20, 130, 110)))
        return found

    monkeypatch.setattr(gate, "load_detector", lambda *_: StubDetector(appears))
    film = tmp_path / "film.mp4"
    decode.make_quiet_film(film, (320, 180), 5, 20.0)
    measured = gate.measure_gate([film], sensitivities=[0.5], fps=5, labels=["person"])
    json.dumps(measured)
    (row,) = measured["films"]
    assert row["track_s"] == pytest.approx(20 + 5, abs=1)
    gated = row["gated"]["0.5"]
    assert 0 < gated["lost_s"] <= 5
    assert gated["lost"] == pytest.approx(gated["lost_s"] / row["track_s"], abs=0.001)
    assert gated["detected"] < 0.5
    assert measured["all"]["gated"]["0.5"]["lost"] == gated["lost"]
    assert f"| {gated['lost']:.2%} |" in gate.table(measured)


def test_a_quiet_camera_is_decoded_read_gated_and_detected_on_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode, "load_detector", lambda *_: StubDetector(lambda _: []))
    decode.make_quiet_film(tmp_path / "quiet.mp4", (320, 180), 10, 40.0)
    measured = json.loads(json.dumps(decode.measure_decode(tmp_path / "quiet.mp4", repeat=2)))
    assert list(measured["ways"]) == ["decoding", "reading", "gate", "gate_and_detector"]
    assert measured["looks"] == pytest.approx(125, abs=2)
    assert 2 <= measured["detected"] <= 4  # one in 10 s
    for way in measured["ways"].values():
        assert len(way["ms"]["each"]) == 2
        assert way["ms"]["min"] > 0
    assert measured["ways"]["decoding"]["ratio_to_decoding"]["median"] == 1
    assert "| gate and detector |" in decode.table(measured)
