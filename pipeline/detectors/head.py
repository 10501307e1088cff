"""The end of a YOLO, for the few anchors that show something.

A YOLO's last convolutions give a score for each class, and a distribution over the distances to
each side of a box, for each of some thousand anchors. Its graph then makes probabilities and boxes
of all of them. Here the graph ends with the convolutions, and that is done for the anchors whose
best score is high enough: 0.9 ms less of 26 (YOLO11n, 640x480, two cores of an AMD EPYC).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.detectors.decode import Candidates, decode, table_of
from pipeline.detectors.graph import channels_of
from pipeline.types import Size

if TYPE_CHECKING:
    from openvino import Model

Floats = NDArray[np.float32]

SIDES = 4
"""Left, top, right, bottom: the channels of boxes, and the parts of the distributions."""
NEAR_PX, NEAR_SCORE, NEAR_SHARE = 0.01, 1e-9, 1e-4
"""What `agrees` takes for rounding, of boxes in pixels of the input, of scores, and as a share of
either: on an AMD EPYC, boxes of YOLO v5 and 11 differed by up to 2.4e-4 pixels, scores by 3e-7 of
themselves."""
LEAST_LOGIT = -80.0
"""Of a probability that is as good as 0, and still a float32."""


@dataclass(frozen=True, slots=True)
class Level:
    """What the last convolutions give for one grid of anchors, as logits: distributions
    (height, width, 4 x bins) and scores (height, width, classes)."""

    distributions: Floats
    scores: Floats


def add_head(model: Model, classes: int) -> bool:
    """Give a model outputs with what its last convolutions give.

    They are the best score 0..1 of each anchor, (1, anchors), and for each level what `Level`
    holds, each with a first dimension of 1. The model's own output stays.

    Args:
        model: one that may have an output `Output.RAW`; changed in place.
        classes: how many it knows.

    Returns:
        Whether this is a head of that form (YOLO v8 to v12), in float32; else the model is as it
        was. What it gives must still be compared with the model's own output, see `agrees`.
    """
    from openvino import opset13

    ends = _ends(model, classes)
    if ends is None:
        return False
    last, channels = opset13.constant([0, 2, 3, 1]), opset13.constant([1])
    flat = opset13.constant([1, -1])
    surest, outputs = [], []
    for distributions, scores in ends:
        best = opset13.reduce_max(scores, channels)
        surest.append(opset13.reshape(best, flat, False))
        outputs += [opset13.transpose(end, last) for end in (distributions, scores)]
    best = opset13.sigmoid(opset13.concat(surest, 1))
    model.add_outputs([node.output(0) for node in (best, *outputs)])
    return True


def _ends(model: Any, classes: int) -> list[tuple[Any, Any]] | None:
    """The maps of distributions and of scores of each level, (1, channels, height, width)."""
    both = model.output(0).get_node().input_value(0).get_node()
    floats = model.output(0).get_element_type().get_type_name() == "f32"
    if not floats or both.get_type_name() != "Concat" or both.get_input_size() != 2:
        return None
    boxes, probabilities = (value.get_node() for value in both.input_values())
    softmax = _nearest(boxes, "Softmax")
    if probabilities.get_type_name() != "Sigmoid" or softmax is None:
        return None
    flat = softmax.input_value(0)
    while _dimensions(flat) != 3 and flat.get_node().get_input_size():
        flat = flat.get_node().input_value(0)
    bins = channels_of(flat)
    scores = _maps(probabilities.input_value(0), slice(0, classes))
    distributions = _maps(flat, slice(0, bins))
    if not scores or not distributions or len(scores) != len(distributions) or bins % SIDES:
        return None
    return list(zip(distributions, scores, strict=True))


def _nearest(node: Any, kind: str) -> Any:
    """The first operation of a kind among those that an operation's inputs come from."""
    waiting, seen = [node], set()
    while waiting:
        node = waiting.pop(0)
        if node.get_type_name() == kind:
            return node
        if node.get_friendly_name() not in seen:
            seen.add(node.get_friendly_name())
            waiting += [value.get_node() for value in node.input_values()]
    return None


def _dimensions(value: Any) -> int | None:
    """How many there are, if that is known."""
    rank = value.get_partial_shape().rank
    return rank.get_length() if rank.is_static else None


def _maps(value: Any, wanted: slice) -> list[Any]:
    """The maps whose cells, one after the other, are these channels of (1, channels, anchors).

    Followed back through what only lays data together and apart; empty where there is more."""
    node, channels = value.get_node(), channels_of(value)
    kind, inputs = node.get_type_name(), node.input_values()
    if _dimensions(value) == 4 and wanted == slice(0, channels):
        return [value]
    if kind == "Reshape" and channels_of(inputs[0]) == channels:
        return _maps(inputs[0], wanted)
    if kind in ("Split", "VariadicSplit") and _number(inputs[1]) == 1:
        begin = sum(map(channels_of, node.outputs()[: value.get_index()]))
        return _maps(inputs[0], slice(begin + wanted.start, begin + wanted.stop))
    if kind == "Concat" and node.get_attributes()["axis"] in (2, -1):
        return [found for one in inputs for found in _maps(one, wanted)]
    if kind == "Concat" and node.get_attributes()["axis"] == 1:
        begin = 0
        for one in inputs:
            end = begin + channels_of(one)
            if begin <= wanted.start and wanted.stop <= end:
                return _maps(one, slice(wanted.start - begin, wanted.stop - begin))
            begin = end
    return []


def _number(value: Any) -> int | None:
    """A constant's only number."""
    node = value.get_node()
    return int(node.get_data().item()) if node.get_type_name() == "Constant" else None


def candidates(
    surest: Floats,
    levels: Sequence[Level],
    canvas: Size,
    confidence: float,
    wanted: frozenset[int],
    *,
    every_label: bool = False,
) -> Candidates:
    """The boxes whose best class is wanted and surer than `confidence`, as `decode` has them, with
    overlaps among them.

    Boxes are made as in Li et al., Generalized Focal Loss, NeurIPS 2020: a distance is the mean of
    its distribution, in strides from the anchor.

    Args:
        surest: (anchors,), the best score 0..1 of each.
        levels: in the order of the anchors.
        canvas: the input's (width, height) in pixels.
    """
    kept = np.flatnonzero(surest > confidence)
    grids = _grids(canvas, tuple(level.scores.shape[:2] for level in levels))
    cuts = pairwise(np.searchsorted(kept, grids.bounds).tolist())
    begins = grids.bounds.tolist()[:-1]
    parts = [kept[slice(*cut)] - begin for cut, begin in zip(cuts, begins, strict=True)]

    logits = _rows([level.scores for level in levels], parts)
    if every_label:
        rows, classes = np.nonzero(_probability(logits) > confidence)
    else:
        rows, classes = np.arange(len(kept)), logits.argmax(axis=1)
    chosen = table_of(wanted, logits.shape[1])[classes]
    rows, classes = rows[chosen], classes[chosen]

    distributions = _rows([level.distributions for level in levels], parts)[rows]
    distributions = distributions.reshape(len(rows), SIDES, distributions.shape[1] // SIDES)
    shares = np.exp(distributions - distributions.max(axis=2, keepdims=True))
    strides = np.arange(shares.shape[2], dtype=np.float32)
    distances = np.einsum("nsb,b->ns", shares, strides) / shares.sum(axis=2)
    anchors = grids.anchors[kept[rows]]
    centres, pixels = anchors[:, :2], anchors[:, 2:]
    corners = (centres - distances[:, :2] * pixels, centres + distances[:, 2:] * pixels)
    scores = _probability(logits[rows, classes])
    return Candidates(np.concatenate(corners, axis=1), scores, classes)


def _rows(maps: Sequence[Floats], cells: Sequence[NDArray[np.intp]]) -> Floats:
    """The given cells of maps (height, width, channels), one after the other."""
    flat = [one.reshape(-1, one.shape[-1])[here] for one, here in zip(maps, cells, strict=True)]
    return np.concatenate(flat)


def _probability(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.maximum(logits, LEAST_LOGIT))), np.float32)


@dataclass(frozen=True, slots=True)
class _Grids:
    """Where the anchors of all levels are, (anchors, 3): x, y and the stride, in pixels of the
    input; and where each level begins and the last one ends, (levels + 1,)."""

    anchors: Floats
    bounds: NDArray[np.intp]


@lru_cache(maxsize=16)
def _grids(canvas: Size, shapes: tuple[tuple[int, ...], ...]) -> _Grids:
    levels = []
    for height, width in shapes:
        stride = 2.0 ** round(math.log2(canvas[0] / width))
        y, x = np.mgrid[:height, :width].reshape(2, -1)
        levels.append(np.stack(((x + 0.5) * stride, (y + 0.5) * stride, np.full(len(x), stride))))
    bounds = np.cumsum([0, *(height * width for height, width in shapes)])
    return _Grids(np.ascontiguousarray(np.concatenate(levels, axis=1).T, np.float32), bounds)


def agrees(surest: Floats, levels: Sequence[Level], output: Floats, canvas: Size) -> bool:
    """Whether `candidates` makes the same boxes of all anchors as the model itself, whose own
    `output` this is, (4 + classes, anchors), and the scores of all classes are the same."""
    own_scores = output[SIDES:]
    scores = np.concatenate([one.scores.reshape(-1, one.scores.shape[-1]) for one in levels]).T
    grids = all(one.scores.shape[:2] == one.distributions.shape[:2] for one in levels)
    if not grids or scores.shape != own_scores.shape:
        return False
    every = frozenset(range(len(own_scores)))
    own = decode(output, -1.0, every)
    made = candidates(surest, levels, canvas, -1.0, every)
    return all(
        one.shape == other.shape and np.allclose(one, other, NEAR_SHARE, near)
        for one, other, near in (
            (_probability(scores), own_scores, NEAR_SCORE),
            (surest, own_scores.max(axis=0), NEAR_SCORE),
            (made.boxes, own.boxes, NEAR_PX),
        )
    )
