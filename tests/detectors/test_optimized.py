"""Each camera is looked at with what was chosen for it, and what no camera needs is not loaded."""

from __future__ import annotations

import logging
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import handmade
import numpy as np
import pytest
from handmade_choices import camera, chosen
from tiny_detector import save_detector

from pipeline.choices import Asked as AskedBy
from pipeline.choices import Choices, Chosen, Host, checksum
from pipeline.config import Camera, DetectorSection
from pipeline.detectors import load_detector
from pipeline.detectors.optimized import OptimizedDetector
from pipeline.detectors.pool import Answer, Asked
from pipeline.errors import WeightsError
from pipeline.types import Box, Detection, Frame

WAIT_S = 30.0


class Spoken:
    """A model that says in each detection's label-less box how it was asked: its size."""

    labels = ("person", "dog")
    streams = 2

    def __init__(self, variant: str) -> None:
        self.variant, self.description = variant, f"model {variant}"
        self.asked: list[Asked] = []
        self.closed = False

    def look(self, frame: Frame, asked: Asked) -> Answer:
        self.asked.append(asked)
        return Answer([Detection("person", 0.9, Box(0, 0, asked.size, asked.size))], 0.01)

    def close(self) -> None:
        self.closed = True


class Models(dict[str, Spoken]):
    """The models that were loaded, by variant."""

    def load(self, variant: str) -> Spoken:
        if variant == "int8-broken.xml":
            raise WeightsError("The weights int8-broken.xml cannot be read.")
        assert variant not in self, "it was loaded twice"
        self[variant] = Spoken(variant)
        return self[variant]


def detector(models: Models, *choices: Chosen) -> OptimizedDetector:
    by_camera = {choice.camera: choice for choice in choices}
    return OptimizedDetector(models.load, lambda key, _: by_camera.get(key), "yolo on OpenVINO")


def look(of: OptimizedDetector, key: str, asked: Camera | None = None) -> float:
    """The input size with which a camera was looked at."""
    view = of.for_camera(key, asked or camera())
    (found,) = view.submit(handmade.frame()).result(WAIT_S)
    return found.box.x2


def test_a_camera_gets_the_variant_and_the_size_that_were_chosen_for_it():
    models = Models()
    both = detector(models, chosen("door", size=512), chosen("yard", size=320))
    assert (look(both, "door"), look(both, "yard")) == (512, 320)
    assert set(models) == {"int8-a-b.xml"}
    both.close()
    assert models["int8-a-b.xml"].closed


def test_another_camera_of_the_process_gets_the_model_as_it_is_at_its_own_size():
    models = Models()
    both = detector(models, chosen("door", size=512))
    assert (look(both, "door"), look(both, "attic", camera(size=416))) == (512, 416)
    assert set(models) == {"int8-a-b.xml", ""}
    assert [asked.variant for asked in models[""].asked] == [""]
    both.close()
    assert models[""].closed


def test_nothing_is_loaded_before_it_is_needed():
    models = Models()
    detector(models, chosen("door")).close()
    assert not models


def test_bfloat16_and_smaller_floats_are_variants_of_the_model_itself():
    models = Models()
    sizes = chosen("door", arithmetic="float32", file=None, size=320)
    both = detector(models, sizes, chosen("yard", arithmetic="bfloat16", file=None))
    assert look(both, "door") == 320
    look(both, "yard")
    assert set(models) == {"", "bfloat16"}
    both.close()


def test_all_cameras_share_the_threads_whatever_was_chosen_for_them():
    shared = detector(Models(), chosen("door"))
    door = shared.for_camera("door", camera())
    assert door.depth == 4
    shared.for_camera("yard", camera())
    assert door.depth == 2
    assert shared.streams == 2
    shared.close()


def test_a_camera_that_has_left_leaves_its_part_of_the_threads_to_the_others():
    shared = detector(Models(), chosen("door"))
    door, yard, gate = (shared.for_camera(key, camera()) for key in ("door", "yard", "gate"))
    assert door.depth == 2
    for _ in range(2):  # that it is closed twice counts once
        yard.close()
    assert door.depth == 2
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: gate.close(), range(8)))
    assert door.depth == 4
    assert len(door.submit(handmade.frame()).result(WAIT_S)) == 1
    shared.close()


def test_the_description_says_what_is_used_for_which_camera():
    shared = detector(Models(), chosen("door"), chosen("yard"))
    shared.description += ", chosen because it is there"
    for key in ("door", "yard", "attic"):
        shared.for_camera(key, camera())
    expected = "yolo on OpenVINO, chosen because it is there; INT8 at 512 pixels for door, yard"
    assert shared.description == expected
    shared.close()


def test_a_choice_whose_model_is_gone_is_told_of_and_the_model_itself_looks(caplog):
    models = Models()
    broken = detector(models, chosen("door", file="int8-broken.xml"))
    assert look(broken, "door") == 640
    assert "Camera door: what `vigil optimize` chose cannot be used" in caplog.text
    assert set(models) == {""}
    broken.close()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_detector(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def folder(tmp_path: Path, tiny: Path) -> Path:
    """A folder of models in which the tiny one counts as its own INT8 model."""
    for suffix in (".xml", ".bin"):
        shutil.copy(tiny.with_suffix(suffix), tmp_path / f"int8-a-b{suffix}")
    return tmp_path


def squares(size: int = 320) -> Camera:
    rules = {"any": {"type": "zone", "labels": ["square"]}}
    keys = {"source": "rtsp://192.0.2.1/", "detect": {"size": size}, "rules": rules}
    return Camera.model_validate(keys)


def keep(folder: Path, model: Path, of: Camera) -> None:
    made = chosen(
        asked=AskedBy.by(of), host=Host.here(), model=checksum(model), size=160, file="int8-a-b.xml"
    )
    Choices().having([made]).write(folder)


def found(tiny: Path, folder: Path, asked: Camera, **settings: object) -> tuple[str, float]:
    """What describes the detector of the camera `door`, and how wide what it finds is: 32 pixels
    of its input, whatever that is."""
    shared = load_detector(DetectorSection(model=str(tiny), **settings), folder)
    image = np.full((120, 160, 3), 90, np.uint8)
    image[48:80, 32:64] = 255
    view = shared.for_camera("door", asked)
    boxes = view.submit(handmade.frame(image=image)).result(WAIT_S)
    shared.close()
    return shared.description, boxes[0].box.width


def test_what_is_kept_is_used_by_whoever_loads_the_detector(tiny: Path, folder: Path):
    keep(folder, tiny, squares())
    description, width = found(tiny, folder, squares())
    assert description.endswith("; INT8 at 160 pixels for door")
    assert width == 32


def test_it_is_not_used_where_the_configuration_says_so(tiny: Path, folder: Path):
    keep(folder, tiny, squares())
    description, width = found(tiny, folder, squares(), optimized=False)
    assert "INT8" not in description
    assert width == 16


def test_what_was_made_for_something_else_is_left_alone_with_one_line(
    tiny: Path, folder: Path, caplog
):
    caplog.set_level(logging.INFO, "pipeline")
    keep(folder, tiny, squares())
    description, width = found(tiny, folder, squares(size=352))
    assert "INT8" not in description
    assert width < 16
    (line,) = [record.message for record in caplog.records if "optimize" in record.message]
    assert line == (
        "Camera door: what `vigil optimize` chose is not used, since it was made for "
        "`detect.size: 320`; run it again."
    )


def test_a_kept_model_that_is_damaged_is_no_obstacle(tiny: Path, folder: Path, caplog):
    keep(folder, tiny, squares())
    (folder / "int8-a-b.bin").write_bytes(b"")
    description, width = found(tiny, folder, squares())
    assert "INT8" not in description
    assert width == 16
    assert "Camera door: what `vigil optimize` chose cannot be used" in caplog.text
