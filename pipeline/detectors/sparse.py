"""The branch of a YOLO's head that makes distributions, at the few cells that show something.

For each level of the head three convolutions make distributions of all cells of a map, which are
4.5 of the 25 ms of an inference (YOLO11n, 640x480, two cores of an AMD EPYC). They are wanted where
a score is high enough, at some eighty of 6300 cells. Here the model ends with the map, and cuttings
of it around these cells go through the same convolutions, 1.3 ms for eighty beside the model.

That a detector's head may look at few cells alone is the idea of Yang et al., QueryDet, CVPR 2022;
there another branch says which, here the scores of the model itself do, so nothing is lost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.detectors.graph import PLAIN, channels_of, nearest

Floats = NDArray[np.float32]
Cells = NDArray[np.intp]

REACH = 2
"""Cells around one, at most, that may have a part in what is made of it: of two convolutions of
3x3. A branch of more is followed no further back."""
DEARER = 6
"""How many times as much time a cell takes that is cut out as one of a whole map: 4.4 with 64
channels, 7 with 128, 8 with 256."""
OUTSIDE = -1
"""The number of a cell beyond the edge of a map, which is 0 to a convolution."""


@dataclass(frozen=True, slots=True)
class Branch:
    """What makes distributions of a map, both (1, channels, height, width), and of no other."""

    source: Any
    convolutions: Sequence[Any]
    """From the map on; what is between them sees each cell for itself."""
    reaches: Sequence[int]
    """How many cells to each side of one each convolution sees."""
    distributions: Any

    @classmethod
    def of(cls, distributions: Any) -> Branch | None:
        """Followed back to what others see, too.

        None where there is no convolution, or values are rounded to 8 bits before one: rounded
        after sums in another order some are a step off, and boxes of INT8 by up to 0.6 pixels."""
        value, names = distributions, set[str]()
        convolutions, reaches = list[Any](), list[int]()
        while not (convolutions and _seen_by_others(value, names)):
            node = value.get_node()
            if node.get_type_name() == "Convolution":
                reach = _reach(node)
                if reach is None or reach + sum(reaches) > REACH:
                    break
                convolutions.insert(0, node)
                reaches.insert(0, reach)
                before = node.input_value(0)
            else:
                before = _made_of(node)
            if before is None:
                break
            names |= {node.get_friendly_name()}
            names |= {one.get_node().get_friendly_name() for one in node.input_values()}
            value = before
        seen = [convolution.input_value(0) for convolution in convolutions]
        if not seen or any(one.get_node().get_type_name() == "FakeQuantize" for one in seen):
            return None
        return cls(seen[0], convolutions, reaches, distributions)


def _reach(convolution: Any) -> int | None:
    """How many cells to each side of one a convolution sees; None if it is not one that gives a
    map of the same size, always in the same way."""
    attributes = convolution.get_attributes()
    *_, height, width = convolution.get_input_partial_shape(1)
    side = height.get_length() if height.is_static and height == width else 0
    reach = [side // 2, side // 2]
    same = {**PLAIN, "pads_begin": reach, "pads_end": reach}
    alike = side % 2 == 1 and all(attributes[name] == value for name, value in same.items())
    return reach[0] if alike and _constant(convolution.input_value(1)) else None


def _made_of(node: Any) -> Any:
    """The map of which an operation makes another, cell by cell: a bias is added, or it is SiLU."""
    kind, inputs = node.get_type_name(), node.input_values()
    if kind == "Add" and _constant(inputs[1]):
        return inputs[0] if list(inputs[1].get_shape())[2:] == [1, 1] else None
    if kind == "Multiply":
        for value, share in (inputs, inputs[::-1]):
            sigmoid = share.get_node()
            if sigmoid.get_type_name() == "Sigmoid" and sigmoid.input_value(0) == value:
                return value
    return inputs[0] if kind == "Swish" and all(map(_constant, inputs[1:])) else None


def _constant(value: Any) -> bool:
    """Whether it is the same whatever the model sees, but for the shape of it: the form of a bias
    in an .onnx follows from how many dimensions a map has."""
    return nearest(value.get_node(), "Parameter", before="ShapeOf") is None


def _seen_by_others(value: Any, names: set[str]) -> bool:
    """Whether operations of other names see a value, not its shape alone."""
    nodes = (target.get_node() for target in value.get_target_inputs())
    seeing = (node for node in nodes if node.get_type_name() != "ShapeOf")
    return any(node.get_friendly_name() not in names for node in seeing)


@dataclass(frozen=True, slots=True)
class Cut:
    """A model of branches alone, for cells of their maps.

    For each branch it has two inputs, the map (height, width, channels) float32, and the numbers of
    cells (cuttings, rows, columns) int32, row by row, OUTSIDE beyond the edges; and one output with
    the distributions of each cutting but its outer cells, as many to each side as the branch
    reaches: (cuttings, rows - 2 x reach, columns - 2 x reach, channels).
    """

    model: Any
    reaches: Sequence[int]


def cut_out(branches: Sequence[Branch]) -> Cut:
    """The model of branches, which are taken out of their own."""
    import openvino as ov

    parts = [_cut(branch) for branch in branches]
    inputs = list(chain.from_iterable(inputs for inputs, _ in parts))
    model = ov.Model([result for _, result in parts], inputs, "distributions")
    return Cut(model, [sum(branch.reaches) for branch in branches])


def _cut(branch: Branch) -> tuple[list[Any], Any]:
    """The inputs and the output of a `Cut` for one branch."""
    from openvino import Model, PartialShape, Type, opset13

    channels = channels_of(branch.source)
    map_ = opset13.parameter(PartialShape([-1, -1, channels]), Type.f32)
    numbers = opset13.parameter(PartialShape([-1, -1, -1]), Type.i32)
    flat = opset13.reshape(map_, opset13.constant([-1, channels]), False)
    within = opset13.greater_equal(numbers, opset13.constant(0, np.int32))
    inside = opset13.unsqueeze(opset13.convert(within, "f32"), opset13.constant(3))
    # Set to 0 while the channels of a cell are still together: apart it takes half as long again.
    cut = opset13.multiply(opset13.gather(flat, numbers, opset13.constant(0)), inside)
    last_to_second = opset13.constant([0, 3, 1, 2])
    inside = opset13.transpose(inside, last_to_second)
    second_to_last = opset13.constant([0, 2, 3, 1])
    result = opset13.result(opset13.transpose(branch.distributions, second_to_last))

    apart = opset13.transpose(cut, last_to_second)
    branch.convolutions[0].input(0).replace_source_output(apart.output(0))
    crossed = 0
    for convolution, reach in zip(branch.convolutions, branch.reaches, strict=True):
        seen = convolution.input_value(0)
        if reach and crossed:
            # What the convolutions before made of cells beyond the edge is 0 to this one.
            begin, end, step = ([crossed] * 2, [-crossed] * 2, [1, 1])
            left = opset13.slice(inside, *map(opset13.constant, (begin, end, step, [2, 3])))
            seen = opset13.multiply(seen, left)
        made = opset13.convolution(seen, convolution.input_value(1), *PLAIN.values())
        convolution.output(0).replace(made.output(0))
        # The sizes of a map behind it are those of cuttings now, and no more the model's own.
        Model([result], [map_, numbers], "branch").validate_nodes_and_infer_types()
        crossed += reach
    return [map_, numbers], result


class Cutter:
    """A compiled `Cut`, for several threads at once."""

    def __init__(self, cut: Cut, compiled: Any, threads: int) -> None:
        self._reaches = cut.reaches
        self._requests: SimpleQueue[Any] = SimpleQueue()
        for _ in range(threads):
            self._requests.put(compiled.create_infer_request())

    def distributions(self, maps: Sequence[Floats], cells: Sequence[Cells]) -> Floats:
        """Of the given cells of each map (height, width, channels), numbered row by row, one after
        the other: (cells, channels)."""
        asked: dict[int, Any] = {}
        picked: list[Any] = []
        for map_, some, reach in zip(maps, cells, self._reaches, strict=True):
            height, width, _ = map_.shape
            tables = _tables(height, width, reach)
            if len(some) * DEARER > height * width:
                numbers = tables.all
                picked.append(some)
            else:
                filled = np.zeros(rounded(len(some)), np.intp)
                filled[: len(some)] = some
                numbers = tables.around[np.divmod(filled, width)]
                picked.append(slice(len(some)))
            asked |= {len(asked): map_, len(asked) + 1: numbers}
        request = self._requests.get()
        try:
            request.infer(asked, share_inputs=True, share_outputs=True)
            made = [tensor.data for tensor in request.output_tensors]
            rows = [one.reshape(-1, one.shape[-1]) for one in made]
            return np.concatenate([row[some] for row, some in zip(rows, picked, strict=True)])
        finally:
            self._requests.put(request)


def rounded(cuttings: int) -> int:
    """The next larger of few numbers of cuttings, by less than a quarter: OpenVINO compiles each
    convolution anew for each number that it has not had yet, and keeps them all."""
    step = 1 << max(cuttings.bit_length() - 3, 0)
    return math.ceil(cuttings / step) * step


@dataclass(frozen=True, slots=True)
class _Tables:
    """The numbers of the cells around each, (height, width, rows, columns), a view; and those of
    all cells with what is beyond the edges, (1, rows, columns)."""

    around: NDArray[np.int32]
    all: NDArray[np.int32]


@lru_cache(maxsize=32)
def _tables(height: int, width: int, reach: int) -> _Tables:
    numbers = np.arange(height * width, dtype=np.int32).reshape(height, width)
    every = np.pad(numbers, reach, constant_values=OUTSIDE)
    side = 2 * reach + 1
    return _Tables(np.lib.stride_tricks.sliding_window_view(every, (side, side)), every[None])
