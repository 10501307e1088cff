"""Switches off what dependencies would report to their makers. Called before they are imported."""

from __future__ import annotations

import os
import sys

_SWITCHES = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "NNCF_CI": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_OFFLINE": "true",
}
_REPORTERS = ("openvino_telemetry",)
"""Modules that do nothing but report, and whose users get on without them."""


def switch_off() -> None:
    """Set the switches of the dependencies that have one, and hide the modules of those that have
    none: OpenVINO reports each first reading of a model, from a process of its own, unless the
    user's home holds a refusal."""
    for name, value in _SWITCHES.items():
        os.environ.setdefault(name, value)
    for module in _REPORTERS:
        # None makes its import fail as if it were not installed.
        sys.modules.setdefault(module, None)  # type: ignore[arg-type]
