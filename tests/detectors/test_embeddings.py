"""What each found object looks like, from the detector's own features."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import handmade
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.config import Camera, DetectorSection
from pipeline.detectors import load_detector
from pipeline.detectors.embeddings import add_features, normalised, pool
from pipeline.geometry import iou
from pipeline.protocols import Detector
from pipeline.telemetry import switch_off
from pipeline.types import Box, Detection, Image
from pipeline.weights import packaged_weights

CANVAS = (160, 96)
RED, GREEN = (1.0, 0.0), (0.0, 1.0)


@pytest.fixture
def features() -> NDArray[np.float32]:
    """10 x 6 cells of 16 pixels: red to the left, green in the right half."""
    found = np.zeros((6, 10, 2), np.float32)
    found[:, :5], found[:, 5:] = RED, GREEN
    return found


def embedded(features: NDArray[np.float32], *boxes: Box) -> NDArray[np.float32]:
    return pool(normalised(features), np.array(boxes, np.float32).reshape(-1, 4), CANVAS)


def test_boxes_of_the_same_are_alike_and_of_something_else_are_not(features):
    left, lower, right = embedded(
        features, Box(0, 0, 40, 40), Box(20, 50, 70, 96), Box(90, 0, 160, 96)
    )
    assert left @ lower == pytest.approx(1)
    assert left @ right == pytest.approx(-1)


def test_a_cell_counts_by_how_much_of_it_lies_within(features):
    features[:, 5:] = RED
    features[:, 4] = GREEN
    # The middle seven tenths of it are from 57 to 71: of cell 3 a half, of cell 4 less.
    mostly_red, mostly_green = embedded(features, Box(46, 0, 66, 96), Box(58, 0, 78, 96))
    red, green = embedded(features, Box(0, 0, 40, 96), Box(70, 0, 74, 96))
    assert mostly_red @ red > 0 > mostly_red @ green
    assert mostly_green @ green > 0 > mostly_green @ red


@pytest.mark.parametrize(
    ("box", "like"),
    [
        (Box(3, 3, 4, 4), "left"),
        (Box(150, 50, 150, 50), "right"),
        (Box(-90, -50, -10, -20), "left"),
        (Box(200, 200, 300, 300), "right"),
        (Box(100, -500, 170, 900), "right"),
    ],
    ids=["smaller than a cell", "empty", "before the picture", "behind it", "larger"],
)
def test_odd_boxes_get_what_is_nearest_to_them(features, box, like):
    there = {"left": Box(0, 0, 70, 96), "right": Box(90, 0, 160, 96)}[like]
    odd, whole = embedded(features, box, there)
    assert odd @ whole == pytest.approx(1)


def test_embeddings_are_of_length_one_and_float32(features):
    found = embedded(features, *[Box(x, 0, x + 30, 90) for x in range(0, 120, 7)])
    assert found.dtype == np.float32
    assert np.linalg.norm(found, axis=1) == pytest.approx(1)


def test_no_boxes_have_no_embeddings_and_an_empty_picture_says_nothing(features):
    assert embedded(features).shape == (0, 2)
    same = np.full((6, 10, 2), 3.0, np.float32)
    assert not embedded(same, Box(0, 0, 50, 50)).any()


@pytest.fixture
def ov() -> Any:
    switch_off()
    import openvino

    return openvino


def test_the_features_are_those_of_the_middle_of_the_backbone(ov):
    model = ov.Core().read_model(packaged_weights())
    assert add_features(model)
    transposed = model.outputs[1].get_node().input_value(0).get_node()
    layer = transposed.input_value(0).get_node().input_value(0).get_node()
    assert layer.get_friendly_name() == "/model.6/cv2/act/Mul"
    assert model.outputs[1].partial_shape[3].get_length() == 128


def test_the_graph_normalises_features_as_numpy_does(ov):
    picture = ov.opset13.parameter([1, 3, -1, -1], ov.Type.f32)
    pooled = picture
    for _ in range(5):  # down to cells of 32 pixels, by way of those of STRIDE
        pooled = ov.opset13.avg_pool(pooled, [2, 2], [0, 0], [0, 0], [2, 2], True)
    model = ov.Model([pooled], [picture], "pyramid")
    assert add_features(model)
    image = np.random.default_rng(1).random((1, 3, 96, 160), np.float32)
    found = ov.Core().compile_model(model, "CPU")({0: image})
    plain = image[0].reshape(3, 6, 16, 10, 16).mean(axis=(2, 4)).transpose(1, 2, 0)
    assert found[1][0] == pytest.approx(normalised(plain), abs=1e-3)


def test_a_model_without_such_a_layer_stays_as_it_is(ov):
    picture = ov.opset13.parameter([1, 3, -1, -1], ov.Type.f32)
    model = ov.Model([ov.opset13.relu(picture)], [picture], "flat")
    assert not add_features(model)
    assert len(model.outputs) == 1


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Detector]:
    shared = load_detector(DetectorSection(), tmp_path_factory.mktemp("models"))
    rules = {"any": {"type": "zone", "labels": ["person"]}}
    keys = {"source": "rtsp://192.0.2.1/", "detect": {"confidence": 0.3}, "rules": rules}
    yield shared.for_camera("door", Camera.model_validate(keys))
    shared.close()


def found(view: Detector, image: Image) -> list[Detection]:
    return view.submit(handmade.frame(image=image)).result(30)


def test_the_size_of_a_picture_and_its_margins_hardly_matter(view):
    image = cv2.imread(str(packaged_weights().with_name("testimg.png")))
    assert image is not None
    ways = (image, cv2.resize(image, None, fx=2, fy=2), image[:, :-20])
    firsts = [found(view, np.ascontiguousarray(way))[0].embedding for way in ways]
    others = [one.embedding for one in found(view, image)[1:]]
    assert firsts[0].shape == (128,)
    alike = min(firsts[0] @ other for other in firsts[1:])
    assert alike > 0.9
    assert alike > max(firsts[0] @ other for other in others) + 0.05


def test_people_are_more_like_themselves_than_like_others_seconds_later(view, media: Path):
    folder = media / "mot/TUD-Campus"
    known: dict[int, list[tuple[int, Box]]] = {}
    for line in (folder / "gt/gt.txt").read_text().splitlines():
        picture, person, x, y, width, height = (float(text) for text in line.split(",")[:6])
        box = Box(x, y, x + width, y + height)
        known.setdefault(int(picture), []).append((int(person), box))
    seen = []
    with av.open(str(folder / "TUD-Campus.mp4")) as film:
        for index, decoded in enumerate(film.decode(video=0), 1):
            if index % 5 == 0:
                for one in found(view, decoded.to_ndarray(format="bgr24")):
                    overlap, person = max((iou(one.box, box), p) for p, box in known[index])
                    if overlap > 0.5:
                        seen.append((index / 25, person, one.embedding))
    same, different = [], []
    for (at, one, first), (then, other, second) in itertools.combinations(seen, 2):
        if then - at >= 1:
            (same if one == other else different).append(float(first @ second))
    right = np.mean([a > b for a in same for b in different])
    assert len(same) > 50
    # Whole boxes' plain means come to 0.77.
    assert right > 0.83
