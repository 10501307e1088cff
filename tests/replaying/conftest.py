"""Films in which a bright square goes, and a detector that finds it: real decoding, no model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from films import make_film

from pipeline.replaying import running
from pipeline.stubs import StubDetector
from pipeline.types import Box, Detection, Frame

Detects = Callable[[Callable[[Frame], Iterable[Detection]]], list[StubDetector]]


def square_in(frame: Frame) -> list[Detection]:
    """The bright square of a film as a person."""
    rows, columns = np.nonzero(frame.image()[:, :, 1] > 170)
    if not rows.size:
        return []
    box = Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    return [Detection("person", 0.8, Box(*map(float, box)))]


@pytest.fixture
def detects(monkeypatch: pytest.MonkeyPatch) -> Detects:
    """Make a detector that answers so the one of replays; gives those that were loaded."""

    def use(answer: Callable[[Frame], Iterable[Detection]]) -> list[StubDetector]:
        loaded: list[StubDetector] = []

        def load(*_: object) -> StubDetector:
            loaded.append(StubDetector(answer))
            return loaded[-1]

        monkeypatch.setattr(running, "load_detector", load)
        return loaded

    return use


@pytest.fixture
def square(detects: Detects) -> None:
    """The detector finds the square."""
    detects(square_in)


@pytest.fixture
def yard(tmp_path: Path) -> Path:
    """3 s of the square, at 10 pictures a second."""
    return make_film(tmp_path / "yard.mp4")
