"""Switches off what dependencies would report to their makers. Called before they are imported."""

from __future__ import annotations

import os

_OFF = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "NNCF_CI": "1",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_OFFLINE": "true",
}


def switch_off() -> None:
    """Set the environment switches of every dependency that has one, and OpenVINO's own."""
    for name, value in _OFF.items():
        os.environ.setdefault(name, value)
