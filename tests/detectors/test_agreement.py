"""Boxes against ultralytics' own, from the same file and the same pictures: every backend, and every
form that a model's output has."""

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
from pipeline.types import Box, Detection, Image
from pipeline.weights import packaged_weights

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
    return {size: answers(model, pictures, size) for size in SIZES}


def answers(model: Any, pictures: list[Image], size: int) -> list[list[Detection]]:
    """What ultralytics finds surer than 0.3 in each picture; boxes end where the picture does."""
    options = {"conf": 0.3, "iou": 0.7, "rect": True, "device": "cpu", "verbose": False}
    found = []
    for image in pictures:
        (result,) = model.predict(image, imgsz=size, **options)
        edge = [image.shape[1], image.shape[0]] * 2
        found.append(
            [
                Detection(
                    result.names[int(box.cls)],
                    float(box.conf),
                    Box(*np.clip(box.xyxy[0].tolist(), 0, edge).tolist()),
                )
                for box in result.boxes
            ]
        )
    return found


def agreement(
    settings: DetectorSection, folder: Path, size: int, pictures: list[Image], wanted: Any
) -> tuple[int, int]:
    """How many of the wanted detections a backend finds alike, and how many there are."""
    shared = load_detector(settings, folder)
    labels = sorted({one.label for found in wanted for one in found})
    rule = {"type": "zone", "labels": labels}
    detect = {"size": size, "confidence": 0.25}
    keys = {"source": "rtsp://192.0.2.1/", "detect": detect, "rules": {"any": rule}}
    view = shared.for_camera("door", Camera.model_validate(keys))
    boxes = alike = 0
    for image, expected in zip(pictures, wanted, strict=True):
        found = view.submit(handmade.frame(image=image)).result(30)
        boxes += len(expected)
        alike += sum(any(_same(one, other) for other in found) for one in expected)
    shared.close()
    return alike, boxes


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("backend", ["openvino", "onnx", "ultralytics"])
def test_nearly_all_of_ultralytics_boxes_are_found_alike(
    backend, size, pictures, reference, tmp_path
):
    settings = DetectorSection(backend=backend)
    alike, boxes = agreement(settings, tmp_path, size, pictures, reference[size])
    assert boxes > 50
    assert alike / boxes >= 0.98, f"{alike} of {boxes}"


FORMS = {
    "suppression inside": ("trained", {"nms": True, "dynamic": True, "conf": 0.1}),
    "a fixed input": ("trained", {"imgsz": (256, 320)}),
    "YOLO26 without suppression": ("yolo26", {"nms": False, "dynamic": True}),
    "YOLO26 with suppression": ("yolo26", {"dynamic": True}),
    "RT-DETR": ("detr", {}),
    "RT-DETR of any size": ("detr", {"dynamic": True}),
}


@pytest.fixture(scope="module")
def exported(request: pytest.FixtureRequest, export: Any) -> dict[str, Path]:
    return {
        form: export(request.getfixturevalue(source), "model", **options)
        for form, (source, options) in FORMS.items()
    }


@pytest.mark.parametrize("form", FORMS)
def test_models_of_every_form_agree(form, exported, ultralytics, pictures, tmp_path):
    few = pictures[:3] + pictures[-2:]
    path = exported[form]
    wanted = answers(ultralytics.YOLO(str(path), task="detect"), few, 320)
    assert sum(map(len, wanted)) >= 15
    for backend in ("openvino", "onnx", "ultralytics"):
        settings = DetectorSection(backend=backend, model=str(path))
        alike, boxes = agreement(settings, tmp_path, 320, few, wanted)
        assert alike / boxes >= 0.98, f"{backend}: {alike} of {boxes}"


def test_a_folder_of_openvino_agrees(trained, export, ultralytics, pictures, tmp_path):
    # Ultralytics' own OpenVINO calculates in bfloat16 where the processor can.
    wanted = answers(ultralytics.YOLO(str(trained)), pictures[:3], 320)
    folder = export(trained, "model", format="openvino", dynamic=True)
    settings = DetectorSection(backend="openvino", model=str(folder))
    alike, boxes = agreement(settings, tmp_path, 320, pictures[:3], wanted)
    assert boxes >= 10
    assert alike / boxes >= 0.98, f"{alike} of {boxes}"


@pytest.mark.parametrize("source", ["trained", "yolo26", "detr"])
def test_a_trusted_pickle_gives_what_ultralytics_gives(
    source, request, ultralytics, pictures, tmp_path
):
    path = request.getfixturevalue(source)
    wanted = answers(ultralytics.YOLO(str(path)), pictures[:3], 320)
    settings = DetectorSection(model=str(path), trust_pickle=True)
    alike, boxes = agreement(settings, tmp_path, 320, pictures[:3], wanted)
    assert boxes >= 10
    assert alike == boxes


def _same(one: Detection, other: Detection) -> bool:
    return (
        one.label == other.label
        and iou(one.box, other.box) > 0.9
        and abs(one.confidence - other.confidence) <= CONFIDENCE
    )


SHAPES = [(1080, 1920), (480, 640), (353, 641), (700, 333), (90, 1000)]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_letterbox_is_ultralytics_own_to_the_pixel(shape, ultralytics):
    from ultralytics.data.augment import LetterBox

    image = np.random.default_rng(7).integers(0, 256, (*shape, 3), np.uint8)
    size = (shape[1], shape[0])
    ours = Letterbox.fit(size, 640).apply(image)
    assert np.array_equal(ours, LetterBox(640, auto=True, stride=32)(image=image))
    ours = Letterbox.centre(size, (320, 256)).apply(image)
    assert np.array_equal(ours, LetterBox((256, 320), auto=False)(image=image))
    ours = Letterbox.stretch(size, (320, 256)).apply(image)
    assert np.array_equal(ours, LetterBox((256, 320), auto=False, scale_fill=True)(image=image))
