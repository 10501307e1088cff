"""The machine that was measured on, and the versions of what was measured."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PACKAGES = ("vigil", "av", "numpy", "opencv-python", "openvino", "onnxruntime", "ultralytics")


def machine(packages: Sequence[str] = PACKAGES) -> dict[str, Any]:
    """The processor's name, the cores that may be used, the load now and the installed versions.

    `load` is how many processes ran or wanted to over the last minute: what is measured while
    others work is too slow, and what is compared is best compared by its ratios.
    """
    return {
        "processor": processor(),
        "cores": cores(),
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: found for name in packages if (found := _version(name)) is not None},
    }


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name, or its architecture where nobody says more."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
