"""A detector of a few thousand weights: it finds what is bright, of any picture, in OpenVINO's form.

Shaped as a YOLO is, so that all that is done to a YOLO can be done to it: convolutions with SiLU,
and behind the last of them boxes made of what they give, and class scores.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.telemetry import switch_off

CELL = 16
"""Pixels of the input for each anchor."""
CHANNELS = 24
LABELS = ("square", "person")
"""What is bright is a square; nothing is a person."""


def save_detector(folder: Path) -> Path:
    """The .xml of the model, with its class names in it."""
    switch_off()
    import openvino as ov
    from openvino import opset13 as op

    rng = np.random.default_rng(1)
    picture = op.parameter([1, 3, -1, -1], ov.Type.f32, name="images")
    # Each channel is the brightness of a cell, with a scale of its own.
    scale = rng.uniform(0.5, 1.5, (CHANNELS, 1, 1, 1)).astype(np.float32)
    mean = np.ones((CHANNELS, 3, CELL, CELL), np.float32) / (3 * CELL * CELL)
    cells = _silu(op.convolution(picture, scale * mean, [CELL] * 2, [0, 0], [0, 0], [1, 1]))
    # A picture that is white there gives as much as this for each channel.
    white = (scale / (1 + np.exp(-scale))).reshape(1, CHANNELS, 1, 1)
    weights = np.concatenate((12 / (CHANNELS * white), 0 * white)).astype(np.float32)
    scores = op.convolution(cells, weights, [1, 1], [0, 0], [0, 0], [1, 1])
    scores = op.add(scores, np.array([-8, -20], np.float32).reshape(1, 2, 1, 1))
    one = op.add(op.multiply(op.slice(scores, [0], [1], [1], [1]), np.float32(0)), np.float32(1))
    centres = [
        op.multiply(op.subtract(op.cumsum(one, np.int32(axis)), np.float32(0.5)), np.float32(CELL))
        for axis in (3, 2)
    ]
    side = op.multiply(one, np.float32(2 * CELL))
    rows = op.concat([*centres, side, side, op.sigmoid(scores)], 1)
    flat = op.reshape(rows, np.array([1, 4 + len(LABELS), -1]), special_zero=False)
    model = ov.Model([op.result(flat)], [picture], "tiny")
    model.set_rt_info(str(dict(enumerate(LABELS))), ["framework", "names"])
    path = folder / "tiny.xml"
    ov.save_model(model, path, compress_to_fp16=False)
    return path


def _silu(value):
    from openvino import opset13 as op

    return op.multiply(value, op.sigmoid(value))
