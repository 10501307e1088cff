"""A webcam's pictures become packets like any camera's."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from footage import Kept, write
from happenings import NOW

from pipeline.clips.cut import cut
from pipeline.sources.encoder import GROUP_S, Encoder
from pipeline.sources.timing import Stamp


@pytest.fixture(scope="module")
def kept() -> Kept:
    """8 s of pictures of an odd height, which get brighter."""
    kept = Kept()
    encoder = Encoder(kept)
    for index in range(80):
        seconds = index / 10
        image = np.full((121, 160, 3), index * 3, np.uint8)
        at = NOW + timedelta(seconds=seconds)
        encoder.take(image, Stamp(at, seconds, seconds, index == 0))
    return kept


def test_each_picture_is_one_packet_with_its_times(kept: Kept) -> None:
    assert [packet.time for packet in kept.packets] == [index / 10 for index in range(80)]
    assert kept.packets[0].discontinuity
    keyframes = [packet.time for packet in kept.packets if packet.keyframe]
    assert keyframes[0] == 0
    assert max(later - earlier for earlier, later in pairwise(keyframes)) <= GROUP_S
    assert kept.items[0][0].size == (160, 120)


def test_they_are_kept_and_cut_as_they_are(kept: Kept, tmp_path: Path) -> None:
    footage = write(kept, tmp_path / "cam")
    made = cut(footage.pieces(kept.begin, kept.packets[-1].captured_at), tmp_path / "clip.mp4")
    assert not made.transcoded
    assert made.duration_s == pytest.approx(8.0, abs=0.15)


def test_another_size_begins_another_stream() -> None:
    kept = Kept()
    encoder = Encoder(kept)
    for index, width in enumerate((160, 320)):
        image = np.zeros((120, width, 3), np.uint8)
        encoder.take(image, Stamp(NOW, index / 10, index / 10, False))
    assert [stream.size for stream, _ in kept.items] == [(160, 120), (320, 120)]
