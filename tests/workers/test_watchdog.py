"""A native call that does not return is noticed; one that had no chance to is not."""

from __future__ import annotations

import io
import logging
from typing import Any

import pytest

from pipeline.blackbox import Crumb
from pipeline.config import Camera
from pipeline.workers import watch
from pipeline.workers.guard import WEDGED
from pipeline.workers.link import MESSAGE, Link, Order, Wedged
from pipeline.workers.watchdog import Overdue, Watchdog, limits

LIMITS = {"door": {"open": 7.0, "read": 25.0}, "gate": {"open": 7.0, "read": 25.0}}


def crumb(camera: str, call: str, since: float) -> Crumb:
    return Crumb(camera, call, since, ident=hash(camera), native_id=1)


def noticed_after(watchdog: Watchdog, crumbs: Any, *, step: float, until: float) -> float | None:
    now = 0.0
    while now < until:
        if watchdog.overdue(crumbs(now), now) is not None:
            return now
        now += step
    return None


def test_a_call_over_its_limit_is_noticed_with_its_camera() -> None:
    watchdog = Watchdog(LIMITS)
    for now in range(8):
        found = watchdog.overdue([crumb("door", "open", 0.0)], float(now))
        assert found is None
    assert watchdog.overdue([crumb("door", "open", 0.0)], 8.0) == Overdue("door", "open", 8.0)


def test_calls_that_return_are_never_noticed_however_many_there_are() -> None:
    watchdog = Watchdog(LIMITS)
    assert (
        noticed_after(watchdog, lambda now: [crumb("door", "open", now)], step=0.5, until=99.0)
        is None
    )


def test_a_thread_in_no_call_is_never_noticed() -> None:
    watchdog = Watchdog(LIMITS)
    assert (
        noticed_after(watchdog, lambda now: [crumb("door", "", 0.0)], step=0.5, until=99.0) is None
    )


def test_a_machine_that_slept_or_was_overloaded_does_not_make_a_call_overdue() -> None:
    watchdog = Watchdog(LIMITS)
    waiting = [crumb("door", "open", 0.0)]
    assert watchdog.overdue(waiting, 0.0) is None
    assert watchdog.overdue(waiting, 3600.0) is None
    assert watchdog.overdue(waiting, 3605.0) is None


def test_the_limits_are_above_twice_the_cameras_own() -> None:
    camera = Camera.model_validate(
        {"source": "rtsp://door", "health": {"open_timeout_s": 3, "read_timeout_s": 10}}
    )
    assert limits(camera) == {"open": 11.0, "read": 25.0, "close": 25.0, "rule": 30.0}
    assert limits(Camera.model_validate({"source": "webcam:0"}))["read"] == 25.0
    # A film that is damaged for long is read on until there is a picture.
    assert limits(Camera.model_validate({"source": "film.mp4"}))["read"] == 300.0


def test_a_wedged_worker_says_which_camera_it_was_and_ends(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    out = io.StringIO()
    link = Link(out, Order(name="watch-cameras"))
    ended: list[int] = []
    monkeypatch.setattr(watch.os, "_exit", ended.append)
    monkeypatch.setattr(watch.logging, "shutdown", lambda: None)
    watchdog = Watchdog({"door": {"read": -1.0}})
    trail = link.recorder.trail("door")

    def run() -> None:
        with trail.call("read"), caplog.at_level(logging.ERROR):
            watch._end_if_wedged(link, watchdog)

    trail.followed(run)()
    assert ended == [WEDGED]
    message = MESSAGE.validate_json(out.getvalue())
    assert isinstance(message, Wedged)
    assert (message.camera, message.what) == ("door", "read")
    assert "Camera door: the call that reads from it has not returned" in caplog.text
