"""A detector that does not answer holds up no stop."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from running import SMALL, until

from pipeline import Pipeline

HUNG = """
import os, pathlib, time
from pipeline.detectors.pool import PooledDetector

class Hung:
    description, labels, streams = "hung", ("person",), 1

    def look(self, frame, asked):
        pathlib.Path(os.environ["HUNG"]).touch()
        time.sleep(60)

    def close(self):
        pass

def load(settings, folder):
    return PooledDetector(Hung())
"""
IN_ORDER_S = 5.0
"""Of all workers, one tier after the other; each kind's own time is in `plan`."""


def test_a_stop_does_not_wait_for_a_picture_that_is_looked_at_for_a_minute(
    camera: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "hung_detector.py").write_text(HUNG)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ['PYTHONPATH']}")
    monkeypatch.setenv("HUNG", str(tmp_path / "looking"))
    text = {
        "data": "data",
        "web": {"enabled": False},
        "detector": {"backend": "hung_detector:load"},
        "cameras": {"door": {"source": camera, **SMALL, "record": {"clips": False}}},
    }
    (tmp_path / "streams.yaml").write_text(repr(text).replace("False", "false"))
    with Pipeline.from_yaml(tmp_path / "streams.yaml") as p:
        until((tmp_path / "looking").exists, seconds=30)
        began = time.monotonic()
        assert p.stop(), caplog.text
        assert time.monotonic() - began < IN_ORDER_S
    assert "Camera door did not stop in time." in caplog.text
