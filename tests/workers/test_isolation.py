"""A camera that crashes or wedges its process costs the others a few seconds, and soon nothing."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from native_faults import FAULT
from running import SMALL, until

from pipeline import Event, Pipeline
from pipeline.health import CameraState, CameraStatus, Cause
from pipeline.posts import WorkerStatus
from pipeline.restarts import Policy
from pipeline.store import Store
from pipeline.types import EventType

GROUP, ALONE = "watch-cameras", "watch-cameras/bad"
BAD = "rtsp://127.0.0.1:9/bad"
QUICK = {
    "health": {"open_timeout_s": 1, "read_timeout_s": 4, "offline_after_s": 2},
    "record": {"clips": False},
}


def installation(folder: Path, sources: dict[str, str]) -> Pipeline:
    cameras = {key: {"source": source, **SMALL, **QUICK} for key, source in sources.items()}
    text = {"data": "data", "web": {"enabled": False}, "cameras": cameras}
    path = folder / "streams.yaml"
    path.write_text(repr(text).replace("False", "false"))
    return Pipeline.from_yaml(path)


def worker_of(p: Pipeline, camera: str) -> str:
    """The worker that is to look at a camera."""
    workers = p._running().statuses().workers
    return next(name for name, worker in workers.items() if camera in worker.cameras)


def looking(p: Pipeline, camera: str) -> int | None:
    """The process that looks at a camera's pictures now, if one does."""
    worker: WorkerStatus = p.status().workers[worker_of(p, camera)]
    told = worker.heartbeat
    if not worker.ready or told is None or told.pid != worker.pid:
        return None
    status: CameraStatus | None = told.cameras.get(camera)
    return worker.pid if status is not None and status.looks else None


def restarts(p: Pipeline, name: str) -> dict[Cause, int]:
    worker = p._running().statuses().workers.get(name)
    return {} if worker is None else dict(worker.restarts)


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("segfault", Cause.CRASHED),
        pytest.param("wedge", Cause.WEDGED, marks=pytest.mark.slow),
        pytest.param("hold", Cause.SILENT, marks=pytest.mark.slow),
    ],
)
def test_a_repeat_offender_is_moved_away_and_disturbs_the_others_no_more(
    fault: str, cause: Cause, camera: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FAULT, f"{fault} /bad")
    monkeypatch.setattr("pipeline.plan.WARY", Policy(quick=0, rest_s=1.0, longest_s=1.0))
    sources = {"door": camera, "bad": BAD, "gate": camera}
    with installation(tmp_path, sources) as p:
        until(lambda: worker_of(p, "bad") == ALONE, seconds=90)
        assert restarts(p, GROUP) == {cause: 2}
        until(lambda: looking(p, "door") and looking(p, "gate"), seconds=30)
        pids = {looking(p, "door"), looking(p, "gate")}
        # It goes on crashing, each time after a rest, and says so.
        until(lambda: restarts(p, ALONE).get(cause, 0) >= 2, seconds=90)
        bad = until(lambda: in_trouble(p), seconds=30)
        assert f"Worker {ALONE} ended" in bad.message
        assert "It rests for" in bad.message
        assert {looking(p, "door"), looking(p, "gate")} == pids
        assert restarts(p, GROUP) == {cause: 2}
        # That it is gone is told like that of any other camera, and its gap is in the store.
        away = until(lambda: told_of(p, "bad"), seconds=30)
        assert away.type is EventType.CAMERA_OFFLINE
        assert away.rule_reason.startswith("Bad has been offline since ")
        with Store.open(p.config.data) as store:
            (gap,) = store.cameras.gaps("bad")
            assert gap.ended is None
            assert abs((gap.began - away.started).total_seconds()) < 0.1
        p.check()


def told_of(p: Pipeline, camera: str) -> Event | None:
    with Store.open(p.config.data) as store:
        return next(iter(store.search(1, camera=camera)), None)


def in_trouble(p: Pipeline) -> Any:
    bad = p.status().cameras["bad"]
    return bad if bad.state is CameraState.ERROR else None


@pytest.mark.slow
def test_an_offender_that_python_cannot_name_is_found_by_parting_the_group(
    camera: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FAULT, "abort /bad")
    sources = {"one": camera, "two": camera, "bad": BAD, "three": camera}
    with installation(tmp_path, sources) as p:
        until(lambda: in_trouble(p), seconds=90)
        assert p._running().statuses().workers[worker_of(p, "bad")].cameras == ("bad",)
        for key in ("one", "two", "three"):
            until(lambda key=key: looking(p, key), seconds=60)
        p.check()


@pytest.mark.slow
@pytest.mark.parametrize("killed", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP])
def test_the_gap_of_a_group_is_a_few_seconds(killed: int, camera: str, tmp_path: Path) -> None:
    limit_s = 25.0 if killed == signal.SIGSTOP else 15.0
    with installation(tmp_path, {"door": camera, "gate": camera}) as p:
        before = until(lambda: looking(p, "door"), seconds=60)
        os.kill(before, killed)
        began = time.monotonic()
        until(
            lambda: all(looking(p, key) not in (None, before) for key in ("door", "gate")),
            seconds=limit_s,
        )
        print(f"{signal.Signals(killed).name}: {time.monotonic() - began:.1f} s")
