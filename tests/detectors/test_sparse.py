"""Distributions are worked out where they are wanted, and are what the whole branch gives there."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.detectors.compiled import EXACT
from pipeline.detectors.sparse import DEARER, Branch, Cutter, cut_out, rounded
from pipeline.telemetry import switch_off

switch_off()
import openvino as ov  # noqa: E402
from openvino import opset13  # noqa: E402

CHANNELS = 8
RANDOM = np.random.default_rng(4)


def convolution(value: Any, side: int = 3, *, dilation: int = 1, pad: int | None = None) -> Any:
    weights = RANDOM.normal(size=(CHANNELS, CHANNELS, side, side)).astype(np.float32)
    pads = [side // 2 * dilation if pad is None else pad] * 2
    return opset13.convolution(
        value, opset13.constant(weights / side), [1, 1], pads, pads, [dilation, dilation]
    )


def biased(value: Any) -> Any:
    bias = RANDOM.normal(size=(1, CHANNELS, 1, 1)).astype(np.float32)
    return opset13.add(value, opset13.constant(bias))


def silu(value: Any) -> Any:
    return opset13.multiply(value, opset13.sigmoid(value))


def branch_from(map_: Any) -> Any:
    """As YOLO has it."""
    first = silu(biased(convolution(map_)))
    second = opset13.swish(biased(convolution(first)))
    return biased(convolution(second, 1))


def mean(map_: Any) -> Any:
    """The mean of each channel, which is of the whole map."""
    return opset13.reduce_mean(map_, opset13.constant([2, 3]), True)


def convolution_by_what_is_seen(map_: Any) -> Any:
    seen = opset13.reshape(mean(map_), opset13.constant([1, CHANNELS, 1, 1]), False)
    alike = opset13.constant(np.ones((CHANNELS, CHANNELS, 1, 1), np.float32))
    return opset13.convolution(map_, opset13.multiply(alike, seen), [1, 1], [0, 0], [0, 0], [1, 1])


def picture(height: Any = -1, width: Any = -1) -> Any:
    return opset13.parameter(ov.PartialShape([1, CHANNELS, height, width]), ov.Type.f32)


def model(levels: int = 1) -> ov.Model:
    """Maps in, distributions out."""
    maps = [picture() for _ in range(levels)]
    return ov.Model([opset13.result(branch_from(one)) for one in maps], maps, "made")


def compiled(made: Any) -> Any:
    return ov.Core().compile_model(made, "CPU", EXACT)


def branches(of: ov.Model) -> list[Branch]:
    found = [Branch.of(result.input_value(0)) for result in of.get_results()]
    assert all(found)
    return [branch for branch in found if branch is not None]


def cutter(of: ov.Model, threads: int = 1) -> Cutter:
    cut = cut_out(branches(of.clone()))
    return Cutter(cut, compiled(cut.model), threads)


def map_of(height: int, width: int) -> NDArray[np.float32]:
    return RANDOM.normal(size=(height, width, CHANNELS)).astype(np.float32)


def whole(of: Any, *maps: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """The whole branches' distributions of each map, (cells, channels)."""
    answers = of([one.transpose(2, 0, 1)[None] for one in maps]).values()
    return [one[0].reshape(CHANNELS, -1).T for one in answers]


@pytest.mark.parametrize("size", [(9, 13), (1, 1), (1, 7), (2, 3), (3, 1)])
def test_cells_cut_out_are_what_they_are_in_the_whole_map_at_its_edges_too(
    size: tuple[int, int],
) -> None:
    made, map_ = model(), map_of(*size)
    own, cut = whole(compiled(made), map_)[0], cutter(made)
    for cell in range(len(own)):
        one = cut.distributions([map_], [np.array([cell])])
        np.testing.assert_allclose(one, own[[cell]], atol=1e-5)
    every = cut.distributions([map_], [np.arange(len(own))])
    np.testing.assert_allclose(every, own, atol=1e-5)


@pytest.mark.parametrize("share", [0.5 / DEARER, 2 / DEARER])
def test_many_cells_are_worked_out_like_few(share: float) -> None:
    made, map_ = model(), map_of(20, 30)
    cells = np.sort(RANDOM.permutation(600)[: int(600 * share)])
    found = cutter(made).distributions([map_], [cells])
    np.testing.assert_allclose(found, whole(compiled(made), map_)[0][cells], atol=1e-5)


def test_each_level_is_cut_for_itself_and_may_have_no_cell_at_all() -> None:
    made, maps = model(levels=3), [map_of(12, 16), map_of(6, 8), map_of(3, 4)]
    own, cut = whole(compiled(made), *maps), cutter(made)
    for cells in ([[3, 9], [], [0, 11]], [[], [7], []], [[191], [*range(48)], [5]]):
        wanted = [np.array(some, np.intp) for some in cells]
        expected = np.concatenate([rows[some] for rows, some in zip(own, wanted, strict=True)])
        np.testing.assert_allclose(cut.distributions(maps, wanted), expected, atol=1e-5)
    assert cut.distributions(maps, [np.empty(0, np.intp)] * 3).shape == (0, CHANNELS)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 1)])
def test_a_model_for_one_size_may_have_maps_that_are_smaller_than_a_convolution(
    size: tuple[int, int],
) -> None:
    map_ = picture(*size)
    made, seen = ov.Model([opset13.result(branch_from(map_))], [map_], "made"), map_of(*size)
    cells = np.arange(size[0] * size[1])
    found = cutter(made).distributions([seen], [cells])
    np.testing.assert_allclose(found, whole(compiled(made), seen)[0], atol=1e-5)


def test_there_are_few_numbers_of_cuttings() -> None:
    numbers = range(1, 1000)
    assert all(number <= rounded(number) < 1.25 * number for number in numbers)
    assert len(set(map(rounded, numbers))) < 40
    assert rounded(0) == 0

    made, map_ = model(), map_of(20, 30)
    of = cut_out(branches(made.clone()))
    asked: set[tuple[int, ...]] = set()

    class Compiled:
        """Writes down what is asked of its requests."""

        def create_infer_request(self) -> Any:
            request = compiled(of.model).create_infer_request()
            infer = request.infer

            def told(inputs: dict[int, Any], **options: Any) -> Any:
                asked.add(inputs[1].shape)
                return infer(inputs, **options)

            request.infer = told
            return request

    cut = Cutter(of, Compiled(), 1)
    for number in range(100):
        cut.distributions([map_], [np.arange(number)])
    assert len(asked) == len(set(map(rounded, range(100))))


def test_threads_that_ask_at_once_get_each_its_own_answer() -> None:
    made, maps = model(), [map_of(10, 10) for _ in range(8)]
    dense, cut = compiled(made), cutter(made, threads=2)
    own = [whole(dense, map_)[0] for map_ in maps]

    def asked(number: int) -> NDArray[np.float32]:
        return cut.distributions([maps[number % 8]], [np.arange(number % 90, number % 90 + 5)])

    with ThreadPoolExecutor(4) as threads:
        for number, found in enumerate(threads.map(asked, range(300))):
            expected = own[number % 8][number % 90 : number % 90 + 5]
            np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_branch_begins_where_others_see_its_map_too() -> None:
    map_ = picture()
    shared = silu(convolution(map_))
    distributions = branch_from(shared)
    other = convolution(shared)
    made = ov.Model([opset13.result(distributions), opset13.result(other)], [map_], "made")

    branch = Branch.of(made.get_results()[0].input_value(0))

    assert branch is not None
    assert len(branch.convolutions) == 3
    assert branch.source.get_node().get_friendly_name() == shared.get_friendly_name()


@pytest.mark.parametrize(
    "before",
    [
        lambda map_: silu(convolution(map_)),  # one of 3x3 more than REACH has room for
        lambda map_: convolution(map_, dilation=2),
        lambda map_: convolution(map_, pad=0),
        lambda map_: convolution(map_, 5),
        lambda map_: opset13.add(convolution(map_, 1), map_),
        lambda map_: opset13.multiply(convolution(map_, 1), opset13.sigmoid(map_)),
        lambda map_: opset13.relu(convolution(map_, 1)),
        lambda map_: opset13.add(convolution(map_, 1), mean(map_)),
        lambda map_: opset13.swish(convolution(map_, 1), opset13.reduce_max(map_, [0, 1, 2, 3])),
        convolution_by_what_is_seen,
        lambda map_: opset13.avg_pool(map_, [1, 1], [1, 1], [1, 1], [3, 3], exclude_pad=False),
    ],
)
def test_what_is_not_known_is_left_to_the_model(before: Callable[[Any], Any]) -> None:
    map_ = picture()
    made = ov.Model([opset13.result(branch_from(before(map_)))], [map_], "made")

    branch = branches(made)[0]

    assert len(branch.convolutions) == 3
    picture_ = map_of(7, 9)
    source = opset13.transpose(branch.source, opset13.constant([0, 2, 3, 1]))
    seen = compiled(ov.Model([opset13.result(source)], [map_], "source"))
    its = np.array(seen([picture_.transpose(2, 0, 1)[None]])[0][0])
    height, width, _ = its.shape
    cells = np.array([0, width + 1, height * width - 1])
    found = cutter(made).distributions([its], [cells])
    np.testing.assert_allclose(found, whole(compiled(made), picture_)[0][cells], atol=1e-5)


def test_values_that_are_rounded_between_are_not_rounded_in_another_order() -> None:
    map_ = picture()
    low, high = opset13.constant(np.float32(-4)), opset13.constant(np.float32(4))
    rounded = opset13.fake_quantize(silu(convolution(map_)), low, high, low, high, 256)
    made = ov.Model([opset13.result(convolution(rounded, 1))], [map_], "made")
    assert Branch.of(made.get_results()[0].input_value(0)) is None


def test_what_no_convolution_makes_is_no_branch() -> None:
    map_ = picture()
    made = ov.Model([opset13.result(silu(map_))], [map_], "made")
    assert Branch.of(made.get_results()[0].input_value(0)) is None
