"""From a model's output to boxes, whichever of the known forms it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pipeline.detectors.letterbox import Letterbox
from pipeline.types import Box, Detection, Size

IOU_LIMIT = 0.7
"""Of two boxes of one class that overlap more, the less confident goes (ultralytics' value)."""
MOST_BOXES = 300
"""Boxes kept of one picture at most, the most confident ones (ultralytics' value)."""
MOST_CANDIDATES = 30_000
"""Boxes compared with each other at most (ultralytics' value)."""
FINISHED_COLUMNS = 6
"""A box that needs no further work: four coordinates, confidence, class."""


class Output(Enum):
    """What a model gives for one picture, without the dimension of the batch."""

    RAW = "raw"
    """(4 + classes, anchors): centre, size in input pixels, then a score for each class, many
    boxes for each object."""
    FINISHED = "finished"
    """(boxes, 6): x1, y1, x2, y2 in input pixels, confidence, class; those left over are zero.
    Models with non-maximum suppression inside, and those that need none, such as YOLO26."""
    FRACTIONS = "fractions"
    """(boxes, 6): centre, size in fractions 0..1 of the input, confidence, class. RT-DETR."""
    QUERIES = "queries"
    """(queries, 4 + classes): centre, size in fractions 0..1 of the input, then a score for each
    class, one box for each object. RT-DETR as ultralytics exported it earlier."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes (n, 4) as x1, y1, x2, y2 in input pixels, their confidences (n,) and classes (n,)."""

    boxes: NDArray[np.float32]
    confidences: NDArray[np.float32]
    classes: NDArray[np.intp]

    def __getitem__(self, chosen: NDArray[np.intp]) -> Candidates:
        return Candidates(self.boxes[chosen], self.confidences[chosen], self.classes[chosen])


def boxes(
    output: NDArray[np.float32],
    form: Output,
    canvas: Size,
    confidence: float,
    wanted: frozenset[int],
    *,
    every_label: bool = False,
) -> Candidates:
    """The objects of wanted classes that are surer than `confidence`, the surest first.

    `output` is what the model gave for one picture, in the given form; `canvas` its input's
    (width, height). `every_label` is as for `decode`; other forms have no use for it.
    """
    if form is Output.RAW:
        return suppress(decode(output, confidence, wanted, every_label=every_label))
    if form is Output.FINISHED:
        found = Candidates(output[:, :4], output[:, 4], output[:, 5].astype(np.intp))
    else:
        if form is Output.QUERIES:
            scores = output[:, 4:]
            confidences, classes = scores.max(axis=1), scores.argmax(axis=1)
        else:
            confidences, classes = output[:, 4], output[:, 5].astype(np.intp)
        centre, half = output[:, :2], output[:, 2:4] / 2
        corners = np.concatenate((centre - half, centre + half), axis=1)
        scaled = (corners * np.array(canvas * 2)).astype(np.float32)
        found = Candidates(scaled, confidences, classes)
    kept = np.flatnonzero((found.confidences > confidence) & np.isin(found.classes, list(wanted)))
    found = found[kept]
    return found[np.argsort(-found.confidences, kind="stable")[:MOST_BOXES]]


def detections(
    found: Candidates,
    box: Letterbox,
    labels: Sequence[str],
    embeddings: NDArray[np.float32] | None = None,
) -> list[Detection]:
    """What was found in an input, in pixels of the frame that was laid into it; `embeddings` are
    (n, length), one for each box."""
    return [
        Detection(labels[index], confidence, Box(*corner), embedding)
        for index, confidence, corner, embedding in zip(
            found.classes.tolist(),
            found.confidences.tolist(),
            box.undo(found.boxes).tolist(),
            [None] * len(found.boxes) if embeddings is None else embeddings,
            strict=True,
        )
    ]


def decode(
    output: NDArray[np.float32],
    confidence: float,
    wanted: frozenset[int],
    *,
    every_label: bool = False,
) -> Candidates:
    """The boxes whose best class is wanted and surer than `confidence`, overlaps among them.

    `output` is (4 + classes, anchors): centre x, centre y, width, height in input pixels, then
    one score 0..1 for each class. With `every_label` there is a box for each class that is wanted
    and surer than `confidence`, not for the best one alone.
    """
    scores = output[4:]
    if every_label:
        classes, kept = np.nonzero(scores > confidence)
    else:
        kept = np.flatnonzero(scores.max(axis=0) > confidence)
        classes = scores[:, kept].argmax(axis=0)
    chosen = table_of(wanted, len(scores))[classes]
    kept, classes = kept[chosen], classes[chosen]
    x, y, width, height = output[:4, kept]
    corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return Candidates(np.stack(corners, axis=1), scores[classes, kept], classes)


@lru_cache(maxsize=64)
def table_of(wanted: frozenset[int], classes: int) -> NDArray[np.bool_]:
    """Which of so many classes are wanted; not to be written to. `np.isin` takes 25 times as
    long: 0.15 ms."""
    table = np.zeros(classes, np.bool_)
    table[list(wanted)] = True
    table.flags.writeable = False
    return table


def suppress(found: Candidates) -> Candidates:
    """Class-wise non-maximum suppression; the most confident first."""
    import cv2

    order = np.argsort(-found.confidences, kind="stable")[:MOST_CANDIDATES]
    found = found[order]
    if len(order) < 2:
        return found
    corner, extent = found.boxes[:, :2], found.boxes[:, 2:] - found.boxes[:, :2]
    # Compared with a loop and with a matrix in numpy, 4 to 10 times as fast.
    kept = cv2.dnn.NMSBoxesBatched(
        np.concatenate((corner, extent), axis=1).tolist(),
        found.confidences.tolist(),
        found.classes.tolist(),
        0.0,
        IOU_LIMIT,
    )
    return found[np.asarray(kept, dtype=np.intp)[:MOST_BOXES]]
