"""Models of every form. Those that must find something are the packaged weights themselves, in
another file; the others have weights by chance, and are compared with ultralytics on the same file.
"""

from __future__ import annotations

import ast
import re
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest
from running import missing

from pipeline.telemetry import switch_off
from pipeline.types import Image
from pipeline.weights import packaged_weights

DETR = """
nc: 3
scales: {n: [1.0, 1.0, 1024]}
backbone:
  - [-1, 1, Conv, [16, 3, 2]]
  - [-1, 1, Conv, [32, 3, 2]]
  - [-1, 1, Conv, [32, 3, 2]]
  - [-1, 1, Conv, [32, 3, 2]]
  - [-1, 1, Conv, [32, 3, 2]]
head:
  - [[2, 3, 4], 1, RTDETRDecoder, [nc, 32, 20, 4, 4, 2]]
"""


@pytest.fixture(scope="session")
def photograph() -> Image:
    """Two people, two bicycles and a dog; it comes with the weights."""
    image = cv2.imread(str(packaged_weights().with_name("testimg.png")))
    assert image is not None
    return image


@pytest.fixture(scope="session")
def ultralytics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        # ultralytics and torch warn of their own dependencies' ways.
        warnings.simplefilter("ignore")
        switch_off()
        patch.setenv("YOLO_CONFIG_DIR", str(tmp_path_factory.mktemp("ultralytics")))
        patch.setenv("YOLO_VERBOSE", "false")
        try:
            import ultralytics
        except ImportError:
            missing("the extra `ultralytics`")
        ultralytics.settings.update({"sync": False})
        yield ultralytics


@pytest.fixture(scope="session")
def trained(ultralytics: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged weights as ultralytics' own .pt."""
    try:
        import onnx
    except ImportError:
        missing("the extra `onnx`")
    import torch
    from onnx import numpy_helper

    graph = onnx.load(str(packaged_weights()))
    stored = {one.name: numpy_helper.to_array(one) for one in graph.graph.initializer}
    names = next(one.value for one in graph.metadata_props if one.key == "names")
    model = ultralytics.YOLO("yolo11n.yaml")
    model.model.fuse()
    weights = {key: torch.from_numpy(stored[key].copy()) for key in model.model.state_dict()}
    model.model.load_state_dict(weights)
    model.model.names = ast.literal_eval(names)
    path = tmp_path_factory.mktemp("trained") / "yolo11n.pt"
    model.save(path)
    return path


Export = Callable[..., Path]


@pytest.fixture(scope="session")
def export(ultralytics: Any, tmp_path_factory: pytest.TempPathFactory) -> Export:
    """Ultralytics' exporter: a .pt in another form, in a folder of its own."""

    def run(trained: Path, name: str, format: str = "onnx", **options: Any) -> Path:  # noqa: A002
        copy = tmp_path_factory.mktemp("exported") / f"{name}.pt"
        shutil.copyfile(trained, copy)
        loaded = ultralytics.YOLO(copy)
        options = {"device": "cpu", "imgsz": 320, **options}
        if format == "onnx":
            options["simplify"] = False
        return Path(loaded.export(format=format, **options))

    return run


@pytest.fixture(scope="session")
def yolo26(ultralytics: Any, photograph: Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A YOLO26 whose weights are chance."""
    import torch

    torch.manual_seed(26)
    model = ultralytics.YOLO("yolo26n.yaml")
    _wake(model.model, photograph)
    # The last layers of the head: distances to a box's edges in strides, and classes.
    for name, weights in model.model.named_parameters():
        spread, mean = (0.02, 3.0) if "cv2." in name else (0.1, -9.0)
        if re.search(r"cv[23]\.\d\.2\.weight", name):
            weights.data.normal_(std=spread)
        elif re.search(r"cv[23]\.\d\.2\.bias", name):
            weights.data.fill_(mean)
    path = tmp_path_factory.mktemp("yolo26") / "yolo26n.pt"
    model.save(path)
    return path


@pytest.fixture(scope="session")
def detr(ultralytics: Any, photograph: Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny RT-DETR whose weights are chance."""
    import torch

    torch.manual_seed(7)
    folder = tmp_path_factory.mktemp("detr")
    plan = folder / "rtdetr-tiny.yaml"
    plan.write_text(DETR)
    model = ultralytics.RTDETR(str(plan))
    _wake(model.model, photograph)
    for name, weights in model.model.named_parameters():
        if "dec_score_head" in name or ("dec_bbox_head" in name and ".layers.2." in name):
            weights.data.normal_(std=0.2)
    model.model.names = {0: "person", 1: "car", 2: "dog"}
    model.save(folder / "rtdetr.pt")
    return folder / "rtdetr.pt"


def _wake(model: Any, picture: Image) -> None:
    """Fit a fresh model's normalisations to a picture: without, it would see nothing at all."""
    import torch

    blob = torch.from_numpy(cv2.dnn.blobFromImage(picture, 1 / 255, (320, 224), swapRB=True))
    norms = [one for one in model.modules() if isinstance(one, torch.nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    model.train()
    with torch.no_grad():
        model(blob)
    model.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
