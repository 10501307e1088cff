"""What runs a model where the configuration leaves it open."""

from __future__ import annotations

import importlib.metadata
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pipeline.config import DetectorSection


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is to run models on; `onnx_cuda` is true where ONNX Runtime was built for it."""

    nvidia: bool
    onnx_cuda: bool

    @classmethod
    def here(cls) -> Self:
        """Found without an import of torch or ONNX Runtime, which takes seconds."""
        driver = Path("/proc/driver/nvidia/version").exists() or bool(shutil.which("nvidia-smi"))
        return cls(driver, _installed("onnxruntime-gpu"))


@dataclass(frozen=True, slots=True)
class Choice:
    """A backend, and why it is that one, as people would say it."""

    backend: str
    reason: str


def choose(settings: DetectorSection, model: Path, machine: Machine) -> Choice:
    """The backend for a model's file, which exists."""
    if model.suffix == ".xml":
        return Choice("openvino", "the model is one of OpenVINO")
    if model.suffix != ".onnx":
        return Choice("ultralytics", f"only it reads {model.suffix} files")
    device = settings.device.partition(":")[0].partition(".")[0]
    match device:
        case "cuda":
            return Choice("onnx", "the device is to be CUDA")
        case "cpu":
            return Choice("openvino", "the device is to be the processor")
        case "gpu" | "npu":
            return Choice("openvino", f"the device is to be {settings.device}")
    if not machine.nvidia:
        return Choice("openvino", "this machine has no NVIDIA graphics card")
    if not machine.onnx_cuda:
        return Choice("openvino", "there is an NVIDIA graphics card, but no onnxruntime-gpu for it")
    return Choice("onnx", "this machine has an NVIDIA graphics card")


def _installed(distribution: str) -> bool:
    try:
        importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
