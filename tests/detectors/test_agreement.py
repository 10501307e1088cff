"""OpenVINO's boxes against ultralytics' own, from the same weights and the same input."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import av
import cv2
import handmade
import numpy as np
import pytest

from pipeline.config import Camera, DetectorSection
from pipeline.detectors import load_detector
from pipeline.detectors.letterbox import Letterbox
from pipeline.geometry import iou
from pipeline.telemetry import switch_off
from pipeline.types import Box, Detection, Image
from pipeline.weights import LABELS, packaged_weights

# ultralytics and torch warn of their own dependencies' ways.
pytestmark = pytest.mark.filterwarnings("ignore")

FILMS = (
    "mot/TUD-Campus/TUD-Campus.mp4",
    "intel/car-detection.mp4",
    "intel/one-by-one-person-detection.mp4",
)
PER_FILM = 8
SIZES = (640, 320)
CONFIDENCE = 0.005
"""How far confidences may differ; bfloat16 arithmetic stays within 0.02, but not within this."""


@pytest.fixture(scope="module")
def ultralytics(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        switch_off()
        patch.setenv("YOLO_CONFIG_DIR", str(tmp_path_factory.mktemp("ultralytics")))
        module = pytest.importorskip("ultralytics", reason="the extra `ultralytics` is missing")
        module.settings.update({"sync": False})
        yield module


@pytest.fixture(scope="module")
def pictures(media: Path, ultralytics: Any) -> list[Image]:
    stills = [*Path(str(files("ultralytics") / "assets")).glob("*.jpg")]
    stills.append(packaged_weights().with_name("testimg.png"))
    images = [cv2.imread(str(still)) for still in stills]
    for film in FILMS:
        images += _spread(media / film, PER_FILM)
    return images


def _spread(film: Path, count: int) -> list[Image]:
    with av.open(str(film)) as container:
        step = container.streams.video[0].frames // count
        return [
            frame.to_ndarray(format="bgr24")
            for index, frame in enumerate(container.decode(video=0))
            if index % step == step // 2
        ][:count]


@pytest.fixture(scope="module")
def reference(ultralytics: Any, pictures: list[Image]) -> dict[int, list[list[Detection]]]:
    """What ultralytics finds surer than 0.3 in each picture, at each input size."""
    model = ultralytics.YOLO(str(packaged_weights()), task="detect")
    options = {"conf": 0.3, "iou": 0.7, "rect": True, "device": "cpu", "verbose": False}
    answers = {}
    for size in SIZES:
        results = [model.predict(image, imgsz=size, **options)[0] for image in pictures]
        answers[size] = [
            [
                Detection(LABELS[int(box.cls)], float(box.conf), Box(*box.xyxy[0].tolist()))
                for box in result.boxes
            ]
            for result in results
        ]
    return answers


@pytest.mark.parametrize("size", SIZES)
def test_nearly_all_of_ultralytics_boxes_are_found_alike(size, pictures, reference, tmp_path):
    shared = load_detector(DetectorSection(), tmp_path)
    rule = {"type": "zone", "labels": LABELS}
    detect = {"size": size, "confidence": 0.25}
    keys = {"source": "rtsp://192.0.2.1/", "detect": detect, "rules": {"any": rule}}
    view = shared.for_camera("door", Camera.model_validate(keys))
    boxes = alike = 0
    for image, wanted in zip(pictures, reference[size], strict=True):
        found = view.submit(handmade.frame(image=image)).result(30)
        boxes += len(wanted)
        alike += sum(any(_same(one, other) for other in found) for one in wanted)
    shared.close()
    assert boxes > 50
    assert alike / boxes >= 0.98, f"{alike} of {boxes}"


def _same(one: Detection, other: Detection) -> bool:
    return (
        one.label == other.label
        and iou(one.box, other.box) > 0.9
        and abs(one.confidence - other.confidence) <= CONFIDENCE
    )


@pytest.mark.parametrize("shape", [(1080, 1920), (480, 640), (353, 641), (700, 333), (90, 1000)])
def test_the_letterbox_is_ultralytics_own_to_the_pixel(shape, ultralytics):
    from ultralytics.data.augment import LetterBox

    image = np.random.default_rng(7).integers(0, 256, (*shape, 3), np.uint8)
    ours = Letterbox.fit((shape[1], shape[0]), 640).apply(image)
    assert np.array_equal(ours, LetterBox(640, auto=True, stride=32)(image=image))
