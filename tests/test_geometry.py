from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.geometry import clipped_fractions, crosses_itself, edge_distance, inside, iou
from pipeline.types import Box

SQUARE = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)]
NOTCHED = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (5.0, 4.0), (0.0, 10.0)]


def test_boxes_that_share_half_of_each_overlap_by_a_third():
    assert iou(Box(0, 0, 10, 10), Box(5, 0, 15, 10)) == pytest.approx(1 / 3)


def test_boxes_that_only_touch_do_not_overlap():
    assert iou(Box(0, 0, 10, 10), Box(10, 0, 20, 10)) == 0.0


def test_an_empty_box_overlaps_nothing():
    assert iou(Box(5, 5, 5, 5), Box(0, 0, 10, 10)) == 0.0


def test_a_point_in_the_notch_of_a_polygon_is_outside():
    assert inside((5.0, 3.0), NOTCHED)
    assert not inside((5.0, 9.0), NOTCHED)


@pytest.mark.parametrize(
    ("point", "distance"),
    [((5.0, 5.0), 5.0), ((5.0, 12.0), 2.0), ((13.0, 14.0), 5.0), ((0.0, 3.0), 0.0)],
)
def test_the_distance_to_a_polygon_is_that_to_its_nearest_edge_or_corner(point, distance):
    assert edge_distance(point, SQUARE) == pytest.approx(distance)


def test_a_polygon_with_a_repeated_corner_has_a_distance_too():
    assert edge_distance((5.0, 12.0), [*SQUARE, SQUARE[-1]]) == pytest.approx(2.0)


@given(
    st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
    st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
)
def test_the_distance_to_a_polygon_grows_no_faster_than_one_walks(a, b):
    walked = ((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5
    assert abs(edge_distance(a, NOTCHED) - edge_distance(b, NOTCHED)) <= walked + 1e-6


def test_a_box_beyond_the_picture_is_cut_at_its_edges():
    assert clipped_fractions(Box(-10, 120, 650, 500), (640, 480)) == (0.0, 0.25, 1.0, 1.0)


@pytest.mark.parametrize(
    ("corners", "expected"),
    [
        (SQUARE, False),
        (SQUARE[::-1], False),
        (NOTCHED, False),
        ([*SQUARE, SQUARE[0]], False),
        ([*SQUARE, SQUARE[-1]], False),
        ([SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3]], True),
        ([*SQUARE, *SQUARE], True),
        ([(5, 0), (8, 10), (0, 4), (10, 4), (2, 10)], True),
        ([(0, 0), (5, 5), (10, 10), (10, 0), (5, 5), (0, 10)], True),
        ([(0, 0), (10, 0), (10, 10), (5, 0), (0, 10)], True),
    ],
)
def test_a_polygon_crosses_itself_where_edges_meet_that_are_no_neighbours(corners, expected):
    assert crosses_itself(corners) is expected
