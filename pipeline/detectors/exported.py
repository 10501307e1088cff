"""What an exported model says of itself, in the words of ultralytics' exporter."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Self

import numpy as np

from pipeline.detectors.decode import FINISHED_COLUMNS, Output
from pipeline.detectors.letterbox import STRIDE, Letterbox
from pipeline.types import Image, Size

FIRST_STRIDES: Size = (5, 4)
"""The picture a model of any input size is tried on, (width, height) in strides: small, and yet a
YOLO has 420 anchors for it; those without suppression choose 300 of them and fail where there are
fewer."""
STRIDES = range(STRIDE, 257)
"""What is believed of a model's stride, in pixels; else it is STRIDE."""


@dataclass(frozen=True, slots=True)
class Exported:
    """How a model is fed and read.

    `size` is (width, height) of an input that cannot have another, of others both sides are
    multiples of `stride` pixels; `form` is what `boxes` is told, and a guess until the model was
    tried once.
    """

    labels: tuple[str, ...]
    detr: bool = False
    finished: bool = False
    newer: bool = True
    size: Size | None = None
    stride: int = STRIDE
    form: Output = Output.RAW

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> Self:
        """From metadata as texts or values: `names`, and `task`, `head`, `args`, `end2end`,
        `stride` and `description` where they are.

        Raises:
            ValueError: it names no classes, or detects no objects; the message is for people.
        """
        names = _value(metadata.get("names"))
        if isinstance(names, Mapping):
            names = [names[index] for index in sorted(names)]
        if not isinstance(names, Sequence) or isinstance(names, str) or not names:
            raise ValueError("it does not name its classes")
        task = metadata.get("task", "detect")
        if task != "detect":
            raise ValueError(f"it was made for the task {task!r}, not for detecting objects")
        head = str(metadata.get("head", ""))
        arguments, stride = _value(metadata.get("args")), _value(metadata.get("stride"))
        suppresses = isinstance(arguments, Mapping) and bool(arguments.get("nms"))
        return cls(
            labels=tuple(str(name) for name in names),
            detr="RTDETR" in head or "rtdetr" in str(metadata.get("description", "")).lower(),
            finished=suppresses or bool(_value(metadata.get("end2end"))),
            newer=bool(head),
            stride=stride if isinstance(stride, int) and stride in STRIDES else STRIDE,
        )

    def fixed(self, height: int | None, width: int | None) -> Self:
        """The same model, whose input has these pixels; None where any number will do."""
        return self if height is None or width is None else replace(self, size=(width, height))

    def blank(self) -> Image:
        """A picture to try the model on."""
        width, height = self.size or (self.stride * side for side in FIRST_STRIDES)
        return np.zeros((height, width, 3), np.uint8)

    def tried(self, shape: Sequence[int]) -> Self:
        """The same model, once the shape of what it gives for one picture is known.

        Raises:
            ValueError: the shape fits none of the known forms; the message is for people.
        """
        classes = len(self.labels)
        if len(shape) == 3 and shape[0] == 1:
            rows, columns = shape[1:]
            if self.detr and columns == FINISHED_COLUMNS and (self.newer or classes != 2):
                return replace(self, form=Output.FRACTIONS)
            if self.detr and columns == 4 + classes:
                return replace(self, form=Output.QUERIES)
            if self.finished and columns == FINISHED_COLUMNS:
                return replace(self, form=Output.FINISHED)
            if rows == 4 + classes:
                return replace(self, form=Output.RAW)
            if columns == FINISHED_COLUMNS:
                return replace(self, form=Output.FINISHED)
            if columns == 4 + classes:
                return replace(self, form=Output.QUERIES, detr=True)
        by = " x ".join(str(count) for count in shape)
        raise ValueError(f"it names {classes} classes, and gives {by} numbers, which do not fit")

    def letterbox(self, frame: Size, longer_side: int) -> Letterbox:
        """How a frame is laid into the input: as ultralytics' predictors do it.

        A YOLO of any input size gets the smallest rectangle of whole strides, one of a fixed size
        that very size, an RT-DETR the frame stretched to the whole input.
        """
        return _letterbox(frame, longer_side, self.size, self.detr, self.stride)


@lru_cache(maxsize=64)
def _letterbox(
    frame: Size, longer_side: int, size: Size | None, stretched: bool, stride: int
) -> Letterbox:
    if stretched:
        return Letterbox.stretch(frame, size or (longer_side, longer_side))
    if size is None:
        return Letterbox.fit(frame, longer_side, stride)
    return Letterbox.centre(frame, size)


def _value(text: Any) -> Any:
    """What a text says, or what was no text to begin with."""
    if not isinstance(text, str):
        return text
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise ValueError("what it says of itself cannot be read") from None
