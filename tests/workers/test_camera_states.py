"""A camera that goes away and comes back, on the real pipeline."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from films import make_film
from running import SMALL, until

from pipeline import Event, Pipeline
from pipeline.configfile import validate
from pipeline.health import CameraState, Period, gaps
from pipeline.simulate import serve
from pipeline.store import Store
from pipeline.types import EventType

HEALTH = {"open_timeout_s": 2, "read_timeout_s": 2, "offline_after_s": 2}


@contextmanager
def serving(film: Path, cache: Path, port: int = 0) -> Iterator[str]:
    """A camera that shows a film over and over."""
    stop, ready = threading.Event(), threading.Event()
    urls: dict[str, str] = {}
    thread = threading.Thread(
        target=serve,
        args=({"door": film}, cache),
        kwargs={
            "stop": stop,
            "port": port,
            "on_ready": lambda found: (urls.update(found), ready.set()),
        },
    )
    thread.start()
    assert ready.wait(20)
    try:
        yield urls["door"]
    finally:
        stop.set()
        thread.join()


def pipeline(source: str, data: Path) -> Pipeline:
    camera = {"source": source, **SMALL, "health": HEALTH, "name": "the back door"}
    settings = {
        "data": str(data),
        "web": {"enabled": False},
        "storage": {"free_mb": 1},
        "cameras": {"door": camera},
    }
    return Pipeline(validate(settings, where="test", folder=data.parent))


def periods(data: Path) -> list[Period]:
    with Store.open(data) as store:
        return store.cameras.periods("door")


def test_a_camera_that_goes_away_is_told_of_once_and_again_when_it_is_back(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", frames=100, size=(320, 240))
    data = tmp_path / "data"
    heard: list[Event] = []

    def listen(running: Pipeline) -> None:
        heard.extend(running.events())

    with serving(film, tmp_path) as source:
        p = pipeline(source, data)
        p.start()
        threading.Thread(target=listen, args=(p,), daemon=True).start()
        until(lambda: p.status().cameras["door"].state is CameraState.LIVE)
    try:
        until(lambda: heard)
        (away,) = heard
        assert away.type is EventType.CAMERA_OFFLINE
        assert away.rule_reason.startswith("The back door has been offline since ")
        assert source in away.rule_reason
        with serving(film, tmp_path, urlsplit(source).port or 0):
            until(lambda: len(heard) == 2)
            back = heard[1]
            assert (back.id, back.version) == (away.id, 2)
            assert back.type is EventType.CAMERA_ONLINE
            assert back.ended is not None
            (outage, first) = gaps(periods(data))
            # It had not been live for long: its coming and going is one outage.
            assert first.began <= back.started <= outage.began
            assert outage.ended is not None
            assert abs((outage.ended - back.ended).total_seconds()) < 0.1
            assert outage.cause is not None
            assert first.state is CameraState.CONNECTING
            status = p.status().cameras["door"]
            assert status.changes["live"] == 2
    finally:
        p.stop()
    assert periods(data)[0].state is CameraState.STOPPED


def test_a_killed_worker_leaves_a_gap_with_its_cause_and_the_outage_goes_on(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", frames=100, size=(320, 240))
    data = tmp_path / "data"
    with serving(film, tmp_path) as source, pipeline(source, data) as p:
        until(lambda: p.status().cameras["door"].state is CameraState.LIVE)
        killed = until(lambda: (w := p.status().workers["watch-cameras"]).ready and w.pid)
        os.kill(killed, signal.SIGKILL)
        until(lambda: p.status().workers["watch-cameras"].pid not in (killed, None))
        until(lambda: p.status().cameras["door"].state is CameraState.LIVE)
        gap = until(lambda: len(found := gaps(periods(data))) == 2 and found[0].ended and found[0])
        assert gap.cause == "Its worker crashed and was started again."
        assert 0 < (gap.ended - gap.began).total_seconds() < 20
