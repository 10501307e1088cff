"""How far two detectors agree, counted by hand."""

from __future__ import annotations

import pytest

from pipeline.bench.agreement import Agreement, agreement, at_most, enough
from pipeline.types import Box, Detection


def seen(confidence: float, left: float = 0, label: str = "person") -> Detection:
    return Detection(label, confidence, Box(left, 0, left + 10, 20))


def counted(expected: list[Detection], found: list[Detection]) -> Agreement:
    return agreement([expected], [found], 0.3)[""]


def test_what_is_found_again_is_neither_lost_nor_extra():
    assert counted([seen(0.9), seen(0.5, 40)], [seen(0.6, 41), seen(0.8)]) == Agreement(2)


def test_what_is_not_there_is_lost_and_what_was_not_there_is_extra():
    assert counted([seen(0.9)], [seen(0.9, 100)]) == Agreement(1, lost=1, extra=1)


def test_another_label_or_another_place_is_another_thing():
    assert counted([seen(0.9)], [seen(0.9, label="dog")]) == Agreement(1, lost=1, extra=1)
    assert counted([seen(0.9)], [seen(0.9, 2.5)]) == Agreement(1)  # an overlap of 0.6
    assert counted([seen(0.9)], [seen(0.9, 3)]) == Agreement(1, lost=1, extra=1)


def test_one_box_stands_for_one_thing_only():
    assert counted([seen(0.9), seen(0.8)], [seen(0.9)]) == Agreement(2, lost=1)
    assert counted([seen(0.9)], [seen(0.9), seen(0.8)]) == Agreement(1, extra=1)


def test_each_thing_gets_the_box_that_fits_it_best():
    assert counted([seen(0.9), seen(0.8, 2)], [seen(0.9, 2), seen(0.8)]) == Agreement(2)


def test_what_lies_just_below_the_confidence_counts_as_found_if_as_much_rises():
    faded, risen = (seen(0.32), seen(0.28)), (seen(0.28, 40), seen(0.32, 40))
    expected, found = zip(faded, risen, strict=True)
    assert counted(list(expected), list(found)) == Agreement(1, at_limit=2)


def test_a_detector_that_is_less_sure_of_everything_loses():
    expected = [seen(0.32, 40 * number) for number in range(4)]
    found = [seen(0.28, 40 * number) for number in range(4)]
    assert counted(expected, found) == Agreement(4, lost=4, at_limit=4)
    assert counted(found, expected) == Agreement(0, extra=4, at_limit=4)


def test_what_neither_is_sure_of_does_not_count():
    assert counted([seen(0.27)], [seen(0.28), seen(0.26, 40)]) == Agreement()


def test_labels_are_counted_apart_and_together():
    dog = seen(0.9, 40, "dog")
    found = agreement([[seen(0.9), dog], [dog]], [[seen(0.9)], [dog]], 0.3)
    assert found == {"": Agreement(3, lost=1), "dog": Agreement(2, lost=1), "person": Agreement(1)}


def test_the_pictures_must_be_the_same():
    with pytest.raises(ValueError, match="shorter"):
        agreement([[], []], [[]], 0.3)


@pytest.mark.parametrize(
    ("count", "of", "most"),
    # Wilson's upper end for one side and 95%, by the formula with z = 1.6449.
    [(0, 100, 0.0263), (1, 100, 0.0440), (10, 100, 0.1602), (5, 5, 1.0), (0, 0, 1.0)],
)
def test_the_share_that_may_be_lost_by_chance(count, of, most):
    assert at_most(count, of) == pytest.approx(most, abs=5e-4)


@pytest.mark.parametrize("loss", [0.01, 0.03, 0.1])
def test_so_many_are_enough_to_know_if_none_is_lost_and_one_less_is_not(loss):
    assert at_most(0, enough(loss)) <= loss < at_most(0, enough(loss) - 1)
