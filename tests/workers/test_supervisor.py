"""Workers are started, kept running and stopped in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from running import gone, until

from pipeline import child
from pipeline.endings import Ending
from pipeline.errors import WorkerError
from pipeline.health import CameraState, Cause
from pipeline.posts import Infos, Spec
from pipeline.restarts import Policy
from pipeline.supervisor import Supervisor
from pipeline.workers.link import Order

TOY = Path(__file__).parent / "toy_worker.py"
COMMAND = child.command


@pytest.fixture(autouse=True)
def _toy_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "command", lambda kind, name: [sys.executable, str(TOY)])


@pytest.fixture
def supervise() -> Iterator[Callable[..., Supervisor]]:
    started: list[Supervisor] = []

    def start(*specs: Spec) -> Supervisor:
        supervisor = Supervisor(specs)
        supervisor.start()
        started.append(supervisor)
        return supervisor

    yield start
    for supervisor in started:
        supervisor.stop()


HASTY = Policy(first_s=0.01)


def spec(
    name: str,
    *,
    kind: str = "toy",
    tier: int = 0,
    stop_s: float = 5.0,
    informed: bool = False,
    essential: bool = True,
    silent_s: float = 30.0,
    policy: Policy = HASTY,
    subjects: tuple[str, ...] = (),
    split: Callable[[Ending], Sequence[Spec]] | None = None,
    **options: Any,
) -> Spec:
    return Spec(
        kind,
        name,
        lambda infos: Order(name=name, options=options),
        tier=tier,
        stop_s=stop_s,
        informed=informed,
        essential=essential,
        silent_s=silent_s,
        policy=policy,
        subjects=subjects,
        split=split,
    )


def test_a_worker_that_wants_to_know_is_told_how_the_cameras_are(
    supervise: Callable[..., Supervisor],
) -> None:
    supervisor = supervise(spec("watch", camera=True), spec("web", informed=True), spec("other"))

    def told(name: str) -> int:
        heartbeat = supervisor.status()[name].heartbeat
        return 0 if heartbeat is None else heartbeat.counters["cameras_told"]

    until(lambda: told("web") == 1)
    assert told("other") == 0
    assert supervisor.statuses().cameras["door"].state is CameraState.LIVE
    assert supervisor.stop()


def test_one_that_is_not_essential_is_given_a_rest_and_the_others_go_on(
    supervise: Callable[..., Supervisor],
) -> None:
    policy = Policy(quick=1, rest_s=2.0)
    supervisor = supervise(spec("one"), spec("page", essential=False, crash=True, policy=policy))
    until(lambda: supervisor.statuses().problems)
    (problem,) = supervisor.statuses().problems
    assert "page" in problem
    assert supervisor.failure is None
    assert supervisor.status()["one"].ready
    restarts = supervisor.status()["page"].restarts
    # After the rest it is tried again.
    until(lambda: supervisor.status()["page"].restarts > restarts)


def test_films_are_over_when_nobody_is_busy_with_what_they_showed(
    supervise: Callable[..., Supervisor],
) -> None:
    supervisor = supervise(spec("w", kind="watch", finish=True), spec("record", busy=True))
    until(lambda: (h := supervisor.status()["record"].heartbeat) and h.busy)
    until(lambda: supervisor.status()["w"].pid is None)
    assert not supervisor.finished
    other = supervise(spec("w", kind="watch", finish=True), spec("record"))
    until(lambda: other.finished)


def test_a_worker_tells_when_it_is_ready_and_beats(supervise: Callable[..., Supervisor]) -> None:
    supervisor = supervise(spec("one", url="here"))
    assert supervisor.wait_info("one", 20)["url"] == "here"
    until(lambda: supervisor.status()["one"].heartbeat)
    assert supervisor.stop()


def test_a_library_that_prints_does_not_disturb_the_messages(
    supervise: Callable[..., Supervisor],
) -> None:
    supervisor = supervise(spec("one", print=True, url="here"))
    assert supervisor.wait_info("one", 20)["url"] == "here"
    assert supervisor.stop()


def test_a_killed_worker_is_back_within_five_seconds(
    supervise: Callable[..., Supervisor],
) -> None:
    supervisor = supervise(spec("one"))
    before = supervisor.wait_info("one", 20)["pid"]
    os.kill(before, signal.SIGKILL)
    until(
        lambda: (
            supervisor.status()["one"].ready
            and supervisor.status()["one"].pid not in (before, None)
        ),
        seconds=5.0,
    )
    assert supervisor.status()["one"].restarts == 1
    assert supervisor.failure is None


def test_a_worker_that_keeps_crashing_fails_for_good_with_its_last_words(
    supervise: Callable[..., Supervisor],
) -> None:
    supervisor = supervise(spec("one", crash=True))
    failure = until(lambda: supervisor.failure, seconds=60)
    assert isinstance(failure, WorkerError)
    assert failure.worker == "one"
    assert "out of luck" in str(failure)
    assert supervisor.status()["one"].restarts == HASTY.quick


def test_a_worker_that_says_it_cannot_is_not_started_again(
    supervise: Callable[..., Supervisor],
) -> None:
    supervisor = supervise(spec("one", fail=True))
    failure = until(lambda: supervisor.failure)
    assert "The disk of" in str(failure)
    assert "sesame" not in str(failure)
    assert supervisor.status()["one"].restarts == 0


def test_a_worker_waits_for_what_it_needs_and_is_told_of_it(
    supervise: Callable[..., Supervisor],
) -> None:
    def order(infos: Infos) -> Order:
        return Order(name="second", options={"url": f"via {infos['first']['url']}"})

    supervisor = supervise(
        Spec("toy", "second", order, needs=("first",)), spec("first", tier=1, url="there")
    )
    assert supervisor.wait_info("second", 20)["url"] == "via there"


def test_workers_that_end_when_asked_make_an_orderly_stop(
    supervise: Callable[..., Supervisor],
) -> None:
    supervisor = supervise(spec("one"), spec("two", tier=1))
    pids = [supervisor.wait_info(name, 20)["pid"] for name in ("one", "two")]
    assert supervisor.stop()
    assert all(gone(pid) for pid in pids)


def test_a_worker_that_does_not_end_is_killed_and_the_stop_is_not_orderly(
    supervise: Callable[..., Supervisor],
) -> None:
    supervisor = supervise(spec("one", stubborn=True, stop_s=0.3))
    pid = supervisor.wait_info("one", 20)["pid"]
    assert not supervisor.stop()
    assert gone(pid)


def test_a_pipeline_is_finished_when_its_watch_workers_are(
    supervise: Callable[..., Supervisor],
) -> None:
    supervisor = supervise(spec("one", kind="watch", finish=True), spec("two"))
    until(lambda: supervisor.finished)
    assert supervisor.status()["one"].restarts == 0
    assert supervisor.failure is None


def test_a_silent_worker_is_taken_for_hung_and_started_again(
    supervise: Callable[..., Supervisor],
) -> None:
    supervisor = supervise(spec("one", silent_s=3.0))
    before = supervisor.wait_info("one", 20)["pid"]
    os.kill(before, signal.SIGSTOP)
    until(lambda: supervisor.statuses().workers["one"].restarts == {Cause.SILENT: 1})
    until(lambda: gone(before))


def watching(name: str, *cameras: str, policy: Policy = HASTY) -> Spec:
    """A worker that is wedged by the camera `bad`, and is parted from it."""

    def split(ending: Ending) -> Sequence[Spec]:
        if ending.suspects != ("bad",) or len(cameras) == 1:
            return ()
        others = (camera for camera in cameras if camera != "bad")
        alone = watching(f"{name}/bad", "bad", policy=Policy(quick=0, rest_s=0.1, longest_s=0.1))
        return (watching(name, *others), alone)

    return spec(
        name,
        kind="watch",
        subjects=cameras,
        policy=policy,
        split=split,
        cameras=cameras,
        wedged="bad",
    )


def test_a_worker_is_replaced_by_several_which_go_on_as_its_cameras(
    supervise: Callable[..., Supervisor],
) -> None:
    supervisor = supervise(watching("watch", "door", "bad", "gate"))
    until(lambda: "watch/bad" in supervisor.status())
    assert set(supervisor.statuses().cameras) == {"door", "bad", "gate"}
    until(lambda: supervisor.status()["watch"].ready)
    pid = supervisor.status()["watch"].pid
    until(lambda: supervisor.statuses().workers["watch/bad"].restarts.get(Cause.WEDGED, 0) >= 3)
    assert supervisor.failure is None
    assert supervisor.status()["watch"].pid == pid
    statuses = supervisor.statuses()
    assert statuses.workers["watch"].restarts == {Cause.WEDGED: 1}
    assert statuses.workers["watch"].cameras == ("door", "gate")
    assert statuses.cameras["door"].state is CameraState.LIVE
    bad = until(
        lambda: (
            (camera := supervisor.statuses().cameras["bad"]).state is CameraState.ERROR and camera
        )
    )
    assert "a native call for bad did not return" in bad.message
    assert supervisor.stop()


def test_if_every_worker_of_a_kind_is_lost_it_is_a_failure(
    supervise: Callable[..., Supervisor],
) -> None:
    hopeless = Policy(quick=0, rest_s=0.01, longest_s=0.01, hopeless=2)
    supervisor = supervise(
        spec("one", crash=True, policy=hopeless), spec("two", crash=True, policy=hopeless)
    )
    until(lambda: supervisor.failure)
    workers = supervisor.statuses().workers
    assert sum(worker.restarts[Cause.CRASHED] for worker in workers.values()) >= 3


def test_a_worker_that_is_started_again_is_told_how_its_predecessor_ended(
    supervise: Callable[..., Supervisor],
) -> None:
    supervisor = supervise(spec("one"), watching("watch", "door", "bad"))
    before = supervisor.wait_info("one", 20)
    assert before["predecessor"] is None
    began = datetime.now(UTC)
    os.kill(before["pid"], signal.SIGKILL)
    until(lambda: supervisor.info("one")["pid"] != before["pid"])
    told = supervisor.info("one")["predecessor"]
    assert (told["cause"], told["camera"]) == ("crashed", None)
    assert began <= datetime.fromisoformat(told["ended_at"]) <= datetime.now(UTC)
    for name, cameras in (("watch", ["door"]), ("watch/bad", ["bad"])):
        until(lambda name=name: name in supervisor.status() and supervisor.info(name))
        until(lambda name=name, cameras=cameras: supervisor.info(name).get("cameras") == cameras)
        told = supervisor.info(name)["predecessor"]
        assert (told["cause"], told["camera"]) == ("wedged", "bad")


def test_workers_end_when_their_supervisor_is_killed() -> None:
    script = (
        "import sys, time; from pipeline import child;"
        f"child.command = lambda kind, name: [sys.executable, {str(TOY)!r}];"
        "from pipeline.posts import Spec; from pipeline.supervisor import Supervisor; from pipeline.workers.link import Order;"
        "s = Supervisor([Spec('toy', 'one', lambda i: Order(name='one'))]); s.start();"
        "print(s.wait_info('one', 20)['pid'], flush=True); sys.stdin.read()"
    )
    root = str(Path(child.__file__).parent.parent)
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root
    ) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        process.kill()
        process.wait()
        until(lambda: gone(worker), seconds=10)


def test_a_start_that_fails_is_tried_again(
    supervise: Callable[..., Supervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    started = subprocess.Popen
    refusals = iter(range(2))

    def popen(*arguments: Any, **options: Any) -> Any:
        if next(refusals, None) is not None:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return started(*arguments, **options)

    monkeypatch.setattr("pipeline.child.subprocess.Popen", popen)
    supervisor = supervise(spec("one"))
    supervisor.wait_info("one", 20)
    assert supervisor.status()["one"].restarts == 2
    assert supervisor.failure is None


def test_a_supervisor_that_fails_says_so(
    supervise: Callable[..., Supervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    def order(infos: Infos) -> Order:
        raise KeyError("url")

    supervisor = supervise(Spec("toy", "one", order))
    failure = until(lambda: supervisor.failure)
    assert "supervisor" in str(failure)


def test_a_worker_that_is_told_anew_is_started_again_without_counting_as_a_crash(
    supervise: Callable[..., Supervisor],
) -> None:
    first_url = iter(f"url-{n}" for n in range(99))
    supervisor = supervise(
        Spec("toy", "first", lambda infos: Order(name="first", options={"url": next(first_url)})),
        Spec(
            "toy",
            "second",
            lambda infos: Order(name="second", options={"url": infos["first"]["url"]}),
            needs=("first",),
        ),
    )
    assert supervisor.wait_info("second", 20)["url"] == "url-0"
    os.kill(supervisor.wait_info("first", 20)["pid"], signal.SIGKILL)
    until(
        lambda: supervisor.status()["second"].ready and supervisor.info("second")["url"] == "url-1"
    )
    assert supervisor.status()["second"].restarts == 0


def test_a_worker_stopped_before_it_was_ready_had_nothing_to_put_in_order(
    supervise: Callable[..., Supervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "command", lambda kind, name: ["sleep", "60"])
    supervisor = supervise(spec("one", stop_s=0.1))
    until(lambda: supervisor.status()["one"].pid)
    assert supervisor.stop()


def test_a_supervisor_that_was_away_itself_kills_nobody(
    supervise: Callable[..., Supervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Every step counts as late, and every worker as silent for too long.
    monkeypatch.setattr("pipeline.supervisor.LATE_S", -1.0)
    supervisor = supervise(spec("one", silent_s=0.0))
    supervisor.wait_info("one", 20)
    before = supervisor._slots["one"].heard
    until(lambda: supervisor._slots["one"].heard > before + 0.5)
    assert supervisor.status()["one"].restarts == 0


def test_a_secret_in_a_workers_log_is_hidden(
    supervise: Callable[..., Supervisor], monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    script = "import sys; sys.stderr.write('open rtsp://me:sesame@host failed\\n'); sys.exit(3)"
    monkeypatch.setattr(child, "command", lambda kind, name: [sys.executable, "-c", script])
    supervisor = supervise(spec("one"))
    failure = until(lambda: supervisor.failure, seconds=60)
    assert "rtsp://***@host" in str(failure)
    assert "sesame" not in str(failure) + caplog.text


def test_the_command_lines_of_workers_of_a_kind_end_with_their_groups(
    supervise: Callable[..., Supervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[list[str]] = []

    def command(kind: str, name: str) -> list[str]:
        lines.append(COMMAND(kind, name))
        return [sys.executable, str(TOY)]

    monkeypatch.setattr(child, "command", command)
    names = ["watch-yard", "watch-street/gate", "web"]
    supervisor = supervise(*(spec(name, kind=name.partition("-")[0]) for name in names))
    until(lambda: all(worker.ready for worker in supervisor.status().values()))
    ends = {" ".join(line).rpartition("worker ")[2] for line in lines}
    assert ends == {"watch yard", "watch street/gate", "web"}


def test_nothing_is_imported_from_the_folder_a_user_happens_to_be_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    (tmp_path / "pipeline.py").write_text("raise SystemExit('hijacked')")
    done = subprocess.run(
        child.command("watch", "watch-yard"),
        cwd=tmp_path,
        env=child._environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 70
    assert "hijacked" not in done.stderr
