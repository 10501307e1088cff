"""Webcams. There is none where tests run: OpenCV's real capture reads a film in its place."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from films import make_film, picture

from pipeline.errors import SourceNotFound, SourceStalled
from pipeline.sources import Clock, open_source
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
