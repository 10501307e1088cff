"""What a mask hides is black, and nothing of it is carried into what is shown."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.masking import MARGIN, WHOLE, Masks
from pipeline.types import Polygon, Size

SIZE = (160, 120)
TRIANGLE: Polygon = ((0.21, 0.11), (0.83, 0.37), (0.43, 0.91))
SLIVER: Polygon = ((0.1, 0.5), (0.9, 0.51), (0.9, 0.517), (0.1, 0.507))
EDGE: Polygon = ((0.0, 0.0), (0.2, 0.0), (0.2, 1.0), (0.0, 1.0))


def white(size: Size = SIZE) -> np.ndarray:
    return np.full((size[1], size[0], 3), 255, np.uint8)


def touched(polygon: Polygon, size: Size) -> np.ndarray:
    """The pixels in which a polygon has a part, found with 16 by 16 points in each."""
    points = (np.arange(size[0] * 16) + 0.5) / 16, (np.arange(size[1] * 16) + 0.5) / 16
    x, y = np.meshgrid(*points)
    within = np.zeros(x.shape, bool)
    corners = [(fx * size[0], fy * size[1]) for fx, fy in polygon]
    for (x1, y1), (x2, y2) in zip(corners, [*corners[1:], corners[0]], strict=True):
        if y1 != y2:
            within ^= ((y1 > y) != (y2 > y)) & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
    return within.reshape(size[1], 16, size[0], 16).any((1, 3))


@pytest.mark.parametrize("polygon", [TRIANGLE, SLIVER, EDGE, WHOLE])
@pytest.mark.parametrize("size", [SIZE, (53, 41)])
def test_each_pixel_that_a_polygon_touches_is_black_and_little_more(
    polygon: Polygon, size: Size
) -> None:
    hidden = (Masks([polygon]).over(white(size), size) == 0).all(axis=2)
    part = touched(polygon, size)
    assert hidden[part].all()
    rows, columns = np.nonzero(part)
    reach = round(MARGIN) + 2
    near = np.zeros_like(hidden)
    for row, column in zip(rows, columns, strict=True):
        near[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1] = (
            True
        )
    assert not hidden[~near].any()


def test_the_picture_that_is_given_stays_as_it_is() -> None:
    image = white()
    image.flags.writeable = False
    masked = Masks([TRIANGLE]).over(image, SIZE)
    assert image.min() == 255
    assert set(np.unique(masked)) == {0, 255}


def test_without_polygons_it_is_the_picture_itself() -> None:
    image = white()
    assert Masks().over(image, SIZE) is image


def test_several_polygons_hide_what_lies_in_any_of_them() -> None:
    both = Masks([EDGE, TRIANGLE]).over(white(), SIZE)
    one, other = (Masks([polygon]).over(white(), SIZE) for polygon in (EDGE, TRIANGLE))
    assert np.array_equal(both, np.minimum(one, other))


BOW_TIE: Polygon = ((0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9))
TWICE_AROUND: Polygon = 2 * ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))


@pytest.mark.parametrize("polygon", [BOW_TIE, TWICE_AROUND])
def test_a_polygon_whose_edges_cross_hides_all_that_its_corners_go_around(polygon: Polygon) -> None:
    hidden = Masks([polygon]).over(white(), SIZE)[12:108, 16:144]
    assert hidden.max() == 0
