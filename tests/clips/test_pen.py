"""The pen draws zones, lines and tracks where they are."""

from __future__ import annotations

import numpy as np

from pipeline.clips.pen import Pen
from pipeline.types import LoggedTrack

SIZE = (320, 240)


def blank() -> np.ndarray:
    return np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)


def coloured(image: np.ndarray) -> np.ndarray:
    values = image.astype(int)
    return (values.max(axis=2) - values.min(axis=2)) > 60


def test_a_line_goes_from_point_to_point_and_says_by_an_arrow_which_way() -> None:
    pen = Pen(SIZE, (), lines=[((0.1, 0.5), (0.5, 0.5), (0.9, 0.5))])
    drawn = coloured(pen.draw(blank(), ()))
    assert drawn[120, 33:287].all()
    assert not drawn[100:112, 40:160].any()
    assert drawn[122:, 240:].sum() > drawn[122:, :100].sum() + 10


def test_without_tracks_of_its_own_it_draws_all_of_them_alike() -> None:
    tracks = [
        LoggedTrack(1, "person", 0.8, (0.1, 0.4, 0.3, 0.9)),
        LoggedTrack(2, "person", 0.8, (0.6, 0.4, 0.8, 0.9)),
    ]
    both = coloured(Pen(SIZE, ()).draw(blank(), tracks))
    assert both[110:200, 30:34].any()
    assert both[110:200, 190:194].any()
    one = coloured(Pen(SIZE, (), own={1}).draw(blank(), tracks))
    assert one[110:200, 30:34].any()
    assert not one[110:200, 190:194].any()


def test_a_number_tells_tracks_apart_where_it_is_wanted() -> None:
    track = LoggedTrack(7, "person", 0.8, (0.3, 0.4, 0.6, 0.9))
    plain, numbered = (
        coloured(Pen(SIZE, (), numbered=numbered).draw(blank(), [track]))
        for numbered in (False, True)
    )
    # The label is a filled bar as wide as its words.
    assert numbered[:90].sum() > plain[:90].sum() + 50
