"""What `vigil bench tracking` measures."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.bench import tracking
from pipeline.bench.identities import counted
from pipeline.bench.sequence import Truth, read_sequence
from pipeline.errors import DatasetError
from pipeline.stubs import StubDetector
from pipeline.types import Box, Detection, Frame

FRAMES = 30


def walker(number: int, index: int) -> Box:
    """Two who walk in opposite directions, one above the other; `index` from 0."""
    x = 20 + 4 * index if number == 1 else 220 - 4 * index
    return Box(x, 20 + 80 * number, x + 24, 80 + 80 * number)


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    (tmp_path / "img1").mkdir()
    (tmp_path / "gt").mkdir()
    for index in range(FRAMES):
        name = str(tmp_path / "img1" / f"{index + 1:06d}.jpg")
        cv2.imwrite(name, np.full((240, 320, 3), 90, np.uint8))
    lines = [
        f"{index + 1},{number},{box.x1},{box.y1},{box.width},{box.height},1,1,1"
        for index in range(FRAMES)
        for number in (1, 2)
        for box in [walker(number, index)]
    ]
    (tmp_path / "gt" / "gt.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "seqinfo.ini").write_text(
        f"[Sequence]\nname=made\nframeRate=15\nseqLength={FRAMES}\nimWidth=320\nimHeight=240\n"
    )
    return tmp_path


def test_who_is_followed_without_a_fault_scores_what_the_first_look_costs(
    sequence: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finds(frame: Frame) -> list[Detection]:
        return [Detection("person", 0.9, walker(number, frame.index)) for number in (1, 2)]

    monkeypatch.setattr(tracking, "load_detector", lambda *_: StubDetector(finds))
    monkeypatch.setattr(tracking, "find_spec", lambda _: None)
    measured = tracking.measure_tracking(sequence)
    json.dumps(measured)
    assert measured["people"] == 2
    assert list(measured["rates"]) == ["15", "7.5", "5"]
    for part, rate in zip((1, 2, 3), measured["rates"].values(), strict=True):
        ours = rate["vigil"]
        # Each offset begins anew, and a track begins at its second look.
        assert (ours["missed"], ours["false"], ours["switches"]) == (2 * part, 0, 0)
        assert ours["mota"] == pytest.approx(1 - 2 * part / (2 * FRAMES), abs=1e-4)
        assert {"trackers ByteTrack", "trackers C-BIoU"} < set(rate)
    assert tracking.table(measured).splitlines()[2].startswith("| vigil | 0.967 | 0.983 | 0 |")


def test_what_is_found_at_something_ambiguous_does_not_count() -> None:
    there, person = Box(100, 100, 140, 200), Box(200, 100, 240, 200)
    truth = Truth([(7, person)], [there])
    beside = Box(300, 100, 340, 200)
    followed = [(1, there), (2, person), (3, beside)]
    assert counted(truth, followed) == [(2, person), (3, beside)]


def test_pictures_that_are_missing_at_the_end_are_told(sequence: Path) -> None:
    """What is not looked at would not count as missed."""
    (sequence / "img1" / f"{FRAMES:06d}.jpg").unlink()
    with pytest.raises(DatasetError, match=r"img1 ends after 29 pictures, .* tells of 30"):
        list(read_sequence(sequence).frames())


def test_a_wrong_sequence_is_told_with_file_and_line(sequence: Path) -> None:
    with (sequence / "gt" / "gt.txt").open("a") as file:
        file.write("3,one,1,2,3,4\n")
    with pytest.raises(DatasetError, match=rf"gt\.txt, line {2 * FRAMES + 1}: write numbers"):
        read_sequence(sequence)
    (sequence / "gt" / "gt.txt").write_text("1,nan,1,2,3,4\n")
    with pytest.raises(DatasetError, match="line 1: write numbers"):
        read_sequence(sequence)
    (sequence / "gt" / "gt.txt").write_text("99,1,1,2,3,4\n")
    with pytest.raises(DatasetError, match="line 1: there is no frame 99 of 30"):
        read_sequence(sequence)
    (sequence / "seqinfo.ini").write_text("[Sequence]\nframeRate=fast\n")
    with pytest.raises(DatasetError, match="write frameRate and seqLength as numbers"):
        read_sequence(sequence)
    with pytest.raises(DatasetError, match="There is no sequence"):
        read_sequence(sequence / "img1")
