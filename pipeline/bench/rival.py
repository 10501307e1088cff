"""The contestant `ultralytics`: its own streaming loop over the same film with the same weights."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from pipeline.bench.contestants import Absent, Work, serve
from pipeline.telemetry import switch_off

MISSING = 'ultralytics is not installed; pip install "vigil[ultralytics]".'


def prepare(home: Path) -> None:
    """Have ultralytics report, fetch and print nothing, and keep its settings in the folder `home`;
    before it is imported."""
    switch_off()
    os.environ["YOLO_CONFIG_DIR"] = str(home)
    os.environ["YOLO_VERBOSE"] = "false"
    logging.getLogger("ultralytics").setLevel(logging.ERROR)


def load(weights: Path, home: Path) -> Any:
    """A model of ultralytics', which is prepared as by `prepare`.

    Raises:
        Absent: ultralytics is not installed.
    """
    prepare(home)
    try:
        import ultralytics
    except ImportError:
        raise Absent(MISSING) from None
    ultralytics.settings.update({"sync": False})
    return ultralytics.YOLO(str(weights), task=None if weights.suffix == ".pt" else "detect")


class Rival:
    """`YOLO.track` with ByteTrack and the same input size, classes and confidence."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        model = load(Path(job["weights"]), Path(job["home"]))
        labels = set(job["labels"])
        self._results = model.track(
            source=job["film"],
            stream=True,
            tracker="bytetrack.yaml",
            imgsz=job["size"],
            conf=job["confidence"],
            classes=[index for index, name in model.names.items() if name in labels],
            device=job["device"] or None,
            verbose=False,
            save=False,
        )
        first = next(self._results)
        height, width = model.predictor.preprocess([first.orig_img]).shape[2:]
        self.facts = {"canvas": [width, height]}
        self.work(job["warm_up"] - 1)

    def work(self, asked: Any) -> tuple[int, Mapping[str, float]]:
        """Look at the next `asked` frames; `parts` counts the boxes that were tracked."""
        boxes = [len(result.boxes) for result in islice(self._results, int(asked))]
        return len(boxes), {"boxes": sum(boxes)}


def start(job: Any) -> Work:
    return Rival(job)


if __name__ == "__main__":
    serve(start)
