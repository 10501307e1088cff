"""A picture that stands still for too long is found, and a quiet scene is not taken for one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from films import make_film

from pipeline.masking import WHOLE, Masks
from pipeline.sources import FrozenPictures, SourceOptions, open_source
from pipeline.sources.pictures import ArrayPicture, DecodedPicture, MaskedPicture
from pipeline.types import Frame

RATE = 10


def film_of(path: Path, noise: float, seconds: int, *, keyframe_s: int = 2) -> list[Frame]:
    """The frames of a grey wall, at 10 a second, by a sensor of so much noise."""
    random = np.random.default_rng(1)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=RATE, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.gop_size = keyframe_s * RATE
        for _ in range(seconds * RATE):
            image = np.clip(random.normal(90, noise, (120, 160, 3)), 0, 255).astype(np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        output.mux(stream.encode(None))
    return list(open_source("door", str(path)).frames())


def frozen_at(frames: list[Frame], after_s: float | None) -> list[float]:
    """The seconds since the first frame at which the camera is frozen."""
    pictures = FrozenPictures(after_s)
    begin = frames[0].monotonic
    return [frame.monotonic - begin for frame in frames if pictures.look(frame)]


def test_an_encoder_that_is_given_the_same_picture_is_found_in_time(tmp_path: Path) -> None:
    frames = film_of(tmp_path / "film.mp4", noise=0.0, seconds=60)
    found = frozen_at(frames, 20)
    # What the encoder does at first it does no more after a few groups of pictures.
    assert 20 <= found[0] <= 40
    assert found[-1] == frames[-1].monotonic - frames[0].monotonic
    assert frozen_at(frames, None) == []


def test_packets_that_are_sent_over_and_over_are_found(tmp_path: Path) -> None:
    group = list(open_source("door", str(make_film(tmp_path / "a.mp4", frames=20))).frames())
    again = [
        replace(
            frame,
            monotonic=group[0].monotonic + 2 * number + frame.pts,
            discontinuity=number == 0 and frame.discontinuity,
        )
        for number in range(30)
        for frame in group
    ]
    found = frozen_at(again, 20)
    assert 20 <= found[0] <= 30


@pytest.mark.parametrize("noise", [0.6, 4.0])
def test_a_quiet_wall_is_not_taken_for_a_frozen_picture(tmp_path: Path, noise: float) -> None:
    assert frozen_at(film_of(tmp_path / "film.mp4", noise, seconds=40), 10) == []


def test_jumps_of_a_stream_hide_nothing_and_a_camera_that_was_away_gets_some_time(
    tmp_path: Path,
) -> None:
    frames = film_of(tmp_path / "film.mp4", noise=0.0, seconds=60)
    jumping = [replace(f, discontinuity=number % 50 == 0) for number, f in enumerate(frames)]
    assert frozen_at(jumping, 20)[0] <= 40
    # It comes back after two minutes and shows what it showed before.
    back = [
        replace(f, monotonic=f.monotonic + 120 * (number >= 300), discontinuity=number in (0, 300))
        for number, f in enumerate(frames)
    ]
    found = frozen_at(back, 20)
    assert next(at for at in found if at > 100) >= 150 + 20


def test_a_film_that_is_shown_over_and_over_is_not_frozen(tmp_path: Path) -> None:
    film = film_of(tmp_path / "film.mp4", noise=4.0, seconds=16)
    again = [
        replace(f, monotonic=f.monotonic + 16 * number, discontinuity=f.index == 0)
        for number in range(6)
        for f in film
    ]
    assert frozen_at(again, 10) == []
    assert frozen_at(again, 20)


def test_a_camera_that_moves_again_is_live_at_once(tmp_path: Path) -> None:
    still = film_of(tmp_path / "still.mp4", noise=0.0, seconds=40)
    moving = film_of(tmp_path / "moving.mp4", noise=4.0, seconds=6)
    shift = still[-1].monotonic + 1 / RATE - moving[0].monotonic
    joined = still + [
        replace(frame, monotonic=frame.monotonic + shift, discontinuity=False) for frame in moving
    ]
    assert frozen_at(joined, 10)[-1] <= 40


def test_a_camera_that_is_masked_all_over_is_not_taken_for_a_frozen_one(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film_of(film, noise=4.0, seconds=40)
    masked = list(open_source("door", str(film), options=SourceOptions(masks=(WHOLE,))).frames())
    assert masked[0].image().max() == 0
    assert frozen_at(masked, 10) == []


def test_a_frozen_camera_is_found_whatever_is_masked(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film_of(film, noise=0.0, seconds=60)
    masked = list(open_source("door", str(film), options=SourceOptions(masks=(WHOLE,))).frames())
    assert 20 <= frozen_at(masked, 20)[0] <= 40


def decoded(padding: int, middle: int) -> DecodedPicture:
    """A picture 174 pixels wide, one row and what fills its rows up of another brightness."""
    frame = av.VideoFrame(174, 98, "yuv420p")
    for plane in frame.planes:
        rows = np.full((plane.height, plane.line_size), padding, np.uint8)
        rows[:, : plane.width] = 90
        rows[plane.height // 2 // 4 * 4, 3] = middle
        plane.update(rows)
    assert frame.planes[0].line_size > 174
    return DecodedPicture(frame)


def test_a_fingerprint_is_of_what_is_shown_and_not_of_what_fills_a_row_up() -> None:
    assert decoded(0, 90).fingerprint() == decoded(255, 90).fingerprint()
    assert decoded(0, 90).fingerprint() != decoded(0, 91).fingerprint()


def test_pictures_of_all_kinds_have_fingerprints() -> None:
    shown = decoded(0, 90)
    images = [shown.bgr((174, 98)), decoded(0, 160).bgr((174, 98))]
    one, same, other = (ArrayPicture(images[number].copy()).fingerprint() for number in (0, 0, 1))
    assert one == same != other
    grey = DecodedPicture(av.VideoFrame.from_ndarray(images[0], format="bgr24"))
    assert (
        grey.fingerprint()
        != DecodedPicture(av.VideoFrame.from_ndarray(images[1], format="bgr24")).fingerprint()
    )
    masked = MaskedPicture(shown, (174, 98), Masks([WHOLE]))
    assert masked.fingerprint() == shown.fingerprint()
