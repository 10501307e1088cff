from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.detectors.letterbox import GREY, STRIDE, Letterbox


@pytest.mark.parametrize(
    ("frame", "canvas", "corner"),
    [
        ((1920, 1080), (640, 384), (0, 12)),
        ((640, 480), (640, 480), (0, 0)),
        ((480, 640), (480, 640), (0, 0)),
        ((1000, 750), (640, 480), (0, 0)),
        ((641, 353), (640, 352), (0, 0)),
        ((700, 466), (640, 448), (0, 11)),
    ],
)
def test_the_input_is_the_smallest_rectangle_of_whole_strides(frame, canvas, corner):
    box = Letterbox.fit(frame, 640)
    assert box.canvas == canvas
    assert (box.left, box.top) == corner


sides = st.integers(16, 4000)


@given(sides, sides, st.sampled_from([64, 320, 640, 1280]))
def test_every_frame_fits_and_wastes_less_than_a_stride(width, height, size):
    box = Letterbox.fit((width, height), size)
    for canvas, scaled in zip(box.canvas, box.scaled, strict=True):
        assert canvas % STRIDE == 0
        assert 0 <= canvas - scaled < STRIDE
    assert max(box.canvas) == size


@given(sides, sides)
def test_a_box_found_in_the_input_is_where_it_was_in_the_frame(width, height):
    box = Letterbox.fit((width, height), 640)
    scale = np.array([box.scaled[0] / width, box.scaled[1] / height] * 2)
    there = np.array([[0.1 * width, 0.2 * height, 0.7 * width, 0.9 * height]])
    put = there * scale + [box.left, box.top] * 2
    assert box.undo(put.astype(np.float32)) == pytest.approx(there, rel=1e-4, abs=0.05)


def test_a_box_on_the_margin_is_cut_at_the_frame():
    box = Letterbox.fit((1920, 1080), 640)
    whole = np.array([[-5, 0, 700, 384]], np.float32)
    assert box.undo(whole).tolist() == [[0, 0, 1920, 1080]]


def test_the_picture_lies_in_the_middle_of_grey():
    image = np.full((1080, 1920, 3), 200, np.uint8)
    canvas = Letterbox.fit((1920, 1080), 640).apply(image)
    assert canvas.shape == (384, 640, 3)
    assert (canvas[12:372] == 200).all()
    assert (canvas[:12] == GREY).all()
    assert (canvas[372:] == GREY).all()


def test_a_tall_picture_has_its_grey_at_the_sides():
    canvas = Letterbox.fit((90, 320), 320).apply(np.zeros((320, 90, 3), np.uint8))
    assert canvas.shape == (320, 96, 3)
    assert (canvas[:, :3] == GREY).all()
    assert (canvas[:, 3:93] == 0).all()
    assert (canvas[:, 93:] == GREY).all()


@pytest.mark.parametrize("size", [(1920, 1080), (640, 360), (353, 641)])
def test_a_canvas_is_painted_over_for_the_next_picture(size):
    box = Letterbox.fit(size, 640)
    first, second = np.random.default_rng(7).integers(0, 256, (2, size[1], size[0], 3), np.uint8)
    canvas = box.apply(first)
    again = box.apply(second, onto=canvas)
    assert again is canvas
    assert np.array_equal(again, box.apply(second))
