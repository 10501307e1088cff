"""A model's graph is changed so that it costs less, and answers as before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.detectors.compiled import Compiler
from pipeline.detectors.graph import convolve_before_enlarging, feed_with_bytes
from pipeline.errors import WeightsError
from pipeline.telemetry import switch_off
from pipeline.types import Image
from pipeline.weights import packaged_weights

switch_off()
import openvino as ov  # noqa: E402
from openvino import opset13  # noqa: E402
from openvino.preprocess import PrePostProcessor  # noqa: E402

SMALL, LARGE = (1, 3, 4, 5), (1, 2, 8, 10)
Make = Callable[[Any, Any], list[Any]]


def answer(model: ov.Model, *inputs: NDArray[Any]) -> list[NDArray[np.float32]]:
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = ov.Core().compile_model(model, "CPU", exact)
    return [np.array(value) for value in compiled(list(inputs)).values()]


def enlarged(small: Any, scales: tuple[float, ...] = (1, 1, 2, 2), mode: str = "nearest") -> Any:
    by = opset13.constant(np.array(scales, np.float32))
    return opset13.interpolate(
        small, by, mode, "scales", nearest_mode="floor", coordinate_transformation_mode="asymmetric"
    )


def convolved(*maps: Any, cells: int = 1, stride: int = 1, pad: int = 0) -> Any:
    """Maps laid on each other and convolved."""
    both = opset13.concat(list(maps), 1)
    channels = both.get_output_shape(0)[1]
    weights = np.random.default_rng(4).normal(size=(6, channels, cells, cells))
    return opset13.convolution(
        both,
        opset13.constant(weights.astype(np.float32)),
        [stride] * 2,
        [pad] * 2,
        [pad] * 2,
        [1, 1],
    )


def model_of(make: Make) -> ov.Model:
    small, large = (opset13.parameter(list(shape), np.float32) for shape in (SMALL, LARGE))
    return ov.Model([opset13.result(one) for one in make(small, large)], [small, large], "made")


def neither(small: Any, large: Any) -> list[Any]:
    return [convolved(large, opset13.constant(np.ones((1, 1, 8, 10), np.float32)))]


def wide(small: Any, large: Any) -> list[Any]:
    return [convolved(enlarged(small), large, cells=3)]


def coarse(small: Any, large: Any) -> list[Any]:
    return [convolved(enlarged(small), large, stride=2)]


def padded(small: Any, large: Any) -> list[Any]:
    return [convolved(enlarged(small), large, pad=1)]


def blended(small: Any, large: Any) -> list[Any]:
    return [convolved(enlarged(small, mode="linear_onnx"), large)]


def seen_twice(small: Any, large: Any) -> list[Any]:
    both = enlarged(small)
    return [convolved(both, large), both]


def made_smaller(small: Any, large: Any) -> list[Any]:
    return [convolved(enlarged(large, (1, 1, 0.5, 0.5)), small)]


def more_channels(small: Any, large: Any) -> list[Any]:
    return [convolved(enlarged(small, (1, 2, 2, 2)), large)]


def first(small: Any, large: Any) -> list[Any]:
    return [convolved(enlarged(small), large)]


def last_of_three(small: Any, large: Any) -> list[Any]:
    return [convolved(large, large, enlarged(small))]


def two_enlarged(small: Any, large: Any) -> list[Any]:
    return [convolved(enlarged(small), large, enlarged(small, (1, 1, 2, 2)))]


def alone(small: Any, large: Any) -> list[Any]:
    return [convolved(enlarged(small)), large]


@pytest.mark.parametrize(
    ("make", "times"),
    [
        *((one, 1) for one in (first, last_of_three, two_enlarged, alone)),
        *((one, 0) for one in (neither, wide, coarse, padded, blended)),
        *((one, 0) for one in (seen_twice, made_smaller, more_channels)),
    ],
)
def test_only_what_gives_the_same_is_convolved_before_it_is_enlarged(
    make: Make, times: int
) -> None:
    random = np.random.default_rng(1)
    maps = [random.normal(size=shape).astype(np.float32) for shape in (SMALL, LARGE)]
    before = answer(model_of(make), *maps)
    changed = model_of(make)

    assert convolve_before_enlarging(changed) == times

    for one, other in zip(before, answer(changed, *maps), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_maps_of_unknown_form_are_left_as_they_are() -> None:
    unknown = opset13.parameter(ov.PartialShape.dynamic(), np.float32)
    weights = opset13.constant(np.ones((6, 4, 1, 1), np.float32))
    both = opset13.concat([enlarged(unknown), unknown], 1)
    after = opset13.convolution(both, weights, [1, 1], [0, 0], [0, 0], [1, 1])
    assert convolve_before_enlarging(ov.Model([opset13.result(after)], [unknown], "made")) == 0


def test_a_convolution_sees_small_maps_afterwards() -> None:
    model = model_of(first)

    convolve_before_enlarging(model)

    seen = [
        tuple(one.get_input_shape(0))
        for one in model.get_ops()
        if one.get_type_name() == "Convolution"
    ]
    assert sorted(seen) == sorted([SMALL, LARGE])


def test_the_packaged_model_answers_as_before_on_bytes(photograph: Image) -> None:
    picture = np.ascontiguousarray(cv2.resize(photograph, (320, 192))[None])
    floats = (picture.transpose(0, 3, 1, 2) / 255).astype(np.float32)
    plain = ov.Core().read_model(packaged_weights())
    (before,) = answer(plain, floats)

    changed = ov.Core().read_model(packaged_weights())
    assert convolve_before_enlarging(changed) == 2
    feed_with_bytes(changed)
    (after,) = answer(changed, picture)

    scores = slice(4, None)
    assert before[:, scores].max() > 0.5
    np.testing.assert_allclose(before[:, scores], after[:, scores], atol=1e-4)
    np.testing.assert_allclose(before[:, :4], after[:, :4], atol=0.02)


def test_names_and_sizes_of_the_input_are_kept() -> None:
    model = ov.Core().read_model(packaged_weights())
    names = model.input().get_names()

    feed_with_bytes(model)

    assert model.input().get_names() == names
    assert model.input().get_element_type() == ov.Type.u8
    _, height, width, channels = model.input().get_partial_shape()
    assert height.is_dynamic
    assert width.is_dynamic
    assert channels.get_length() == 3


def test_a_model_that_takes_bytes_already_is_refused(tmp_path: Path) -> None:
    model = ov.Core().read_model(packaged_weights())
    steps = PrePostProcessor(model)
    steps.input().tensor().set_element_type(ov.Type.u8)
    steps.input().preprocess().convert_element_type(ov.Type.f32).scale(255.0)
    path = tmp_path / "bytes.xml"
    ov.save_model(steps.build(), path)

    with pytest.raises(WeightsError, match="its input is of u8, not of floats"):
        Compiler(path, None, "auto")
