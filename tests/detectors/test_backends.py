"""What the backends refuse, and that they keep quiet."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import ROOT, missing

from pipeline.config import DetectorSection
from pipeline.detectors import load_detector
from pipeline.errors import ConfigError, WeightsError
from pipeline.weights import packaged_weights


def altered(tmp_path: Path, change: Callable[[Any], None]) -> Path:
    """The packaged weights, with something changed."""
    try:
        import onnx
    except ImportError:
        missing("the extra `onnx`")
    model = onnx.load(str(packaged_weights()))
    change(model)
    onnx.save(model, tmp_path / "altered.onnx")
    return tmp_path / "altered.onnx"


def without_names(model: Any) -> None:
    kept = [one for one in model.metadata_props if one.key != "names"]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)


def fewer_names(model: Any) -> None:
    next(one for one in model.metadata_props if one.key == "names").value = "{0: 'person'}"


def for_batches(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4


@pytest.mark.parametrize("backend", ["openvino", "onnx"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without_names, "it does not name its classes"),
        (fewer_names, "it names 1 classes, and gives 1 x 84 x 420 numbers"),
        (for_batches, "it wants 4 pictures at once"),
    ],
)
def test_a_model_that_is_no_detector_is_refused_with_the_reason(tmp_path, backend, change, said):
    path = altered(tmp_path, change)
    with pytest.raises(WeightsError, match=said) as caught:
        load_detector(DetectorSection(backend=backend, model=str(path)), tmp_path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("backend", ["openvino", "onnx", "ultralytics"])
@pytest.mark.parametrize("content", [b"", b"not a model"])
def test_a_file_that_is_no_model_is_refused_in_a_sentence(
    tmp_path, backend, content, request, capfd
):
    if backend == "ultralytics":
        request.getfixturevalue("ultralytics")
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(content)
    with pytest.raises(
        WeightsError, match=r"wrong\.onnx are not a detector.*give another file\.$"
    ) as caught:
        load_detector(DetectorSection(backend=backend, model=str(wrong)), tmp_path)
    assert "\n" not in str(caught.value)
    if backend != "openvino":  # which tries all kinds of formats, and TensorFlow's reader speaks
        assert capfd.readouterr() == ("", "")


def test_a_pickle_that_is_no_model_is_refused_in_a_sentence(tmp_path, ultralytics):
    wrong = tmp_path / "wrong.pt"
    wrong.write_bytes(pickle.dumps({"model": 3}))
    with pytest.raises(WeightsError, match=r"wrong\.pt are not a detector.*give another file\.$"):
        load_detector(DetectorSection(model=str(wrong), trust_pickle=True), tmp_path)


def test_a_pickle_that_nobody_trusts_runs_no_code(tmp_path):
    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "attacked"),)

    wrong = tmp_path / "wrong.pt"
    wrong.write_bytes(pickle.dumps(Attack()))
    for backend in ("auto", "ultralytics"):
        with pytest.raises(ConfigError, match="trust_pickle"):
            load_detector(DetectorSection(backend=backend, model=str(wrong)), tmp_path)
    assert not (tmp_path / "attacked").exists()


@pytest.mark.parametrize(
    ("backend", "device"),
    [
        ("openvino", "gpu.7"),
        ("openvino", "cuda"),
        ("onnx", "cuda:7"),
        ("onnx", "gpu"),
        ("ultralytics", "cuda:7"),
        ("ultralytics", "npu"),
    ],
)
def test_a_device_that_is_not_there_is_named(tmp_path, backend, device, request):
    if backend == "ultralytics":
        request.getfixturevalue("ultralytics")
    with pytest.raises(ConfigError, match=rf"^detector\.device: .*{device}") as caught:
        load_detector(DetectorSection(backend=backend, device=device), tmp_path)
    assert "\n" not in str(caught.value)


QUIET = """
import os, sys
from pathlib import Path

def refuse(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "subprocess.Popen"):
        if event != "subprocess.Popen" or "pip" in str(arguments):
            os.write(1, f"{event} {arguments}".encode())
            raise ConnectionError(event)

sys.addaudithook(refuse)
from pipeline.config import DetectorSection
from pipeline.detectors import load_detector
settings = DetectorSection(backend=sys.argv[1], model=sys.argv[2], trust_pickle=True)
load_detector(settings, Path(sys.argv[3])).close()
"""


@pytest.mark.parametrize("backend", ["onnx", "ultralytics"])
def test_loading_reports_asks_and_prints_nothing_and_keeps_to_its_own_folder(
    backend, request, tmp_path
):
    model = str(packaged_weights())
    if backend == "ultralytics":
        model = str(request.getfixturevalue("trained"))
    home, models = tmp_path / "home", tmp_path / "models"
    home.mkdir()
    known = {name: value for name, value in os.environ.items() if not name.startswith("YOLO_")}
    env = {**known, "CI": "", "PYTHONPATH": str(ROOT), "HOME": str(home)}
    env = {name: value for name, value in env.items() if not name.startswith("XDG_")}
    run = subprocess.run(
        [sys.executable, "-c", QUIET, backend, model, str(models)],
        capture_output=True,
        text=True,
        check=False,
        env=env,
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stderr
    assert (run.stdout, run.stderr) == ("", "")
    assert list(home.iterdir()) == []
