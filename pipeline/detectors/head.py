"""The end of a YOLO, for the few anchors that show something.

A YOLO's last convolutions give a score for each class, and a distribution over the distances to
each side of a box, for each of some thousand anchors. Its graph then makes probabilities and boxes
of all of them. Here the graph ends with the convolutions, and that is done for the anchors whose
best score is high enough: 0.9 ms less of 26 (YOLO11n, 640x480, two cores of an AMD EPYC). Where the
distributions are made by a branch of their own, that is left for these anchors, too; see `sparse`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.detectors.decode import Candidates, decode, table_of
from pipeline.detectors.graph import channels_of, nearest
from pipeline.detectors.sparse import Branch, Cells, Cut, Cutter, Floats, cut_out
from pipeline.types import Size

if TYPE_CHECKING:
    from openvino import Model

SIDES = 4
"""Left, top, right, bottom: the channels of boxes, and the parts of the distributions."""
NEAR_PX, NEAR_SCORE, NEAR_SHARE = 0.01, 1e-9, 1e-4
"""What `agrees` takes for rounding, of boxes in pixels of the input, of scores, and as a share of
either: on an AMD EPYC, boxes of YOLO v5 and 11 differed by up to 2.4e-4 pixels, scores by 3e-7 of
themselves."""
FEW = 17
"""`agrees` looks at one of so many anchors for those that are few."""
LEAST_LOGIT = -80.0
"""Of a probability that is as good as 0, and still a float32."""


@dataclass(frozen=True, slots=True)
class Head:
    """What `add_head` made of a model: the number of its first new output, and what makes
    distributions of the maps among them, None where they are distributions already."""

    first: int
    cut: Cut | None


@dataclass(frozen=True, slots=True)
class Ends:
    """What a head gave for a picture."""

    surest: Floats
    """(anchors,), the best score 0..1 of each."""
    maps: Sequence[Floats]
    """For each level the map of which distributions are made, (height, width, channels); or the
    distributions, where there is no `cutter`."""
    scores: Sequence[Floats]
    """For each level the logits of all classes, (height, width, classes)."""
    cutter: Cutter | None = None

    def distributions(self, cells: Sequence[Cells]) -> Floats:
        """Those at some cells of each level, which are numbered row by row, one after the other:
        logits (cells, 4 x bins)."""
        if self.cutter is None:
            return _rows(self.maps, cells)
        return self.cutter.distributions(self.maps, cells)


def add_head(model: Model, classes: int) -> Head | None:
    """Give a model outputs with what its last convolutions give.

    They are the best score 0..1 of each anchor, (1, anchors), and for each level a map of which
    distributions are made, or the distributions themselves where that is no branch of a known form,
    (1, height, width, channels), and the scores (1, height, width, classes), as logits. The model's
    own output stays.

    Args:
        model: one that may have an output `Output.RAW`; changed in place.
        classes: how many it knows.

    Returns:
        None where this is no head of that form (YOLO v8 to v12) in float32; the model is as it was.
        What it gives must still be compared with the model's own output, see `agrees`.
    """
    from openvino import opset13

    ends = _ends(model, classes)
    if ends is None:
        return None
    first = len(model.outputs)
    branches = [Branch.of(distributions) for distributions, _ in ends]
    apart = [branch.source for branch in branches if branch is not None]
    cut = None
    if len(apart) == len(ends):
        clone = _ends(model.clone(), classes) or []
        cut = cut_out([branch for end, _ in clone if (branch := Branch.of(end))])
    maps = [distributions for distributions, _ in ends] if cut is None else apart

    last, channels = opset13.constant([0, 2, 3, 1]), opset13.constant([1])
    flat = opset13.constant([1, -1])
    surest, outputs = [], []
    for map_, (_, scores) in zip(maps, ends, strict=True):
        best = opset13.reduce_max(scores, channels)
        surest.append(opset13.reshape(best, flat, False))
        outputs += [opset13.transpose(end, last) for end in (map_, scores)]
    best = opset13.sigmoid(opset13.concat(surest, 1))
    model.add_outputs([node.output(0) for node in (best, *outputs)])
    return Head(first, cut)


def _ends(model: Any, classes: int) -> list[tuple[Any, Any]] | None:
    """The maps of distributions and of scores of each level, (1, channels, height, width)."""
    both = model.output(0).get_node().input_value(0).get_node()
    floats = model.output(0).get_element_type().get_type_name() == "f32"
    if not floats or both.get_type_name() != "Concat" or both.get_input_size() != 2:
        return None
    boxes, probabilities = (value.get_node() for value in both.input_values())
    softmax = nearest(boxes, "Softmax")
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
    ends: Ends,
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
        canvas: the input's (width, height) in pixels.
    """
    grids = _grids(canvas, tuple(scores.shape[:2] for scores in ends.scores))
    kept = np.flatnonzero(ends.surest > confidence)
    logits = _rows(ends.scores, grids.parts(kept))
    if every_label:
        rows, classes = np.nonzero(_probability(logits) > confidence)
    else:
        rows, classes = np.arange(len(kept)), logits.argmax(axis=1)
    chosen = table_of(wanted, logits.shape[1])[classes]
    rows, classes = rows[chosen], classes[chosen]
    scores = _probability(logits[rows, classes])
    if not len(rows):
        return Candidates(np.empty((0, SIDES), np.float32), scores, classes)

    kept = kept[rows]
    distributions = ends.distributions(grids.parts(kept))
    distributions = distributions.reshape(len(rows), SIDES, distributions.shape[1] // SIDES)
    shares = np.exp(distributions - distributions.max(axis=2, keepdims=True))
    strides = np.arange(shares.shape[2], dtype=np.float32)
    distances = np.einsum("nsb,b->ns", shares, strides) / shares.sum(axis=2)
    anchors = grids.anchors[kept]
    centres, pixels = anchors[:, :2], anchors[:, 2:]
    corners = (centres - distances[:, :2] * pixels, centres + distances[:, 2:] * pixels)
    return Candidates(np.concatenate(corners, axis=1), scores, classes)


def _rows(maps: Sequence[Floats], cells: Sequence[Cells]) -> Floats:
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

    def parts(self, anchors: Cells) -> list[Cells]:
        """For each level the cells of it that are among anchors, which are in order."""
        cuts = pairwise(np.searchsorted(anchors, self.bounds).tolist())
        begins = self.bounds.tolist()[:-1]
        return [anchors[slice(*cut)] - begin for cut, begin in zip(cuts, begins, strict=True)]


@lru_cache(maxsize=16)
def _grids(canvas: Size, shapes: tuple[tuple[int, ...], ...]) -> _Grids:
    levels = []
    for height, width in shapes:
        stride = 2.0 ** round(math.log2(canvas[0] / width))
        y, x = np.mgrid[:height, :width].reshape(2, -1)
        levels.append(np.stack(((x + 0.5) * stride, (y + 0.5) * stride, np.full(len(x), stride))))
    bounds = np.cumsum([0, *(height * width for height, width in shapes)])
    return _Grids(np.ascontiguousarray(np.concatenate(levels, axis=1).T, np.float32), bounds)


def agrees(ends: Ends, output: Floats, canvas: Size) -> bool:
    """Whether `candidates` makes the same boxes of all anchors as the model itself, whose own
    `output` this is, (4 + classes, anchors), and of a few; and the scores of all classes are the
    same."""
    own_scores = output[SIDES:]
    scores = np.concatenate([one.reshape(-1, one.shape[-1]) for one in ends.scores]).T
    grids = all(a.shape[:2] == b.shape[:2] for a, b in zip(ends.scores, ends.maps, strict=True))
    if not grids or scores.shape != own_scores.shape:
        return False
    every = frozenset(range(len(own_scores)))
    own = decode(output, -1.0, every)
    few = np.random.default_rng(0).random(len(ends.surest)) < 1 / FEW
    made = candidates(ends, canvas, -1.0, every)
    made_of_few = candidates(replace(ends, surest=ends.surest - 2 * ~few), canvas, -1.0, every)
    return all(
        one.shape == other.shape and np.allclose(one, other, NEAR_SHARE, near)
        for one, other, near in (
            (_probability(scores), own_scores, NEAR_SCORE),
            (ends.surest, own_scores.max(axis=0), NEAR_SCORE),
            (made.boxes, own.boxes, NEAR_PX),
            (made_of_few.boxes, own.boxes[few], NEAR_PX),
        )
    )
