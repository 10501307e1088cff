"""How good a detector's boxes are on labelled pictures: mean average precision as COCO defines it.

Computed by `supervision.metrics.MeanAveragePrecision`, which comes with the tracker anyway. On the
same boxes it gave what faster-coco-eval gives, to five places.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.bench import tables
from pipeline.bench.contestants import Absent
from pipeline.bench.dataset import Dataset, Labelled, read_dataset
from pipeline.bench.machine import machine
from pipeline.bench.target import weights
from pipeline.bench.validation import layouts, validate
from pipeline.config import Config
from pipeline.configfile import validate as configured
from pipeline.detectors import SharedDetector, load_detector
from pipeline.detectors.letterbox import STRIDE, Letterbox
from pipeline.detectors.pool import Asked, CameraDetector, PooledDetector
from pipeline.errors import ConfigError, DatasetError
from pipeline.protocols import Detector
from pipeline.sources.pictures import ArrayPicture
from pipeline.types import Detection, Frame, Image, Size

CONFIDENCE = 0.001
"""Detections down to this are counted, as always for mean average precision; of a camera's own
`confidence` only the curve's beginning would be left."""
CAMERA = "pictures"

Progress = Callable[[], None]
"""Called after each look at a picture."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was detected in a picture: (n, 4) as x1, y1, x2, y2 in its pixels, and its size."""

    detections: Sequence[Detection]
    boxes: np.ndarray[Any, np.dtype[np.float64]]
    size: Size


def pictures_config(detector: Mapping[str, Any], size: int) -> Config:
    """A configuration whose one camera is there for its input size.

    Raises:
        ConfigError: a setting is wrong.
    """
    camera = {"source": CAMERA, "detect": {"size": size}}
    return configured(
        {"detector": detector, "cameras": {CAMERA: camera}}, where="bench", folder=Path.cwd()
    )


def measure_accuracy(
    place: Path,
    config: Config,
    *,
    split: str = "val",
    compare: bool = False,
    progress: Progress = lambda: None,
) -> dict[str, Any]:
    """Look at the labelled pictures of a YOLO-format dataset with a configured detector.

    `config` has one camera, `CAMERA`, whose input size is taken. Each picture is looked at twice:
    as ultralytics' `val` does it, which is what published figures mean (`map50_95`, `map50`,
    `classes`): with a grey border, and a box counted for each class that it may be; and as a
    camera's picture is (`as_a_camera`). With `compare` ultralytics
    validates the same weights on the same pictures.

    Raises:
        DatasetError: the dataset is wrong; the message says where.
        WeightsError: the model is not there or of no use.
    """
    dataset = read_dataset(place, split)
    size = config.cameras[CAMERA].detect.size
    # What was chosen for a camera is no concern of a dataset, and does not give each box once for
    # each class that it may be.
    settings = config.detector.model_copy(update={"optimized": False})
    with closing(load_detector(settings)) as shared:
        plainly = _view(shared, config, dataset, size, every_label=False)
        # The canvas is a picture that fills an input of its own size: nothing is scaled again.
        with_border = _view(shared, config, dataset, size + STRIDE, every_label=True)
        described = shared.description
        boxes = layouts([_size(one.picture) for one in dataset.pictures], size)
        bordered = list(_looks(with_border, dataset.pictures, boxes, progress))
        plain = list(_looks(plainly, dataset.pictures, [None] * len(boxes), progress))
    judged = precision(dataset, bordered)
    camera = precision(dataset, plain)
    return {
        "dataset": str(place),
        "split": split,
        "pictures": len(dataset.pictures),
        "labels": sum(dataset.labelled_classes().values()),
        "pictures_without_labels": sum(not len(one.classes) for one in dataset.pictures),
        "detector": described,
        "size": size,
        **judged,
        "as_a_camera": {key: camera[key] for key in ("map50_95", "map50")},
        "ultralytics": _compared(config, dataset, size, judged) if compare else None,
        "machine": machine(),
    }


def precision(dataset: Dataset, found: Sequence[Found]) -> dict[str, Any]:
    """COCO's mean average precision of what was found in a dataset's pictures, in order: over IoU
    0.50 to 0.95, and at 0.50; of all classes that have labels, and of each."""
    import supervision as sv
    from supervision.metrics import MeanAveragePrecision

    numbers = {name: number for number, name in dataset.names.items()}
    counts = dataset.labelled_classes()
    metric = MeanAveragePrecision()
    for one, labelled in zip(found, dataset.pictures, strict=True):
        wanted = [index for index, d in enumerate(one.detections) if numbers.get(d.label) in counts]
        kept = [one.detections[index] for index in wanted]
        metric.update(
            sv.Detections(
                xyxy=one.boxes[wanted],
                confidence=np.array([detection.confidence for detection in kept]),
                class_id=np.array([numbers[detection.label] for detection in kept], int),
            ),
            sv.Detections(xyxy=_corners(labelled, one.size), class_id=labelled.classes.astype(int)),
        )
    result = metric.compute()
    classes = dict(zip(result.matched_classes.tolist(), result.ap_per_class, strict=True))
    return {
        "map50_95": _rounded(result.map50_95),
        "map50": _rounded(result.map50),
        "classes": {
            dataset.names[number]: {
                "labels": counts[number],
                "map50_95": _rounded(classes[number].mean()),
                "map50": _rounded(classes[number][0]),
            }
            for number in counts
        },
    }


def _view(
    shared: SharedDetector, config: Config, dataset: Dataset, size: int, *, every_label: bool
) -> Detector:
    """The detector for the dataset's classes, with each box wanted, however unsure."""
    camera = config.cameras[CAMERA]
    labels = tuple(dataset.names[number] for number in dataset.labelled_classes())
    # Not validated: nobody may set so low a confidence for a camera.
    detect = camera.detect.model_copy(
        update={"labels": labels, "confidence": CONFIDENCE, "size": size}
    )
    try:
        view = shared.for_camera(CAMERA, camera.model_copy(update={"detect": detect}))
    except ConfigError as error:
        told = str(error).removeprefix(f"cameras.{CAMERA}.detect: ")
        raise DatasetError(f"{dataset.file}: {told}") from error
    if not (every_label and isinstance(shared, PooledDetector)):
        return view
    view.close()
    wanted = frozenset(shared.labels.index(label) for label in labels)
    return CameraDetector(shared, labels, Asked(size, CONFIDENCE, wanted, every_label=True))


def _looks(
    detector: Detector,
    pictures: Sequence[Labelled],
    boxes: Iterable[Letterbox | None],
    progress: Progress,
) -> Iterator[Found]:
    """What is detected in each picture, as many under way as are worth it."""
    under_way: deque[tuple[Future[list[Detection]], Letterbox | None, Size]] = deque()

    def finish() -> Found:
        future, box, size = under_way.popleft()
        detections = future.result()
        progress()
        corners = np.array([detection.box for detection in detections], np.float32).reshape(-1, 4)
        placed = corners if box is None else box.undo(corners)
        return Found(detections, placed.astype(np.float64), size)

    for number, (one, box) in enumerate(zip(pictures, boxes, strict=True)):
        image = _read(one.picture)
        size = (image.shape[1], image.shape[0])
        frame = _frame(number, image if box is None else box.apply(image))
        under_way.append((detector.submit(frame), box, size))
        if len(under_way) >= detector.depth:
            yield finish()
    while under_way:
        yield finish()


def _read(picture: Path) -> Image:
    import cv2

    image = cv2.imread(str(picture))
    if image is None:
        raise DatasetError(f"{picture} is not there, or no picture that can be read.")
    read: Image = image
    return read


def _size(picture: Path) -> Size:
    height, width = _read(picture).shape[:2]
    return width, height


def _frame(number: int, image: Image) -> Frame:
    return Frame(
        camera=CAMERA,
        index=number,
        captured_at=datetime.now(UTC),
        monotonic=float(number),
        pts=float(number),
        size=(image.shape[1], image.shape[0]),
        picture=ArrayPicture(image),
    )


def _corners(labelled: Labelled, size: Size) -> np.ndarray[Any, np.dtype[np.float64]]:
    centre, half = labelled.boxes[:, :2], labelled.boxes[:, 2:] / 2
    corners: np.ndarray[Any, np.dtype[np.float64]] = np.concatenate(
        (centre - half, centre + half), axis=1
    ) * np.array(size * 2)
    return corners


def _rounded(value: float) -> float:
    return round(float(value), 4)


def _compared(
    config: Config, dataset: Dataset, size: int, own: Mapping[str, Any]
) -> dict[str, Any]:
    try:
        theirs = validate(weights(config), dataset, size)
    except Absent as error:
        return {"absent": str(error)}
    return {
        name: {"theirs": _rounded(value), "difference": _rounded(own[name] - value)}
        for name, value in theirs.items()
    }


def table(found: Mapping[str, Any]) -> str:
    """What was measured, as a table in Markdown."""
    rows = [("all", str(found["labels"]), _shown(found["map50_95"]), _shown(found["map50"]))]
    rows += [
        (name, str(one["labels"]), _shown(one["map50_95"]), _shown(one["map50"]))
        for name, one in found["classes"].items()
    ]
    camera = found["as_a_camera"]
    rows.append(("all, as a camera", "", _shown(camera["map50_95"]), _shown(camera["map50"])))
    theirs = found["ultralytics"] or {}
    if "map50_95" in theirs:
        fine, coarse = (_shown(theirs[key]["theirs"]) for key in ("map50_95", "map50"))
        rows.append(("all, ultralytics' val", "", fine, coarse))
    first = (
        f"{found['detector']}; {found['pictures']} pictures of {found['dataset']}, input size "
        f"{found['size']}.\n"
    )
    absent = f"\nNot compared: {theirs['absent']}\n" if "absent" in theirs else ""
    return f"{first}\n{tables.markdown(('', 'labels', 'mAP50-95', 'mAP50'), rows)}{absent}"


def _shown(value: float) -> str:
    return f"{value:.4f}"
