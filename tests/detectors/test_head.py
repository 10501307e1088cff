"""A YOLO's head is read for the few anchors that matter, and gives what the model itself gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import handmade
import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_detector import save_detector

from pipeline.detectors.compiled import EXACT, Compiler
from pipeline.detectors.decode import Candidates, decode
from pipeline.detectors.graph import feed_with_bytes
from pipeline.detectors.head import Ends, add_head, agrees, candidates
from pipeline.detectors.openvino import OpenVinoModel
from pipeline.detectors.pool import Asked
from pipeline.detectors.sparse import Cutter
from pipeline.telemetry import switch_off
from pipeline.types import Image, Size
from pipeline.weights import packaged_weights

switch_off()
import openvino as ov  # noqa: E402
from openvino import opset13  # noqa: E402

CANVAS: Size = (320, 224)
PERSON, BICYCLE, DOG = 0, 1, 16
EVERY = frozenset(range(80))


@dataclass(frozen=True)
class Both:
    """A model's own output for a picture, and what its head gave."""

    output: NDArray[np.float32]
    ends: Ends

    def of_head(self, confidence: float, wanted: frozenset[int], **options: Any) -> Candidates:
        return candidates(self.ends, CANVAS, confidence, wanted, **options)


@pytest.fixture(scope="module")
def both(photograph: Image) -> Both:
    model = ov.Core().read_model(packaged_weights())
    head = add_head(model, 80)
    assert head is not None
    assert head.cut is not None
    feed_with_bytes(model)
    compiled = ov.Core().compile_model(model, "CPU", EXACT)
    picture = cv2.cvtColor(cv2.resize(photograph, CANVAS), cv2.COLOR_BGR2RGB)
    output, surest, *maps = (np.array(value[0]) for value in compiled([picture[None]]).values())
    cutter = Cutter(head.cut, ov.Core().compile_model(head.cut.model, "CPU", EXACT), 1)
    return Both(output, Ends(surest, maps[::2], maps[1::2], cutter))


def by_place(found: Candidates) -> NDArray[np.float32]:
    """Boxes, confidences and classes in one table, in an order that both ways share."""
    table = np.column_stack((found.boxes, found.confidences, found.classes)).astype(np.float32)
    return table[np.lexsort((table[:, 5], table[:, 0].round(1), table[:, 1].round(1)))]


@pytest.mark.parametrize("confidence", [0.0, 0.05, 0.25, 0.4])
@pytest.mark.parametrize("wanted", [EVERY, frozenset([PERSON]), frozenset([BICYCLE, DOG])])
def test_the_head_makes_the_same_boxes_as_the_model(
    both: Both, confidence: float, wanted: frozenset[int]
) -> None:
    own, made = decode(both.output, confidence, wanted), both.of_head(confidence, wanted)
    assert len(own.boxes) > 0
    np.testing.assert_array_equal(made.classes, own.classes)
    np.testing.assert_allclose(made.confidences, own.confidences, atol=1e-6)
    np.testing.assert_allclose(made.boxes, own.boxes, atol=0.01)


def test_each_label_that_is_sure_enough_may_have_a_box_of_its_own(both: Both) -> None:
    own = decode(both.output, 0.002, EVERY, every_label=True)
    made = both.of_head(0.002, EVERY, every_label=True)
    assert len(own.boxes) > len(decode(both.output, 0.002, EVERY).boxes)
    np.testing.assert_allclose(by_place(made), by_place(own), atol=0.01)


def test_where_nothing_is_sure_enough_there_is_no_box(both: Both) -> None:
    assert both.of_head(0.999, EVERY).boxes.shape == (0, 4)
    assert both.of_head(0.25, frozenset([79])).boxes.shape == (0, 4)


def test_a_head_whose_boxes_are_others_is_told_apart(both: Both) -> None:
    assert agrees(both.ends, both.output, CANVAS)
    moved, paler, exchanged = (both.output.copy() for _ in range(3))
    moved[0, -1] += 0.1
    paler[4:, 300] *= 0.5
    exchanged[[4 + PERSON, 4 + BICYCLE]] = exchanged[[4 + BICYCLE, 4 + PERSON]]
    assert not agrees(both.ends, moved, CANVAS)
    assert not agrees(both.ends, paler, CANVAS)
    assert not agrees(both.ends, exchanged, CANVAS)
    assert not agrees(both.ends, both.output[:, 1:], CANVAS)
    assert not agrees(replace(both.ends, surest=both.ends.surest * np.nan), both.output, CANVAS)


@pytest.mark.parametrize("wrong", ["few", "many"])
def test_a_head_whose_distributions_are_others_is_told_apart(both: Both, wrong: str) -> None:
    anchors = len(both.ends.surest)

    class Wrong(Cutter):
        def __init__(self) -> None:
            pass

        def distributions(
            self, maps: Sequence[NDArray[np.float32]], cells: Sequence[NDArray[np.intp]]
        ) -> NDArray[np.float32]:
            assert both.ends.cutter is not None
            found = both.ends.cutter.distributions(maps, cells)
            if (len(found) < anchors) == (wrong == "few"):
                found[-1, 0] += 1
            return found

    assert not agrees(replace(both.ends, cutter=Wrong()), both.output, CANVAS)


def test_a_head_whose_grids_are_of_different_sizes_is_told_apart(both: Both) -> None:
    fewer = [one[1:] for one in both.ends.maps]
    assert not agrees(replace(both.ends, maps=fewer), both.output, CANVAS)


@pytest.mark.filterwarnings("error")
def test_scores_that_are_as_good_as_nothing_are_worked_out_in_silence() -> None:
    logits = np.full((1, 1, 2), -1000, np.float32)
    logits[..., 0] = 3
    ends = Ends(np.array([0.95], np.float32), [np.zeros((1, 1, 64), np.float32)], [logits])
    found = candidates(ends, (32, 32), 0.0, frozenset([0, 1]), every_label=True)
    assert found.confidences.tolist() == pytest.approx([1 / (1 + np.exp(-3)), 0], abs=1e-6)


def head(classes: int = 3, *, kind: Any = np.float32, split: str = "lengths") -> ov.Model:
    """A model of one level's last convolutions, and what makes a YOLO's output of them."""
    picture = opset13.parameter([1, 3, 4, 5], kind, name="picture")
    random = np.random.default_rng(2)

    def convolution(channels: int) -> Any:
        weights = opset13.constant(random.normal(size=(channels, 3, 1, 1)).astype(kind))
        return opset13.convolution(picture, weights, [1, 1], [0, 0], [0, 0], [1, 1])

    both = opset13.concat([convolution(64), convolution(classes)], 1)
    flat = opset13.reshape(both, opset13.constant([1, 64 + classes, -1]), False)
    if split == "equal":
        parts = opset13.split(flat, opset13.constant(1), 2)
    else:
        lengths = opset13.constant([-1, classes] if split == "rest" else [64, classes])
        parts = opset13.variadic_split(flat, opset13.constant(1), lengths)
    sides = opset13.reshape(parts.output(0), opset13.constant([1, 4, 16, -1]), False)
    shares = opset13.softmax(sides, 2)
    strides = opset13.constant(np.arange(16, dtype=kind).reshape(1, 1, 16, 1))
    distances = opset13.reduce_sum(opset13.multiply(shares, strides), opset13.constant([2]))
    output = opset13.concat([distances, opset13.sigmoid(parts.output(1))], 1)
    return ov.Model([opset13.result(output)], [picture], "made")


@pytest.mark.parametrize(("classes", "split"), [(1, "lengths"), (3, "rest"), (64, "equal")])
def test_scores_and_distributions_may_be_parted_in_any_way(classes: int, split: str) -> None:
    model = head(classes, split=split)
    assert add_head(model, classes)
    picture = np.random.default_rng(5).normal(size=(1, 3, 4, 5)).astype(np.float32)
    own, _, _, logits = ov.Core().compile_model(model, "CPU", EXACT)([picture]).values()
    assert logits.shape == (1, 4, 5, classes)
    probabilities = 1 / (1 + np.exp(-logits.reshape(-1, classes)))
    np.testing.assert_allclose(probabilities.T, own[0, 4:], atol=1e-6)


def test_a_model_of_float16_is_read_at_its_end_where_its_logits_would_be_too_coarse() -> None:
    assert not add_head(head(kind=np.float16), 3)


def test_a_model_with_parts_of_unknown_form_is_read_at_its_end() -> None:
    picture = opset13.parameter(ov.PartialShape.dynamic(), np.float32)
    output = opset13.concat([opset13.softmax(picture, 1), opset13.sigmoid(picture)], 1)
    assert not add_head(ov.Model([opset13.result(output)], [picture], "made"), 3)


def test_a_model_that_goes_on_from_its_boxes_in_another_way_is_read_at_its_end(
    photograph: Image, tmp_path: Path
) -> None:
    frame = handmade.frame(image=photograph)
    asked = Asked(size=320, confidence=0.4, wanted=frozenset([PERSON, DOG]))
    plain = OpenVinoModel(packaged_weights()).look(frame, asked).detections

    model = ov.Core().read_model(packaged_weights())
    together = model.output(0).get_node().input_value(0).get_node()
    smaller = opset13.multiply(together.input_value(0), opset13.constant(np.float32(0.5)))
    together.input(0).replace_source_output(smaller.output(0))
    path = tmp_path / "smaller.xml"
    ov.save_model(model, path, compress_to_fp16=False)
    other = OpenVinoModel(path)

    found = other.look(frame, asked).detections
    assert Compiler(path, None, "auto").head is None
    assert Compiler(packaged_weights(), None, "auto").head is not None
    assert [one.label for one in found] == [one.label for one in plain]
    for one, half in zip(plain, found, strict=True):
        assert half.box.width == pytest.approx(one.box.width / 2, rel=0.05)
    assert found[0].embedding is not None


def test_a_model_without_distributions_is_read_at_its_end(tmp_path: Path) -> None:
    assert Compiler(save_detector(tmp_path), None, "auto").head is None


@pytest.mark.parametrize(
    "plan",
    [
        "yolov8n.yaml",
        *(
            pytest.param(plan, marks=pytest.mark.slow)
            for plan in (
                "yolov5n.yaml",
                "yolov8n-p2.yaml",
                "yolov8n-p6.yaml",
                "yolov9t.yaml",
                "yolo12n.yaml",
            )
        ),
    ],
)
@pytest.mark.filterwarnings("ignore")  # ultralytics and torch warn of their own exporter
def test_the_heads_of_all_yolos_with_distributions_are_known(
    plan: str, ultralytics: Any, export: Callable[..., Path], tmp_path: Path
) -> None:
    import torch

    torch.manual_seed(3)
    ultralytics.YOLO(plan).save(tmp_path / "chance.pt")

    path = export(tmp_path / "chance.pt", "chance", dynamic=True)
    compiler = Compiler(path, None, "auto")
    head = add_head(ov.Core().read_model(path), len(compiler.exported.labels))

    assert head is not None
    assert head.cut is not None
    assert compiler.head is not None
    assert compiler.features is not None
