from __future__ import annotations

import numpy as np
import pytest

from pipeline.detectors.decode import MOST_BOXES, Candidates, decode, suppress

ALL = frozenset(range(3))


def raw(*anchors: tuple[tuple[float, float, float, float], tuple[float, float, float]]):
    """A model's output of three classes: for each anchor its box (centre, size) and scores."""
    return np.array([[*box, *scores] for box, scores in anchors], np.float32).T


def candidates(*found: tuple[tuple[float, float, float, float], float, int]) -> Candidates:
    boxes, confidences, classes = zip(*found, strict=True)
    return Candidates(
        np.array(boxes, np.float32), np.array(confidences, np.float32), np.array(classes)
    )


def test_a_box_is_given_by_its_corners_and_its_best_class():
    found = decode(raw(((50, 60, 20, 40), (0.1, 0.7, 0.2))), 0.3, ALL)
    assert found.boxes.tolist() == [[40, 40, 60, 80]]
    assert found.classes.tolist() == [1]
    assert found.confidences.tolist() == pytest.approx([0.7])


def test_what_is_not_surer_than_asked_is_left_out():
    output = raw(((50, 60, 20, 40), (0.3, 0, 0)), ((50, 60, 20, 40), (0.31, 0, 0)))
    assert decode(output, 0.3, ALL).confidences.tolist() == pytest.approx([0.31])


def test_a_box_does_not_pass_for_its_second_best_class():
    output = raw(((50, 60, 20, 40), (0.6, 0.5, 0)))
    assert len(decode(output, 0.3, frozenset({1})).boxes) == 0


def test_where_every_label_counts_a_box_is_given_for_each_that_is_wanted_and_sure_enough():
    output = raw(((50, 60, 20, 40), (0.6, 0.5, 0.4)), ((80, 60, 20, 40), (0.1, 0.2, 0.7)))
    found = decode(output, 0.3, frozenset({0, 1}), every_label=True)
    assert found.classes.tolist() == [0, 1]
    assert found.confidences.tolist() == pytest.approx([0.6, 0.5])
    assert found.boxes.tolist() == [[40, 40, 60, 80]] * 2


def test_nothing_found_is_no_boxes():
    found = suppress(decode(raw(((50, 60, 20, 40), (0.1, 0.1, 0.1))), 0.3, ALL))
    assert found.boxes.shape == (0, 4)


def test_of_two_boxes_on_one_thing_the_surer_stays():
    found = suppress(candidates(((0, 0, 10, 10), 0.5, 0), ((0, 0, 10, 9), 0.8, 0)))
    assert found.confidences.tolist() == pytest.approx([0.8])


def test_different_classes_do_not_suppress_each_other():
    found = suppress(candidates(((0, 0, 10, 10), 0.5, 0), ((0, 0, 10, 10), 0.8, 1)))
    assert found.classes.tolist() == [1, 0]


def test_neighbours_that_overlap_less_than_the_limit_both_stay():
    found = suppress(candidates(((0, 0, 10, 10), 0.5, 0), ((0, 2, 10, 12), 0.8, 0)))  # IoU 0.67
    assert len(found.boxes) == 2


def test_boxes_come_surest_first_and_never_more_than_the_most():
    apart = [((20.0 * i, 0.0, 20.0 * i + 10, 10.0), 0.3 + i / 1000, 0) for i in range(400)]
    found = suppress(candidates(*apart))
    assert len(found.boxes) == MOST_BOXES
    assert found.confidences.tolist() == sorted(found.confidences.tolist(), reverse=True)
    assert found.confidences[0] == pytest.approx(0.699)
