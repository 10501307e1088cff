"""How ultralytics' `val` lays pictures out, and what it says itself of the same pictures."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pipeline.bench.contestants import Absent, Contestant, Work, serve
from pipeline.bench.dataset import Dataset
from pipeline.bench.rival import load
from pipeline.detectors.letterbox import STRIDE, Letterbox
from pipeline.types import Size

BATCH = 16
"""Pictures that share a canvas, sorted by their shape (ultralytics' value)."""
BORDER = 0.5
"""Each side of the canvas has so many strides more than it needs (ultralytics' value)."""
MODULE = "pipeline.bench.validation"


def layouts(sizes: Sequence[Size], longer_side: int) -> list[Letterbox]:
    """The letterboxes of pictures of these (width, height), in order, as `YOLO.val` has them by
    default (`rect=True, batch=16`): with more grey around them than a camera's."""
    shapes = np.array([height / width for width, height in sizes])
    order = shapes.argsort()  # ultralytics' own, ties included
    found: dict[int, Letterbox] = {}
    for begin in range(0, len(order), BATCH):
        batch = order[begin : begin + BATCH].tolist()
        least, most = shapes[batch].min(), shapes[batch].max()
        tall = most if most < 1 else 1.0
        wide = 1 / least if least > 1 else 1.0
        canvas = (_side(wide, longer_side), _side(tall, longer_side))
        found |= {index: _middle(sizes[index], longer_side, canvas) for index in batch}
    return [found[index] for index in range(len(sizes))]


def _side(share: float, longer_side: int) -> int:
    return math.ceil(share * longer_side / STRIDE + BORDER) * STRIDE


def _middle(frame: Size, longer_side: int, canvas: Size) -> Letterbox:
    ratio = longer_side / max(frame)
    width, height = (min(math.ceil(side * ratio), longer_side) for side in frame)
    return Letterbox(
        frame=frame,
        scaled=(width, height),
        left=round((canvas[0] - width) / 2 - 0.1),
        top=round((canvas[1] - height) / 2 - 0.1),
        canvas=canvas,
    )


def validate(weights: Path, dataset: Dataset, size: int) -> dict[str, float]:
    """What `YOLO(weights).val(data=...)` says of a dataset: map50_95 and map50.

    It keeps a file `labels.cache` beside the labels.

    Raises:
        Absent: ultralytics is not installed, or would take one class for another.
        VigilError: it failed.
    """
    with tempfile.TemporaryDirectory() as home:
        listed = "\n".join(str(one.picture) for one in dataset.pictures)
        (Path(home) / "pictures.txt").write_text(listed, encoding="utf-8")
        data = {
            "path": home,
            "train": "pictures.txt",
            "val": "pictures.txt",
            "names": dict(dataset.names),
        }
        (Path(home) / "data.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
        job = {
            "weights": str(weights),
            "size": size,
            "home": home,
            "names": [[number, dataset.names[number]] for number in dataset.labelled_classes()],
        }
        with Contestant(MODULE, job) as judge:
            return dict(judge.turn(None).parts)


class Judge:
    """`YOLO.val` with its defaults."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        self._job = job
        self._model = load(Path(job["weights"]), Path(job["home"]))
        from ultralytics.data import utils

        # It would fetch a font for plots that nobody wants.
        utils.check_font = lambda *_: None
        for number, name in job["names"]:
            if self._model.names.get(number) != name:
                raise Absent(
                    f"The dataset's class {number} is {name!r} and the model's is not, and "
                    "ultralytics' val goes by the numbers alone."
                )
        self.facts: Mapping[str, Any] = {}

    def work(self, asked: Any) -> tuple[int, Mapping[str, float]]:
        """Validate; `parts` are the figures."""
        job = self._job
        found = self._model.val(
            data=str(Path(job["home"]) / "data.yaml"),
            imgsz=job["size"],
            batch=BATCH,
            rect=True,
            device="cpu",
            workers=0,
            plots=False,
            verbose=False,
            project=job["home"],
        )
        return 0, {"map50_95": float(found.box.map), "map50": float(found.box.map50)}


def start(job: Any) -> Work:
    return Judge(job)


if __name__ == "__main__":
    serve(start)
