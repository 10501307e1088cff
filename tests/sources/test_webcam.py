"""Webcams. There is none where tests run: OpenCV's real capture reads a film in its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from films import make_film, picture

from pipeline.errors import SourceNotFound, SourceStalled
from pipeline.sources import Clock, open_source
from pipeline.sources.devices import find_webcam
from pipeline.sources.webcam import WebcamSource


def test_an_absent_webcam_is_told_in_a_sentence() -> None:
    with pytest.raises(
        SourceNotFound, match=r"^Camera desk: there is no webcam:99; plugged in: .*\.$"
    ):
        open_source("desk", "webcam:99")


def webcam(tmp_path: Path) -> WebcamSource:
    film = make_film(tmp_path / "a.avi", frames=9, codec="mpeg4", size=(320, 240))
    return WebcamSource("desk", "webcam:0", cv2.VideoCapture(str(film)), Clock())


def test_a_webcam_gives_live_frames_and_stalls_when_it_gives_no_more(tmp_path: Path) -> None:
    source = webcam(tmp_path)
    found = []
    with pytest.raises(SourceStalled, match="Camera desk: webcam:0"):
        found.extend(source.frames())
    assert source.live
    assert (source.codec, source.rate) == ("fmp4", 10)
    assert [frame.index for frame in found] == list(range(9))
    assert [frame.discontinuity for frame in found] == [True] + [False] * 8
    assert np.abs(found[3].image().astype(int) - picture(3, (320, 240))).mean() < 6
    assert found[3].image((160, 120)).shape == (120, 160, 3)


def test_a_closed_webcam_ends(tmp_path: Path) -> None:
    source = webcam(tmp_path)
    frames = source.frames()
    next(frames)
    source.close()
    assert list(frames) == []
    source.close()
    assert list(source.frames()) == []


def plug_in(folder: Path, number: int, name: str, serial: str, *, index: int = 0) -> None:
    """A webcam's files as Linux lays them out: its device, its name, its link by serial number."""
    about = folder / "class" / f"video{number}"
    by_id = folder / "dev" / "v4l" / "by-id"
    for place in (about, by_id):
        place.mkdir(parents=True, exist_ok=True)
    (folder / "dev" / f"video{number}").touch()
    (about / "name").write_text(f"{name}\n")
    (about / "index").write_text(f"{index}\n")
    link = by_id / f"usb-{serial}-video-index{index}"
    link.symlink_to(Path("../..") / f"video{number}")


@pytest.fixture
def plugged_in(tmp_path: Path) -> Callable[[str], int]:
    """Two webcams of the same make and another one; gives the number that a name means."""
    for number, serial in {0: "046d_C920_AAAA", 2: "046d_C920_BBBB"}.items():
        plug_in(tmp_path, number, "HD Pro Webcam C920", serial)
        plug_in(tmp_path, number + 1, "HD Pro Webcam C920", serial, index=1)
    plug_in(tmp_path, 10, "Laptop: Integrated Camera", "Chicony_Integrated")

    def find(wanted: str) -> int:
        return find_webcam(
            "desk", wanted, devices=tmp_path / "dev", names=tmp_path / "class"
        ).number

    return find


@pytest.mark.parametrize(
    ("wanted", "number"),
    [
        ("0", 0),
        ("3", 3),
        ("10", 10),
        ("laptop: integrated camera", 10),
        ("integrated", 10),
        ("usb-046d_C920_BBBB-video-index0", 2),
        ("c920_aaaa", 0),
    ],
)
def test_a_webcam_is_found_by_number_name_or_a_part_of_it(
    plugged_in: Callable[[str], int], wanted: str, number: int
) -> None:
    assert plugged_in(wanted) == number


def test_a_name_that_several_webcams_have_is_told_with_all_of_them(
    plugged_in: Callable[[str], int],
) -> None:
    with pytest.raises(SourceNotFound) as caught:
        plugged_in("C920")
    assert str(caught.value) == (
        "Camera desk: webcam:C920 may mean webcam:0 (HD Pro Webcam C920), webcam:2 (HD Pro Webcam "
        "C920); write the number or more of the name."
    )


@pytest.mark.parametrize("wanted", ["7", "garden"])
def test_a_webcam_that_is_not_there_is_told_with_those_that_are(
    plugged_in: Callable[[str], int], wanted: str
) -> None:
    with pytest.raises(SourceNotFound) as caught:
        plugged_in(wanted)
    assert str(caught.value).startswith(
        f"Camera desk: there is no webcam:{wanted}; plugged in: webcam:0 (HD Pro Webcam C920), "
    )
    assert str(caught.value).endswith("webcam:10 (Laptop: Integrated Camera).")
