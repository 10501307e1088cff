from __future__ import annotations

import numpy as np
import pytest

from pipeline.detectors.decode import Output, boxes
from pipeline.detectors.exported import Exported

NAMES = "{0: 'person', 1: 'car', 2: 'dog'}"
TWO = "{0: 'person', 1: 'car'}"
ALL = frozenset(range(3))


def model(**metadata: str) -> Exported:
    return Exported.of({"names": NAMES, **metadata})


@pytest.mark.parametrize(
    ("metadata", "shape", "form"),
    [
        ({}, (1, 7, 420), Output.RAW),
        ({"names": TWO}, (1, 6, 420), Output.RAW),
        ({"end2end": "True"}, (1, 300, 6), Output.FINISHED),
        ({"args": "{'nms': True}"}, (1, 300, 6), Output.FINISHED),
        ({"args": "{'nms': True}", "names": TWO}, (1, 6, 6), Output.FINISHED),
        ({}, (1, 300, 6), Output.FINISHED),
        ({"head": "RTDETRDecoder"}, (1, 300, 6), Output.FRACTIONS),
        ({"head": "RTDETRDecoder", "names": TWO}, (1, 300, 6), Output.FRACTIONS),
        ({"description": "Ultralytics rtdetr-l model"}, (1, 300, 7), Output.QUERIES),
        ({"description": "Ultralytics rtdetr-l model", "names": TWO}, (1, 300, 6), Output.QUERIES),
        ({}, (1, 300, 7), Output.QUERIES),
    ],
)
def test_the_form_of_the_output_follows_from_metadata_and_shape(metadata, shape, form):
    assert model(**metadata).tried(shape).form is form


@pytest.mark.parametrize("shape", [(1, 84, 420), (2, 7, 420), (1, 7), (1, 300, 8)])
def test_an_output_that_does_not_fit_the_names_is_refused(shape):
    with pytest.raises(ValueError, match=r"it names 3 classes, and gives [0-9x ]+ numbers"):
        model().tried(shape)


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"names": ""}, "cannot be read"),
        ({"names": "{}"}, "does not name its classes"),
        ({"names": "'person'"}, "does not name its classes"),
        ({"names": "__import__('os')"}, "cannot be read"),
        ({"names": NAMES, "task": "classify"}, "made for the task 'classify'"),
        ({}, "does not name its classes"),
    ],
)
def test_a_model_that_says_too_little_or_something_else_is_refused(metadata, said):
    with pytest.raises(ValueError, match=said):
        Exported.of(metadata)


def test_names_come_in_the_order_of_their_numbers_from_mappings_and_lists():
    assert Exported.of({"names": "{1: 'b', 0: 'a'}"}).labels == ("a", "b")
    assert Exported.of({"names": ["a", "b"]}).labels == ("a", "b")


def test_a_frame_is_laid_into_the_input_as_the_model_was_made():
    any_size, fixed = model(), model().fixed(256, 320)
    detr = model(head="RTDETRDecoder")
    assert any_size.letterbox((1920, 1080), 640).canvas == (640, 384)
    assert fixed.letterbox((1920, 1080), 640).canvas == (320, 256)
    assert fixed.letterbox((1920, 1080), 640).scaled == (320, 180)
    assert detr.letterbox((1920, 1080), 640).scaled == (640, 640)
    assert detr.fixed(256, 320).letterbox((1920, 1080), 640).scaled == (320, 256)
    assert fixed.blank().shape == (256, 320, 3)


def test_the_finished_boxes_are_taken_as_they_are():
    output = np.array([[10, 20, 30, 60, 0.5, 2], [0, 0, 5, 5, 0.9, 0], [0] * 6], np.float32)
    found = boxes(output, Output.FINISHED, (320, 256), 0.3, ALL)
    assert found.boxes.tolist() == [[0, 0, 5, 5], [10, 20, 30, 60]]
    assert found.classes.tolist() == [0, 2]
    assert found.confidences.tolist() == pytest.approx([0.9, 0.5])


def test_fractions_are_of_the_whole_input():
    output = np.array([[0.5, 0.25, 0.25, 0.5, 0.8, 1]], np.float32)
    found = boxes(output, Output.FRACTIONS, (320, 256), 0.3, ALL)
    assert found.boxes.tolist() == [[120, 0, 200, 128]]
    assert found.classes.tolist() == [1]


def test_a_query_is_one_box_of_its_best_class():
    output = np.array([[0.5, 0.25, 0.25, 0.5, 0.1, 0.4, 0.7]], np.float32)
    found = boxes(output, Output.QUERIES, (320, 256), 0.3, ALL)
    assert found.boxes.tolist() == [[120, 0, 200, 128]]
    assert found.classes.tolist() == [2]


@pytest.mark.parametrize("form", [Output.FINISHED, Output.FRACTIONS])
def test_what_is_unsure_or_not_wanted_is_left_out_of_every_form(form):
    output = np.array([[1, 1, 2, 2, 0.3, 0], [1, 1, 2, 2, 0.9, 1]], np.float32)
    assert len(boxes(output, form, (320, 256), 0.3, frozenset({0})).boxes) == 0


@pytest.mark.parametrize(
    ("metadata", "stride"),
    [
        ({}, 32),
        ({"stride": "32"}, 32),
        ({"stride": "64"}, 64),
        ({"stride": "8"}, 32),
        ({"stride": "0"}, 32),
        ({"stride": "[64]"}, 32),
        ({"stride": "10000000"}, 32),
    ],
)
def test_inputs_are_of_whole_strides_of_the_model(metadata, stride):
    exported = model(**metadata)
    height, width, _ = exported.blank().shape
    assert (width, height) == (5 * stride, 4 * stride)
    for frame in ((768, 576), (1920, 1080), (90, 320)):
        box = exported.letterbox(frame, 416)
        assert [side % stride for side in box.canvas] == [0, 0]
        assert 416 <= max(box.scaled) < 416 + stride
