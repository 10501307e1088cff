"""What `vigil bench accuracy` measures: COCO's mean average precision on labelled pictures."""

from __future__ import annotations

import csv
import importlib.util
import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from running import command, environment

from pipeline.bench import accuracy
from pipeline.bench.accuracy import measure_accuracy, pictures_config, table
from pipeline.bench.contestants import Absent
from pipeline.bench.dataset import read_dataset
from pipeline.bench.rival import MISSING
from pipeline.bench.validation import layouts
from pipeline.config import DetectorSection
from pipeline.detectors import load_detector
from pipeline.errors import DatasetError, WeightsError
from pipeline.sources import open_source
from pipeline.stubs import StubDetector
from pipeline.types import Box, Detection, Frame, Image
from pipeline.weights import LABELS, packaged_weights

SIZE = (200, 100)
NAMES = {0: "person", 1: "dog"}


def a_dataset(
    root: Path,
    labels: Mapping[str, Sequence[str]],
    *,
    names: object = NAMES,
    images: Mapping[str, Image] | None = None,
    **data: object,
) -> Path:
    """A dataset of grey pictures, or of `images`, by name, with the lines of their labels."""
    (root / "images").mkdir(parents=True)
    (root / "labels").mkdir()
    for name, lines in labels.items():
        grey = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
        cv2.imwrite(str(root / "images" / f"{name}.png"), (images or {}).get(name, grey))
        (root / "labels" / f"{name}.txt").write_text("\n".join(lines))
    (root / "data.yaml").write_text(yaml.safe_dump({"val": "images", "names": names, **data}))
    return root


def by_picture(monkeypatch: pytest.MonkeyPatch, *found: list[Detection]) -> list[Frame]:
    """A detector that finds these in the pictures in their order, wherever they lie in a frame;
    the frames that it saw."""
    seen: list[Frame] = []

    def answer(frame: Frame) -> list[Detection]:
        seen.append(frame)
        # The picture of 200 x 100 is scaled to 640 x 320 and has 16 of grey around it, or none.
        scale, shift = (3.2, 16) if frame.size == (672, 352) else (1, 0)
        return [
            Detection(one.label, one.confidence, Box(*(v * scale + shift for v in one.box)))
            for one in found[frame.index]
        ]

    monkeypatch.setattr(accuracy, "load_detector", lambda *_: StubDetector(answer))
    return seen


def measured(place: Path) -> dict:
    return json.loads(json.dumps(measure_accuracy(place, pictures_config({}, 640))))


LEFT = Detection("person", 0.9, Box(10, 10, 50, 90))
RIGHT = Detection("person", 0.8, Box(150, 10, 190, 90))
DOG = Detection("dog", 0.7, Box(90, 60, 130, 90))
LEFT_LINE, RIGHT_LINE = "0 0.15 0.5 0.2 0.8", "0 0.85 0.5 0.2 0.8"
DOG_LINE = "1 0.55 0.75 0.2 0.3"


def test_what_was_chosen_for_a_camera_changes_nothing(monkeypatch, tmp_path: Path):
    asked: list[DetectorSection] = []

    def load(settings: DetectorSection) -> None:
        asked.append(settings)
        raise WeightsError("seen")

    monkeypatch.setattr(accuracy, "load_detector", load)
    with pytest.raises(WeightsError):
        measured(a_dataset(tmp_path, {"a": ["0 0.5 0.5 0.2 0.2"]}))
    assert not asked[0].optimized


def test_where_all_is_found_as_it_is_labelled_the_precision_is_one(monkeypatch, tmp_path: Path):
    seen = by_picture(monkeypatch, [LEFT, DOG], [RIGHT], [])
    place = a_dataset(tmp_path, {"a": [LEFT_LINE, DOG_LINE], "b": [RIGHT_LINE], "c": []})
    found = measured(place)
    assert (found["map50_95"], found["map50"]) == (1.0, 1.0)
    assert found["as_a_camera"] == {"map50_95": 1.0, "map50": 1.0}
    assert found["classes"] == {
        "person": {"labels": 2, "map50_95": 1.0, "map50": 1.0},
        "dog": {"labels": 1, "map50_95": 1.0, "map50": 1.0},
    }
    assert (found["pictures"], found["labels"], found["pictures_without_labels"]) == (3, 3, 1)
    assert found["ultralytics"] is None
    assert [frame.size for frame in seen] == [(672, 352)] * 3 + [SIZE] * 3
    assert "| dog | 1 | 1.0000 | 1.0000 |" in table(found)


def test_of_two_that_are_labelled_one_is_found_and_of_two_that_are_found_one_is_labelled(
    monkeypatch, tmp_path: Path
):
    # Precision 1 up to a recall of 0.5: 51 of COCO's 101 points.
    by_picture(monkeypatch, [LEFT], [])
    half = measured(a_dataset(tmp_path / "half", {"a": [LEFT_LINE], "b": [RIGHT_LINE]}))
    assert half["map50_95"] == pytest.approx(51 / 101, abs=1e-4)
    # What is surer is wrong: precision 1/2 at every recall.
    by_picture(monkeypatch, [LEFT, RIGHT])
    wrong = measured(a_dataset(tmp_path / "wrong", {"a": [RIGHT_LINE]}))
    assert wrong["map50"] == pytest.approx(0.5, abs=1e-4)


def test_a_box_that_is_a_little_off_counts_up_to_the_overlap_it_has(monkeypatch, tmp_path: Path):
    # 32 of 40 wide: an IoU of 0.8, right at 0.50 to 0.80, seven of COCO's ten limits.
    by_picture(monkeypatch, [Detection("person", 0.9, Box(10, 10, 42.1, 90))])
    found = measured(a_dataset(tmp_path, {"a": [LEFT_LINE]}))
    assert (found["map50"], found["map50_95"]) == (1.0, 0.7)


def test_the_least_sure_detections_count_too(monkeypatch, tmp_path: Path):
    by_picture(monkeypatch, [Detection("person", 0.002, LEFT.box)])
    assert measured(a_dataset(tmp_path, {"a": [LEFT_LINE]}))["map50"] == 1.0


def test_classes_go_by_their_names_not_by_their_numbers(monkeypatch, tmp_path: Path):
    by_picture(monkeypatch, [DOG, LEFT])
    names = ["dog", "bicycle", "person"]
    place = a_dataset(tmp_path, {"a": ["0 0.55 0.75 0.2 0.3", "2 0.15 0.5 0.2 0.8"]}, names=names)
    found = measured(place)
    assert found["map50_95"] == 1.0
    assert list(found["classes"]) == ["dog", "person"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("0 0.5 0.5 0.1", r"a.txt, line 2: it has 4 numbers; write"),
        ("0 0.5 0.5 0.1 tall", r"a.txt, line 2: write numbers"),
        ("7 0.5 0.5 0.1 0.1", r"a.txt, line 2: there is no class 7 among the 2 `names`"),
        ("0.5 0.5 0.5 0.1 0.1", r"a.txt, line 2: there is no class 0.5"),
        ("0 320 200 40 80", r"a.txt, line 2: write places and sizes in fractions"),
    ],
)
def test_a_wrong_label_is_told_with_file_and_line(line: str, told: str, tmp_path: Path):
    with pytest.raises(DatasetError, match=told):
        read_dataset(a_dataset(tmp_path, {"a": [LEFT_LINE, line]}))


def test_what_is_missing_of_a_dataset_is_told(tmp_path: Path):
    with pytest.raises(DatasetError, match=r"There is no dataset at .*nowhere"):
        read_dataset(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="none of its 2 pictures has labels"):
        read_dataset(a_dataset(tmp_path / "bare", {"a": [], "b": []}))
    place = a_dataset(tmp_path / "lost", {"a": [LEFT_LINE]}, val="pictures")
    with pytest.raises(DatasetError, match=r"`val` names .*/lost/pictures, which is not there"):
        read_dataset(place)
    with pytest.raises(DatasetError, match="it has no `test`"):
        read_dataset(place, "test")
    with pytest.raises(DatasetError, match="`names` must be a list"):
        read_dataset(a_dataset(tmp_path / "nameless", {"a": [LEFT_LINE]}, names="person"))
    (tmp_path / "data.yaml").write_text("a: [")
    with pytest.raises(DatasetError, match="cannot be read as YAML"):
        read_dataset(tmp_path)


def test_a_list_of_pictures_an_outline_and_a_label_written_twice_are_read(tmp_path: Path):
    outline = "1 0.1 0.2 0.5 0.2 0.3 0.6"
    place = a_dataset(
        tmp_path, {"a": [LEFT_LINE, LEFT_LINE], "b": [outline], "c": [DOG_LINE]}, val="some.txt"
    )
    (tmp_path / "some.txt").write_text("./images/b.png\n./images/a.png\n")
    first, second = read_dataset(place / "data.yaml").pictures
    assert first.picture.name == "a.png"
    assert first.boxes.tolist() == [[0.15, 0.5, 0.2, 0.8]]
    assert second.classes.tolist() == [1]
    assert second.boxes[0] == pytest.approx([0.3, 0.4, 0.4, 0.4])


def test_a_class_that_the_model_does_not_know_and_a_broken_picture_are_told(tmp_path: Path):
    place = a_dataset(tmp_path / "unknown", {"a": ["0 0.5 0.5 0.1 0.1"]}, names=["persan"])
    with pytest.raises(DatasetError, match=r"data.yaml: the detector knows no label 'persan'; did"):
        measured(place)
    place = a_dataset(tmp_path / "broken", {"a": [LEFT_LINE]})
    (place / "images" / "a.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"a.png is not there, or no picture"):
        measured(place)


def test_the_command_tells_a_mistake_in_one_sentence(tmp_path: Path):
    run = subprocess.run(
        command("bench", "accuracy", str(tmp_path)),
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith(f"vigil: There is no dataset at {tmp_path}")
    assert len(run.stderr.splitlines()) == 1


def test_pictures_share_canvases_as_in_ultralytics_validation():
    sizes = [(640, 480)] * 10 + [(480, 640)] * 10 + [(100, 50)] * 4
    boxes = layouts(sizes, 640)
    # Sorted by shape, 16 each: the four flat and ten wide ones with two of the tall ones, ...
    assert boxes[0].canvas == boxes[20].canvas
    assert {box.canvas for box in boxes} == {(672, 672), (512, 672)}
    assert (boxes[20].scaled, boxes[20].left, boxes[20].top) == ((640, 320), 16, 176)
    alone = layouts([(640, 480)], 640)[0]
    assert (alone.canvas, alone.left, alone.top) == ((672, 512), 16, 16)


def test_ultralytics_is_compared_with_if_it_is_there(monkeypatch, tmp_path: Path):
    by_picture(monkeypatch, [LEFT])

    def absent(*_: object) -> dict[str, float]:
        raise Absent(MISSING)

    monkeypatch.setattr(accuracy, "validate", absent)
    place = a_dataset(tmp_path, {"a": [LEFT_LINE]})
    found = measure_accuracy(place, pictures_config({}, 640), compare=True)
    assert found["ultralytics"] == {"absent": MISSING}
    assert f"Not compared: {MISSING}" in table(found)
    monkeypatch.setattr(accuracy, "validate", lambda *_: {"map50_95": 0.998, "map50": 0.99})
    by_picture(monkeypatch, [LEFT])
    found = measure_accuracy(place, pictures_config({}, 640), compare=True)
    assert found["ultralytics"]["map50"] == {"theirs": 0.99, "difference": 0.01}


def street(media: Path, root: Path) -> Path:
    """24 pictures of a street, with the people in them as they were marked by hand."""
    folder = media / "mot" / "TUD-Campus"
    marked: dict[int, list[str]] = {}
    for row in csv.reader((folder / "gt" / "gt.txt").read_text().splitlines()):
        x, y, width, height = (float(value) for value in row[2:6])
        ends = np.clip([x - 1, y - 1, x - 1 + width, y - 1 + height], 0, [640, 480] * 2)
        left, top, right, bottom = ends / ([640, 480] * 2)
        places = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
        marked.setdefault(int(row[0]), []).append("0 " + " ".join(f"{v:.6f}" for v in places))
    with closing(open_source("street", str(folder / "TUD-Campus.mp4"))) as source:
        frames = {f"{i:02d}": f.image() for i, f in enumerate(islice(source.frames(), 0, 70, 3))}
    return a_dataset(root, {name: marked[3 * int(name) + 1] for name in frames}, images=frames)


def many_classes(_: Path, root: Path) -> Path:
    """24 cuttings of two photographs, with what a larger input finds in them as labels."""
    stills = Path(str(importlib.util.find_spec("ultralytics").submodule_search_locations[0]))
    images, labels = {}, {}
    with closing(load_detector(DetectorSection(), root.parent)) as shared:
        camera = pictures_config({}, 960).cameras["pictures"]
        detect = camera.detect.model_copy(update={"labels": LABELS})
        view = shared.for_camera("pictures", camera.model_copy(update={"detect": detect}))
        for number in range(24):
            still = cv2.imread(str(stills / "assets" / ("bus.jpg", "zidane.jpg")[number % 2]))
            height, width = (side * (12 + number // 2) // 24 for side in still.shape[:2])
            image = np.ascontiguousarray(still[-height:, :width])
            images[f"{number:02d}"] = image
            labels[f"{number:02d}"] = [
                _line(one, width, height)
                for one in view.submit(accuracy._frame(number, image)).result(30)
            ]
    return a_dataset(root, labels, images=images, names=dict(enumerate(LABELS)))


def _line(found: Detection, width: int, height: int) -> str:
    x1, y1, x2, y2 = np.array(found.box) / ([width, height] * 2)
    places = ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)
    return f"{LABELS.index(found.label)} " + " ".join(f"{value:.6f}" for value in places)


@pytest.mark.parametrize("made", [street, pytest.param(many_classes, marks=pytest.mark.slow)])
def test_the_precision_is_ultralytics_own_within_three_thousandths(
    made: Callable[[Path, Path], Path], media: Path, tmp_path: Path
):
    if importlib.util.find_spec("ultralytics") is None:
        pytest.skip("the extra `ultralytics` is missing")
    place = made(media, tmp_path / "dataset")
    found = measure_accuracy(place, pictures_config({}, 640), compare=True)
    assert found["pictures"] == 24
    assert found["labels"] > 60
    assert 0.2 < found["map50_95"] < 0.95
    assert abs(found["ultralytics"]["map50_95"]["difference"]) <= 0.003, found
    assert packaged_weights().stem in found["detector"]
