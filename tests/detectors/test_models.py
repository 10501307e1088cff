"""Where a detector's model comes from, and which backend gets it."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.config import DetectorSection
from pipeline.configfile import parse_config
from pipeline.detectors import (
    expected_labels,
    known_labels,
    load_detector,
    prepare,
)
from pipeline.detectors.choice import Machine, choose
from pipeline.detectors.models import find_model
from pipeline.errors import ConfigError, WeightsError
from pipeline.stubs import StubDetector
from pipeline.weights import LABELS, SHA256, packaged_weights

PLAIN = Machine(nvidia=False, onnx_cuda=False)


def settings(**keys: object) -> DetectorSection:
    return DetectorSection.model_validate(keys)


def configured(text: str, folder: Path) -> DetectorSection:
    whole = f"detector: {text}\ncameras: {{door: rtsp://192.0.2.1/}}"
    return parse_config(whole, where="streams.yaml", folder=folder).detector


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of models; what is in the files is of no matter here."""
    for name in ("both.onnx", "both.pt", "only.pt", "model.engine", "model.tflite"):
        (tmp_path / name).write_bytes(b"model")
    (tmp_path / "ir_openvino_model").mkdir()
    for name in ("ir.xml", "ir.bin"):
        (tmp_path / "ir_openvino_model" / name).write_bytes(b"model")
    (tmp_path / "half.xml").write_bytes(b"model")
    (tmp_path / "empty_openvino_model").mkdir()
    return tmp_path


def test_the_default_is_the_packaged_model(folder):
    assert find_model(settings(), folder) == packaged_weights()


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ({"model": "both"}, "both.onnx"),
        ({"model": "both", "backend": "ultralytics"}, "both.onnx"),
        ({"model": "both", "backend": "ultralytics", "trust_pickle": True}, "both.pt"),
        ({"model": "only", "trust_pickle": True}, "only.pt"),
        ({"model": "ir"}, "ir_openvino_model/ir.xml"),
    ],
)
def test_a_name_is_a_file_in_the_folder_of_models(folder, keys, found):
    assert find_model(settings(**keys), folder) == folder / found


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"model": "yolo12x"}, r"no model 'yolo12x' in .*; put yolo12x\.onnx there"),
        ({"model": "only"}, r"only\.pt is a pickle, which can run any code .*`trust_pickle: true`"),
        ({"model": "{}/only.pt", "backend": "onnx"}, r"backend onnx reads; set `backend: ultra"),
        ({"model": "{}/ir_openvino_model", "backend": "onnx"}, "set `backend: openvino`"),
        ({"model": "{}/model.tflite"}, r"model\.tflite is nothing that a backend reads"),
        ({"model": "{}/missing.onnx"}, r"there is no file .*missing\.onnx"),
        ({"model": "{}/half.xml"}, r"half\.xml has no \.bin beside it"),
        ({"model": "{}/empty_openvino_model"}, "holds no model of OpenVINO"),
    ],
)
def test_a_model_that_cannot_be_had_is_told_of_by_the_key(folder, keys, said):
    keys["model"] = keys["model"].format(folder)
    with pytest.raises(ConfigError, match=said) as caught:
        prepare(settings(**keys), folder)
    assert str(caught.value).startswith("detector.model: ")
    assert "\n" not in str(caught.value)


def test_the_checksum_of_a_local_file_is_compared_too(folder):
    right = settings(model=str(packaged_weights()), sha256=SHA256.upper())
    assert find_model(right, folder) == packaged_weights()
    for model in ("yolo11n", "both"):
        with pytest.raises(WeightsError, match=r"not the file they should be .*`detector\.sha256`"):
            find_model(settings(model=model, sha256="0" * 64), folder)
    with pytest.raises(ConfigError, match=r"detector\.sha256: a model of OpenVINO is two files"):
        find_model(settings(model="ir", sha256="0" * 64), folder)


@pytest.mark.parametrize(
    ("model", "kept"),
    [
        ("best.onnx", "/etc/vigil/best.onnx"),
        ("models/best.pt", "/etc/vigil/models/best.pt"),
        ("../x_openvino_model", "/etc/vigil/../x_openvino_model"),
        ("/srv/best.onnx", "/srv/best.onnx"),
        ("yolo11n", "yolo11n"),
        ("yolo12.5", "yolo12.5"),
    ],
)
def test_paths_are_relative_to_the_configuration_and_names_are_not(model, kept):
    assert configured(f"{{model: {model}}}", Path("/etc/vigil")).model == kept


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{backend: tensorrt}", "line 1, detector.backend: write auto, openvino"),
        ("{device: tpu}", "line 1, detector.device: write auto, cpu"),
        ("{sha256: abc}", "line 1, detector.sha256: write the 64 digits"),
        ("{model: https://example.org/m.onnx}", "line 1, detector: sha256: write the checksum"),
        ("{model: ''}", "line 1, detector.model: "),
    ],
)
def test_wrong_values_are_told_with_their_line(text, said, tmp_path):
    with pytest.raises(ConfigError) as caught:
        configured(text, tmp_path)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "keys", "machine", "backend", "why"),
    [
        ("m.onnx", {}, PLAIN, "openvino", "no NVIDIA"),
        ("m.onnx", {}, Machine(nvidia=True, onnx_cuda=False), "openvino", "no onnxruntime-gpu"),
        ("m.onnx", {}, Machine(nvidia=True, onnx_cuda=True), "onnx", "has an NVIDIA"),
        ("m.onnx", {"device": "cpu"}, Machine(nvidia=True, onnx_cuda=True), "openvino", "processor"),
        ("m.onnx", {"device": "gpu.1"}, PLAIN, "openvino", "gpu.1"),
        ("m.onnx", {"device": "cuda:1"}, PLAIN, "onnx", "CUDA"),
        ("m.xml", {}, Machine(nvidia=True, onnx_cuda=True), "openvino", "one of OpenVINO"),
        ("m.pt", {}, PLAIN, "ultralytics", "only it reads .pt"),
        ("m.engine", {}, PLAIN, "ultralytics", "only it reads .engine"),
    ],
)  # fmt: skip
def test_what_is_left_open_is_chosen_by_model_device_and_machine(name, keys, machine, backend, why):
    choice = choose(settings(**keys), Path(name), machine)
    assert choice.backend == backend
    assert why in choice.reason


def test_what_was_chosen_is_said_with_the_reason(tmp_path, caplog):
    with caplog.at_level("INFO", logger="pipeline"):
        detector = load_detector(settings(device="cpu"), tmp_path)
    detector.close()
    assert "yolo11n on OpenVINO, processor, " in detector.description
    assert detector.description.endswith("chosen because the device is to be the processor")
    assert detector.description in caplog.text


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module of a user's own."""
    (tmp_path / "my_detectors.py").write_text(
        "from pipeline.stubs import StubDetector\n"
        "def load(settings, folder):\n"
        "    stub = StubDetector(lambda _: [])\n"
        "    stub.description = f'mine, {settings.device}, {folder.name}'\n"
        "    return stub\n"
        "def broken(settings, folder): return 1 / 0\n"
        "number = 3\n"
    )
    (tmp_path / "my_broken.py").write_text("raise RuntimeError('not today')")
    monkeypatch.syspath_prepend(tmp_path)
    yield "my_detectors"
    sys.modules.pop("my_detectors", None)


def test_a_detector_of_ones_own_is_loaded_with_the_settings(own, tmp_path):
    detector = load_detector(settings(backend=f"{own}:load", device="cpu"), tmp_path / "models")
    assert isinstance(detector, StubDetector)
    assert detector.description == "mine, cpu, models"


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ("no_such_module:load", "cannot be imported (ModuleNotFoundError"),
        ("my_detectors:nothing", "cannot be imported (AttributeError"),
        ("my_broken:load", "cannot be imported (RuntimeError: not today)"),
        ("my_detectors:number", "nothing that can be called"),
        ("my_detectors:broken", "failed (ZeroDivisionError"),
    ],
)
def test_one_that_does_not_work_is_told_of_in_a_sentence(own, tmp_path, backend, said):
    with pytest.raises(ConfigError) as caught:
        load_detector(settings(backend=backend), tmp_path)
    assert str(caught.value).startswith(f"detector.backend: {backend} ")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("backend", "package"), [("ultralytics", "ultralytics"), ("onnx", "onnxruntime")]
)
def test_a_backend_whose_package_is_missing_is_named_with_the_remedy(
    backend, package, monkeypatch, tmp_path
):
    there = importlib.util.find_spec
    absent = lambda name: None if name == package else there(name)  # noqa: E731
    monkeypatch.setattr(importlib.util, "find_spec", absent)
    for use in (prepare, load_detector):
        with pytest.raises(ConfigError, match=rf'pip install "vigil\[{backend}\]"') as caught:
            use(settings(backend=backend), tmp_path)
        assert str(caught.value).startswith("detector.backend: ")


def test_labels_are_known_beforehand_of_the_packaged_model_alone():
    assert expected_labels(settings()) == LABELS
    assert expected_labels(settings(model="best.onnx")) is None
    assert expected_labels(settings(backend="mine:load")) is None


def test_a_model_with_labels_of_its_own_is_not_taken_for_one_of_coco():
    whole = "cameras: {door: {source: rtsp://192.0.2.1/, detect: {labels: [xyzzy]}, rules: {a: {type: zone, labels: [xyzzy]}}}}"
    camera = parse_config(whole, where="x", folder=Path()).cameras["door"]
    with pytest.raises(ConfigError, match=r"it knows 'forklift', 'helmet'\.$") as caught:
        known_labels("door", camera, ("forklift", "helmet"))
    assert "COCO" not in str(caught.value)


def test_packaged_weights_in_a_folder_of_ones_own_are_the_same_model(folder):
    shutil.copyfile(packaged_weights(), folder / "mine.onnx")
    detector = load_detector(settings(model="mine"), folder)
    assert detector.description.startswith("mine on OpenVINO")
    detector.close()
