"""The detector's time, shared out among the cameras of a process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.config import Config
from pipeline.configfile import validate
from pipeline.looking import Demand
from pipeline.workers.budget import BUSY_SHARE, Budget


def config(*names: str, **detector: Any) -> Config:
    cameras = {name: {"source": "rtsp://192.0.2.1/"} for name in names}
    return validate({"cameras": cameras, "detector": detector}, where="test", folder=Path())


class Camera:
    def __init__(self, demand: Demand | None) -> None:
        self.demand = demand
        self.allowed: float | None = -1.0

    def allow(self, fps: float | None) -> None:
        self.allowed = fps


def test_while_there_is_enough_every_camera_may_look_as_often_as_it_wants() -> None:
    cameras = [Camera(Demand(5, 0.05)), Camera(Demand(5, 0.05)), Camera(None)]
    Budget(config("a", "b", "c"), ["a", "b", "c"], streams=2).share(cameras)
    assert [camera.allowed for camera in cameras] == [None, None, None]


def test_where_they_want_more_than_the_detector_can_do_all_get_the_same_rate() -> None:
    cameras = [Camera(Demand(20, 0.1)), Camera(Demand(20, 0.1)), Camera(Demand(0.1, 0.1))]
    Budget(config("a", "b", "c"), ["a", "b", "c"], streams=2).share(cameras)
    rate = (2 * BUSY_SHARE - 0.01) / 0.2
    assert [camera.allowed for camera in cameras] == [pytest.approx(rate)] * 3


def test_a_process_has_the_share_of_its_cameras() -> None:
    alone = Camera(Demand(20, 0.1))
    Budget(config("a", "b", "c", "d"), ["a"], streams=2).share([alone])
    assert alone.allowed == pytest.approx(2 * BUSY_SHARE / 4 / 0.1)


def test_looks_a_second_that_somebody_has_set_are_kept_whatever_a_look_costs() -> None:
    cameras = [Camera(Demand(5, 0.001)), Camera(Demand(5, 10.0))]
    Budget(config("a", "b", looks_per_s=4), ["a", "b"], streams=2).share(cameras)
    assert [camera.allowed for camera in cameras] == [2, 2]
