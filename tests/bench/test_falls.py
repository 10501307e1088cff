"""What `vigil bench falls` measures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from films import make_film

from pipeline.bench import bodies, falls
from pipeline.bench.falls import Clip, Told, judged, labelled, measure_falls, table
from pipeline.errors import DatasetError
from pipeline.stubs import StubDetector
from pipeline.types import Box, Detection, Frame

LABELS = """File Name,Length (seconds),Description, Classes
01.mp4,06, Falling, with commas, Falling (SW)[3.4 to 6]; Sitting[0 to 3.4]
02.mp4,11, Night, Falling (BW)[2 to 4]; Falling (SW)[4 to 11]; Walking[0 to 1.8]
03.mp4,10, From bed, Falling (BW[5.9 to 10]; Walking[0 to 1.3]
"""


def subject(
    folder: Path, falls: tuple[str, ...] = ("01",), daily: tuple[str, ...] = ("01",)
) -> Path:
    for kind, names in (("Fall", falls), ("ADL", daily)):
        (folder / kind).mkdir(parents=True)
        for name in names:
            make_film(folder / kind / f"{name}.mp4", frames=60)
    (folder / "Fall.csv").write_text(LABELS)
    return folder


def test_labels_are_read_from_the_first_beginning_to_the_last_end(tmp_path: Path) -> None:
    subject(tmp_path / "subject-9", falls=("01", "02", "03"))
    clips = {clip.name: clip.fall for clip in labelled(tmp_path)}
    assert clips == {
        "subject-9/Fall/01": (3.4, 6.0),
        "subject-9/Fall/02": (2.0, 11.0),
        "subject-9/Fall/03": (5.9, 10.0),
        "subject-9/ADL/01": None,
    }
    assert {clip.name for clip in labelled(tmp_path / "subject-9")} == set(clips)


def test_a_folder_without_films_and_a_fall_without_seconds_are_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no labelled films here; give a folder"):
        list(labelled(tmp_path))
    subject(tmp_path / "subject-9", falls=("77",))
    with pytest.raises(DatasetError, match=r"Fall\.csv: no seconds of Falling for 77\.mp4"):
        list(labelled(tmp_path))


@pytest.mark.parametrize(
    ("told_at", "found", "alarms"), [(2.9, False, 1), (8.0, True, 0), (8.1, False, 1)]
)
def test_a_fall_is_found_from_its_beginning_to_two_seconds_after_its_end(
    told_at: float, found: bool, alarms: int
) -> None:
    clip = Clip(Path("01.mp4"), "subject-9/Fall/01", (3.0, 6.0))
    row = judged(
        clip, Told([(told_at, "A person fell.")], [(2.0, True), (4.0, True), (5.0, False)])
    )
    assert row["found"] is found
    assert len(row["false_alarms"]) == alarms
    assert row["tracked"] == 0.5


def test_what_is_told_of_daily_life_is_a_false_alarm() -> None:
    row = judged(
        Clip(Path("01.mp4"), "subject-9/ADL/01", None), Told([(1.0, "A person fell.")], [])
    )
    assert row["false_alarms"] == [{"at_s": 1.0, "sentence": "A person fell."}]


def test_films_are_watched_by_the_real_stages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def falls_at_3_4_s(frame: Frame) -> list[Detection]:
        down = frame.pts > 3.6
        return [Detection("person", 0.8, Box(40, 80, 110, 100) if down else Box(60, 20, 90, 100))]

    monkeypatch.setattr(falls, "load_detector", lambda *_: StubDetector(falls_at_3_4_s))
    subject(tmp_path / "subject-9", daily=())
    measured = json.loads(json.dumps(measure_falls(tmp_path, fps=5, seconds=0.5, phases=2)))
    assert (measured["falls"], measured["found"], measured["false_alarms"]) == (2, 2, 0)
    assert measured["seconds"] == 0.5
    for run in measured["runs"]:
        assert run["after_begin_s"] == pytest.approx(0.9, abs=0.4)
        assert run["after_end_s"] == pytest.approx(run["after_begin_s"] - 2.6)
    assert "| `subject-9/Fall/01` | 2 of 2 |" in table(measured)


def test_most_made_people_who_fall_are_found_and_next_to_none_who_sit_bend_or_go_to_bed() -> None:
    """What is demanded is less than docs/falls.md tells: these are few scenes."""
    measured = json.loads(json.dumps(bodies.measure_bodies(5.0, None, 40)))
    assert min(measured["falls"].values()) > 0.6
    lie_down = {"does push-ups", "sits, and lies down on the ground"}
    assert all(share <= 0.1 for name, share in measured["daily"].items() if name not in lie_down)
    assert "| bends | 0% |" in bodies.table(measured)
