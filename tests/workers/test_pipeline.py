"""The whole pipeline, in real processes, on a real film."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from running import SMALL, descendants, gone, until

import pipeline as package
from pipeline import (
    ConfigError,
    Event,
    EventType,
    Pipeline,
    Severity,
    State,
    StoreError,
    VigilError,
    WorkerError,
    watch,
)
from pipeline.store import Store

ROOT = Path(package.__file__).parent.parent
STAYS = {"stays": {"type": "loiter", "seconds": 3, "severity": "alert"}}


def settings(source: Path | str, **extra: Any) -> dict[str, Any]:
    cameras = {"door": {"source": str(source), **SMALL, **extra}}
    return {"site": "test", "web": {"enabled": False}, "cameras": cameras}


def write(folder: Path, data: dict[str, Any]) -> Path:
    path = folder / "streams.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def by_id(events: Iterable[Event]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        found[event.id].append(event)
    return found


def assert_whole(events: Iterable[Event]) -> None:
    """Each event's versions begin at 1, rise by 1, and none comes twice."""
    for versions in by_id(events).values():
        assert [event.version for event in versions] == list(range(1, len(versions) + 1))


@pytest.mark.slow
def test_a_camera_that_is_only_a_source_yields_one_event_for_each_visit(
    film: Path, tmp_path: Path
) -> None:
    with Pipeline(sources={"door": str(film)}, data=str(tmp_path / "data")) as p:
        events = list(p.events(timeout=60))
        media = p.config.data / "media"
        created = [event for event in events if event.type is EventType.CREATED]
        assert len(created) == 2
        assert all(event.state is State.UNJUDGED for event in created)
        assert all(event.severity is Severity.NOTICE for event in created)
        assert all((media / image.key).is_file() for e in created for image in e.images)
        assert created[0].images[0].role == "frame"
        assert "person" in created[0].rule_reason
        assert created[0].described_by == "template"
    assert_whole(events)
    assert {event.id for event in events if event.ended} == {event.id for event in created}
    visit = by_id(events)[created[0].id][-1]
    assert visit.ended is not None
    assert 25 < (visit.ended - visit.started).total_seconds() < 40


def test_the_example_of_the_readme_runs_at_module_level(visit: Path, tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    example = next(block for block in blocks if "from_yaml" in block)
    (tmp_path / "example.py").write_text(example)
    write(tmp_path, settings(visit))
    done = subprocess.run(
        [sys.executable, "example.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ['PYTHONPATH']}"},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "door created notice A person" in done.stdout
    assert "door ended notice" in done.stdout


async def test_a_program_on_asyncio_gets_the_same_events(visit: Path, tmp_path: Path) -> None:
    found = []
    async with Pipeline.from_yaml(write(tmp_path, settings(visit, rules=STAYS))) as p:
        async for event in p.events_async(timeout=60):
            found.append(event)  # noqa: PERF401 (reads better)
    assert_whole(found)
    assert [e.severity for e in found if e.type is EventType.CREATED] == [Severity.ALERT]


def test_the_generator_without_processes_finds_the_same(visit: Path) -> None:
    events = list(watch(str(visit), STAYS, fps=4, size=320))
    assert_whole(events)
    created = [event for event in events if event.type is EventType.CREATED]
    assert len(created) == 1
    assert re.match(r"A person has stayed .* for 3 s \(limit 3 s\)", created[0].rule_reason)


def test_the_generator_refuses_a_wrong_rule_in_a_sentence(film: Path) -> None:
    with pytest.raises(ConfigError, match=r"rules\.x\.seconds"):
        next(watch(str(film), {"x": {"type": "loiter", "seconds": -1}}))


def test_a_worker_that_cannot_work_raises_a_typed_error(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As of a model of the user's own, which only its worker opens.
    monkeypatch.setattr("pipeline.library.expected_labels", lambda _: None)
    path = write(tmp_path, settings(film, rules={"x": {"type": "zone", "labels": ["dragon"]}}))
    with (
        pytest.raises(WorkerError, match="'dragon'") as caught,
        Pipeline.from_yaml(path) as p,
    ):
        list(p.events(timeout=60))
    assert caught.value.worker == "watch-cameras"


def test_a_camera_that_cannot_be_read_does_not_stop_the_others(film: Path, tmp_path: Path) -> None:
    data = settings(film)
    text = tmp_path / "notes.mp4"
    text.write_text("no film\n" * 100)
    data["cameras"]["text"] = {"source": str(text)}
    data["cameras"]["away"] = {"source": "rtsp://me:sesame@127.0.0.1:9/stream"}
    with Pipeline.from_yaml(write(tmp_path, data)) as p:
        events = p.events(timeout=60)
        assert next(events).camera == "door"
        status = until(lambda: _settled(p))
        assert status["text"].message is not None
        assert "Camera text" in status["text"].message
        assert "Camera away" in (status["away"].message or "")
        assert "sesame" not in str(status)


def _settled(p: Pipeline) -> Any:
    cameras = p.status().cameras
    return cameras if cameras["text"].message and cameras["away"].message else None


def test_a_data_folder_is_used_by_one_pipeline_at_a_time(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.instance.LOCK_WAIT_S", 0.2)
    path = write(tmp_path, settings(film))
    with (
        Pipeline.from_yaml(path),
        pytest.raises(StoreError, match="is in use by another vigil"),
    ):
        Pipeline.from_yaml(path).start()


def test_a_pipeline_that_does_not_run_says_so(tmp_path: Path) -> None:
    p = Pipeline(sources={"door": "film.mp4"}, data=str(tmp_path / "data"))
    with pytest.raises(VigilError, match="not running"):
        next(p.events())


def test_events_wait_in_the_store_while_redis_is_away(camera: str, tmp_path: Path) -> None:
    data = settings(camera, rules=STAYS) | {"redis": "redis://:sesame@127.0.0.1:9/0"}
    with Pipeline.from_yaml(write(tmp_path, data)) as p:
        (problem,) = until(lambda: p.status().problems)
        assert "Redis" in problem
        assert "sesame" not in problem
        until(lambda: p.status().cameras["door"].events, seconds=60)
        assert list(p.events(timeout=0.1)) == []


def test_no_password_stands_in_a_command_line_or_environment(camera: str, tmp_path: Path) -> None:
    source = camera.replace("rtsp://", "rtsp://me:sesame@")
    with Pipeline.from_yaml(write(tmp_path, settings(source))) as p:
        until(lambda: all(worker.ready for worker in p.status().workers.values()))
        for pid in descendants(os.getpid()):
            assert b"sesame" not in Path(f"/proc/{pid}/cmdline").read_bytes()
            assert b"sesame" not in Path(f"/proc/{pid}/environ").read_bytes()


def test_a_dead_model_server_delays_nothing_and_leaves_events_unverified(
    camera: str, tmp_path: Path
) -> None:
    data = settings(camera, rules=STAYS)
    data["describer"] = {"model": "http://127.0.0.1:9", "deadline_s": 8}
    with Pipeline.from_yaml(write(tmp_path, data)) as p:
        events = p.events(timeout=60)
        created = next(events)
        assert (created.type, created.state) == (EventType.CREATED, State.DETECTED)
        judged = next(event for event in events if event.type is EventType.JUDGED)
        assert judged.id == created.id
        assert judged.state is State.UNVERIFIED
        assert judged.state_reason == "model_unavailable"
        assert judged.judge_reason
        assert judged.score == pytest.approx(created.score, abs=0.2)


@pytest.mark.parametrize(
    "victim",
    [
        "watch-cameras",
        pytest.param("publish", marks=pytest.mark.slow),
        pytest.param("judge", marks=pytest.mark.slow),
        pytest.param("embedded", marks=pytest.mark.slow),
    ],
)
def test_a_killed_worker_is_back_and_no_event_is_lost_or_doubled(
    camera: str, tmp_path: Path, victim: str
) -> None:
    data = settings(camera, rules=STAYS)
    if victim == "judge":
        data["describer"] = {"model": "http://127.0.0.1:9"}
    with Pipeline.from_yaml(write(tmp_path, data)) as p:
        events = p.events(timeout=90)
        seen = [next(events)]
        before = p.status().workers[victim].pid
        assert before is not None
        os.kill(before, signal.SIGKILL)
        until(lambda: (now := p.status().workers[victim]).ready and now.pid != before, seconds=5.0)
        for event in events:
            seen.append(event)
            if event.type is EventType.ENDED:
                break
    assert_whole(seen)
    assert len(by_id(seen)) == 1


def start_apart(path: Path) -> subprocess.Popen[str]:
    """A pipeline in a process of its own, which prints each event's id and version."""
    script = (
        "from pipeline import Pipeline\n"
        f"with Pipeline.from_yaml({str(path)!r}) as p:\n"
        "    for event in p.events(): print(event.id, event.version, flush=True)"
    )
    return subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ['PYTHONPATH']}"},
    )


def test_nothing_outlives_a_killed_supervisor_and_its_events_are_ended(
    camera: str, tmp_path: Path
) -> None:
    path = write(tmp_path, settings(camera, rules=STAYS))
    with start_apart(path) as process:
        assert process.stdout is not None
        event_id = process.stdout.readline().split()[0]
        tree = descendants(process.pid)
        assert len(tree) >= 4
        process.kill()
        until(lambda: all(gone(pid) for pid in tree), seconds=10)
    with Pipeline.from_yaml(path) as p:
        # The workers ended in order; what they committed last is published now.
        ended = next(event for event in p.events(timeout=30) if event.ended)
        assert ended.id == event_id


@pytest.mark.slow
def test_after_a_killed_tree_the_next_start_goes_on_with_its_events(
    camera: str, tmp_path: Path
) -> None:
    path = write(tmp_path, settings(camera, rules=STAYS))
    with start_apart(path) as process:
        assert process.stdout is not None
        event_id, version = process.stdout.readline().split()
        tree = {process.pid, *descendants(process.pid)}
        for pid in tree:
            os.kill(pid, signal.SIGSTOP)
        for pid in tree:
            os.kill(pid, signal.SIGKILL)
        until(lambda: all(gone(pid) for pid in tree), seconds=10)
    seen = []
    with Pipeline.from_yaml(path) as p:
        for event in p.events(timeout=40):
            seen.append(event)
            if event.type is EventType.ENDED:
                break
    assert {event.id for event in seen} == {event_id}
    assert [event.version for event in seen][-1] >= int(version) + 1


def test_events_of_a_camera_that_is_gone_are_ended(camera: str, tmp_path: Path) -> None:
    data = settings(camera, rules=STAYS)
    with start_apart(write(tmp_path, data)) as process:
        assert process.stdout is not None
        event_id = process.stdout.readline().split()[0]
        for pid in {process.pid, *descendants(process.pid)}:
            os.kill(pid, signal.SIGKILL)
    data["cameras"]["gate"] = data["cameras"].pop("door")
    p = Pipeline.from_yaml(write(tmp_path, data))
    with p, Store.open(p.config.data) as store:
        event = store.event(event_id)
        assert event is not None
        assert event.ended is not None


@pytest.mark.slow
def test_a_film_is_gone_on_with_after_its_worker_was_killed(film: Path, tmp_path: Path) -> None:
    with Pipeline.from_yaml(write(tmp_path, settings(film, rules=STAYS))) as p:
        events = p.events(timeout=60)
        seen = [next(events)]
        before = p.status().workers["watch-cameras"].pid
        assert before is not None
        os.kill(before, signal.SIGKILL)
        seen += events
    assert_whole(seen)
    assert len(by_id(seen)) == 2


@pytest.mark.slow
def test_a_server_that_moves_is_followed(camera: str, tmp_path: Path) -> None:
    with Pipeline.from_yaml(write(tmp_path, settings(camera, rules=STAYS))) as p:
        events = p.events(timeout=60)
        seen = [next(events)]
        url = p.redis_url
        with redis.Redis.from_url(url) as client:
            server = client.info("server")["process_id"]
        with socket.socket() as taker:
            taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            os.kill(server, signal.SIGKILL)
            port = int(url.split(":")[2].split("/")[0])
            until(lambda: _taken(taker, port))
            until(lambda: p.redis_url != url)
            seen += [next(event for event in events if event.type is EventType.ENDED)]
    assert seen[-1].id == seen[0].id


def _taken(taker: socket.socket, port: int) -> bool:
    try:
        taker.bind(("127.0.0.1", port))
        taker.listen()
    except OSError:
        return False
    return True


def test_a_pipeline_is_started_once(film: Path, tmp_path: Path) -> None:
    with (
        Pipeline.from_yaml(write(tmp_path, settings(film))) as p,
        pytest.raises(VigilError, match="running already"),
    ):
        p.start()
    p.start()
    assert p.stop()


def test_the_data_folder_is_for_its_owner_alone(film: Path, tmp_path: Path) -> None:
    with Pipeline.from_yaml(write(tmp_path, settings(film))) as p:
        next(p.events(timeout=60))
        data = p.config.data
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    pictures = list((data / "media").rglob("*.jpg"))
    assert pictures
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in pictures)
