"""A model is compiled for each shape of its input, and as many as are in use are kept."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import handmade
import numpy as np
import pytest
from tiny_detector import save_detector

from pipeline.detectors import openvino
from pipeline.detectors.compiled import Compiled
from pipeline.detectors.openvino import OpenVinoModel
from pipeline.detectors.pool import Asked
from pipeline.types import Detection, Size

WAIT_S = 30.0
ASKED = Asked(size=320, confidence=0.25, wanted=frozenset([0]))
WIDE, HIGH, SQUARE = (320, 160), (160, 320), (320, 320)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_detector(tmp_path_factory.mktemp("tiny"))


class Watched:
    """A model that keeps two shapes, and for which shapes it was compiled."""

    def __init__(self, weights: Path) -> None:
        self.model = OpenVinoModel(weights)
        self.compiled: list[Size] = []
        self.made: dict[Size, weakref.ref[Compiled]] = {}
        self.hold: dict[Size, threading.Event] = {}
        self.begun = threading.Event()
        self._compile = self.model._compiler.compiled
        self.model._compiler.compiled = self._count  # type: ignore[method-assign]

    def look(self, size: Size) -> list[Detection]:
        image = np.full((*size[::-1], 3), 90, np.uint8)
        image[48:64, 32:48] = 255
        return self.model.look(handmade.frame(image=image), ASKED).detections

    def _count(self, size: Size) -> Compiled:
        self.compiled.append(size)
        if size in self.hold:
            self.begun.set()
            assert self.hold[size].wait(WAIT_S)
        compiled = self._compile(size)
        self.made[size] = weakref.ref(compiled)
        return compiled


@pytest.fixture
def watched(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setattr(openvino, "SHAPES", 2)
    watched = Watched(weights)
    yield watched
    watched.model.close()


def test_shapes_that_take_turns_are_compiled_once_each(watched: Watched) -> None:
    for _ in range(3):
        for size in (WIDE, HIGH):
            assert len(watched.look(size)) == 1
    assert watched.compiled == [WIDE, HIGH]


def test_eight_shapes_may_take_turns(weights: Path) -> None:
    watched = Watched(weights)
    for _ in range(2):
        for height in range(96, 352, 32):
            watched.look((320, height))
    assert len(watched.compiled) == 8
    watched.model.close()


def test_beyond_that_the_one_that_was_not_used_for_longest_is_released(watched: Watched) -> None:
    for size in (WIDE, HIGH, WIDE, SQUARE):
        watched.look(size)
    gc.collect()
    assert watched.made[HIGH]() is None
    assert watched.made[WIDE]() is not None
    watched.look(WIDE)
    assert watched.compiled == [WIDE, HIGH, SQUARE]


def test_a_shape_that_comes_back_is_seen_as_before_and_told_of_once(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    before = watched.look(WIDE)
    for size in (HIGH, SQUARE):
        watched.look(size)
    assert not caplog.records
    for _ in range(2):
        assert watched.look(WIDE) == before
        watched.look(HIGH)
        watched.look(SQUARE)
    (record,) = caplog.records
    assert "pictures of more than 2 shapes; give them one `detect.size`" in record.message


class Held:
    """A request that begins when it is let."""

    def __init__(self, request: object) -> None:
        self._request = request
        self.begun, self.let = threading.Event(), threading.Event()

    def infer(self, *args: object, **options: object) -> None:
        self.begun.set()
        assert self.let.wait(WAIT_S)
        self._request.infer(*args, **options)  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> object:
        return getattr(self._request, name)


def test_a_look_that_is_at_work_keeps_its_model_until_it_is_done(watched: Watched) -> None:
    before = watched.look(WIDE)
    requests = watched.model._kept[WIDE].requests
    held = Held(requests.get())
    for _ in range(requests.qsize()):
        requests.get()
    requests.put(held)
    with ThreadPoolExecutor(1) as pool:
        at_work = pool.submit(watched.look, WIDE)
        assert held.begun.wait(WAIT_S)
        for size in (HIGH, SQUARE):
            watched.look(size)
        assert WIDE not in watched.model._kept
        assert watched.made[WIDE]() is not None
        held.let.set()
        assert at_work.result(WAIT_S) == before
    gc.collect()
    assert watched.made[WIDE]() is None


def test_a_look_does_not_wait_while_the_model_is_compiled_for_another_shape(
    watched: Watched,
) -> None:
    watched.look(WIDE)
    watched.hold[HIGH] = threading.Event()
    with ThreadPoolExecutor(3) as pool:
        late = [pool.submit(watched.look, HIGH) for _ in range(2)]
        assert watched.begun.wait(WAIT_S)
        assert len(pool.submit(watched.look, WIDE).result(WAIT_S)) == 1
        watched.hold[HIGH].set()
        assert all(len(look.result(WAIT_S)) == 1 for look in late)
    # Two that wanted the same one had it compiled once.
    assert watched.compiled == [WIDE, HIGH]
