"""What each found object looks like, from the features that the detector has computed anyhow.

A second output of the model's graph gives the feature map of a middle layer of its backbone; a
box's embedding is the mean of that map over the middle of the box, measured against the rest of
the picture.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.types import Size

if TYPE_CHECKING:
    import onnx
    from openvino import Model

STRIDE = 16
"""Pixels of the input for each cell of the feature map."""
PROBE = 256
"""The input's sides, in pixels, for which the sizes of all layers are worked out."""
MIDDLE = 0.7
"""The share of a box's width and height that is looked at: its edges show what is behind."""

LEAST_SPREAD = 1e-3
"""Added to a channel's spread: one that is the same everywhere stays 0."""


def add_features(model: Model, size: Size | None = None) -> bool:
    """Give a model a second output with the feature map (1, height, width, channels), float32,
    as `normalised` has it.

    It is the last layer of the backbone of STRIDE pixels a cell: what goes into the first operation
    that gives cells twice as large (`/model.6/cv2/act/Mul` of YOLO11n, 128 channels). So it is
    found by the sizes of the layers, and in YOLO v5 to v12, YOLO26 and RT-DETR alike. The output
    has its channels last, as the processor's own arithmetic has them: nothing is rearranged.
    Normalised in the graph it costs nothing that can be told; numpy takes 0.1 ms.

    Args:
        model: input (1, 3, height, width); changed in place.
        size: (width, height) of an input that can have no other.

    Returns:
        Whether there is such a layer; else the model is as it was.
    """
    import openvino as ov
    from openvino import opset13

    name = _layer(model, size or (PROBE, PROBE))
    if name is None:
        return False
    layer = next(one for one in model.get_ops() if one.get_friendly_name() == name)
    cells, last = (opset13.constant(axes, dtype=ov.Type.i32) for axes in ([2, 3], [0, 2, 3, 1]))
    normal = opset13.mvn(layer.output(0), cells, True, LEAST_SPREAD, "outside_sqrt")
    model.add_outputs([opset13.transpose(normal.output(0), last).output(0)])
    return True


def _layer(model: Model, size: Size) -> str | None:
    """The name of the operation whose output is the feature map."""
    probe = model.clone()
    probe.reshape([1, 3, size[1], size[0]])
    small = [size[1] // STRIDE, size[0] // STRIDE]
    half = [side // 2 for side in small]
    for operation in probe.get_ordered_ops():
        if _cells(operation) == half:
            while operation.get_input_size():
                operation = operation.input_value(0).get_node()
                if _cells(operation) == small:
                    name: str = operation.get_friendly_name()
                    return name
            return None
    return None


def _cells(operation: object) -> list[int] | None:
    """Height and width of what an operation gives, where that is a map."""
    if operation.get_output_size() != 1:  # type: ignore[attr-defined]
        return None
    shape = operation.get_output_partial_shape(0)  # type: ignore[attr-defined]
    if shape.is_dynamic or len(shape) != 4:
        return None
    return list(shape.to_shape())[2:]


def onnx_with_features(weights: Path, size: Size | None = None) -> bytes | None:
    """An ONNX file with a second output: the feature map of `add_features`, with its channels
    first, (1, channels, height, width).

    Returns:
        The file's new content, or None if it has no such layer, or the package onnx is missing.
    """
    try:
        import onnx
    except ImportError:
        return None
    model = onnx.load(str(weights))
    layer = _onnx_layer(model, size or (PROBE, PROBE))
    if layer is None:
        return None
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(layer))
    content: bytes = model.SerializeToString()
    return content


def _onnx_layer(model: onnx.ModelProto, size: Size) -> str | None:
    """The name of what is the feature map."""
    import onnx

    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    sides = probe.graph.input[0].type.tensor_type.shape.dim
    for side, value in zip(sides, (1, 3, size[1], size[0]), strict=True):
        side.dim_value = value
    del probe.graph.value_info[:], probe.graph.output[:]
    inferred = onnx.shape_inference.infer_shapes(probe).graph
    cells = {
        known.name: [side.dim_value for side in known.type.tensor_type.shape.dim][2:]
        for known in inferred.value_info
        if len(known.type.tensor_type.shape.dim) == 4
    }
    small = [size[1] // STRIDE, size[0] // STRIDE]
    half = [side // 2 for side in small]
    makers = {name: node for node in inferred.node for name in node.output}
    name = next((n for node in inferred.node for n in node.output if cells.get(n) == half), None)
    while name in makers and makers[name].input:
        name = makers[name].input[0]
        if cells.get(name) == small:
            return str(name)
    return None


def normalised(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """A feature map (height, width, channels) less the picture's own mean and over its own spread,
    channel by channel, so that what all of this picture shares says nothing."""
    flat = features.reshape(-1, features.shape[-1])
    mean = flat.mean(axis=0)
    spread = np.sqrt(np.maximum(np.einsum("nc,nc->c", flat, flat) / len(flat) - mean**2, 0))
    normal: NDArray[np.float32] = ((features - mean) / (spread + LEAST_SPREAD)).astype(np.float32)
    return normal


def pool(
    features: NDArray[np.float32], boxes: NDArray[np.float32], canvas: Size
) -> NDArray[np.float32]:
    """The embeddings of boxes (n, 4), given as x1, y1, x2, y2 in pixels of the model's input.

    Means over the MIDDLE of each box, cells counted by how much of them lies within.

    How well their cosines tell people apart (area under the curve, same against different person,
    YOLO11n; 1 is always, 0.5 is guessing):

    | measured on | pairs | this | whole boxes' plain means | those of `model.10` |
    | --- | --- | --- | --- | --- |
    | TUD-Campus, at most 0.5 s apart | 3731 | 0.939 | 0.881 | 0.874 |
    | TUD-Campus, 1 to 3 s apart | 5224 | 0.875 | 0.771 | 0.787 |
    | the same, input 320 | 4539 | 0.817 | 0.740 | 0.676 |
    | vtest.avi, 2 to 8 s apart | 216752 | 0.798 | 0.785 | 0.692 |

    Found boxes of TUD-Campus (8 people, 71 pictures) have the identity of the ground truth that
    they overlap by half; those of vtest.avi that of ByteTrack's tracks, which errs now and then.
    `model.4`, of 8 pixels a cell, does about as well (0.921, 0.861, 0.794, 0.826), at four times
    the cells; the maxima beside the means, thirds of the box apart, two layers joined, and the
    layers of the neck did worse or hardly better.

    Args:
        features: (height, width, channels) of one picture, `normalised`.
        boxes: of any size, also beyond the picture: at least one cell within it is looked at.
        canvas: (width, height) of the input in pixels.

    Returns:
        (n, channels), float32, of length 1; 0 where the whole picture is the same.
    """
    height, width, channels = features.shape
    cells = np.array((width, height), np.float32)
    scale = cells / np.array(canvas, np.float32)
    corners = boxes.reshape(-1, 2, 2) * scale
    half = np.maximum((corners[:, 1] - corners[:, 0]) * (MIDDLE / 2), 0.5)
    centre = np.clip(corners.mean(axis=1), 0.5, cells - 0.5)
    low, high = np.maximum(centre - half, 0), np.minimum(centre + half, cells)
    across, down = (_overlap(low[:, i], high[:, i], int(cells[i])) for i in (0, 1))
    weights = down[:, :, None] * across[:, None, :]
    weights /= weights.sum(axis=(1, 2), keepdims=True)
    pooled = np.empty((len(boxes), channels), np.float32)
    # Box by box, for most cover few cells: all at once as a product of matrices took 10 to 500
    # times as long, for its threads wait for the processors that the detector keeps busy.
    begin, end = low.astype(int).tolist(), np.ceil(high).astype(int).tolist()
    for index, ((left, top), (right, bottom)) in enumerate(zip(begin, end, strict=True)):
        window = (slice(top, bottom), slice(left, right))
        np.einsum("hw,hwc->c", weights[index][window], features[window], out=pooled[index])
    pooled /= np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-6)
    return pooled


def _overlap(
    low: NDArray[np.float32], high: NDArray[np.float32], cells: int
) -> NDArray[np.float32]:
    """How much of each cell, 0..1, lies between `low` and `high`, (n, cells)."""
    begin = np.arange(cells, dtype=np.float32)
    shared = np.minimum(begin + 1, high[:, None]) - np.maximum(begin, low[:, None])
    overlap: NDArray[np.float32] = np.clip(shared, 0, 1)
    return overlap
