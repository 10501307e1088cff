"""The embedded server keeps its data, its port and its folder to itself, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from happenings import python
from small_disk import fill, small_disk

from pipeline.bus import server
from pipeline.bus.embedded import EmbeddedRedis
from pipeline.bus.redis import RedisPublisher
from pipeline.errors import BusError

PATIENCE_S = 20.0


def until(condition: Callable[[], object]) -> None:
    """Wait for a condition to hold."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def connect(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, decode_responses=True, protocol=2)


def pid_of(url: str) -> int:
    with connect(url) as client:
        return int(client.info("server")["process_id"])


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "redis"


@pytest.fixture
def embedded(folder: Path) -> Iterator[EmbeddedRedis]:
    embedded = EmbeddedRedis(folder, port=free_port())
    yield embedded
    embedded.stop()


def test_it_answers_on_the_loopback_address_and_ends(embedded: EmbeddedRedis) -> None:
    assert not embedded.alive()
    url = embedded.start()
    pid = pid_of(url)
    assert embedded.alive()
    with connect(url) as client:
        assert client.config_get("bind") == {"bind": "127.0.0.1"}
        assert client.config_get("appendfsync") == {"appendfsync": "everysec"}
    embedded.stop()
    assert not embedded.alive()
    assert not is_running(pid)


def test_what_it_holds_outlives_it(embedded: EmbeddedRedis) -> None:
    with connect(embedded.start()) as client:
        client.xadd("vigil:events", {"id": "e1"})
    embedded.stop()
    with connect(embedded.start()) as client:
        assert [fields for _, fields in client.xrange("vigil:events")] == [{"id": "e1"}]


def test_it_comes_back_on_the_same_port(folder: Path, embedded: EmbeddedRedis) -> None:
    url = embedded.start()
    embedded.stop()
    again = EmbeddedRedis(folder, port=free_port())
    assert again.start() == url
    again.stop()


def test_it_takes_another_port_where_its_own_is_in_use_and_keeps_that(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        embedded = EmbeddedRedis(folder, port=taken)
        url = embedded.start()
        assert urlsplit(url).port != taken
        embedded.stop()
    assert embedded.start() == url
    embedded.stop()


def test_a_server_that_was_killed_is_started_again(embedded: EmbeddedRedis) -> None:
    url = embedded.start()
    pid = pid_of(url)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not embedded.alive())
    assert embedded.start() == url
    assert embedded.alive()
    assert pid_of(url) != pid


def test_a_server_that_does_not_end_in_order_is_killed(
    embedded: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "STOP_S", 0.1)
    pid = pid_of(embedded.start())
    os.kill(pid, signal.SIGSTOP)
    embedded.stop()
    assert not is_running(pid)


def test_it_outlives_the_thread_that_started_it(embedded: EmbeddedRedis) -> None:
    urls: list[str] = []
    thread = threading.Thread(target=lambda: urls.append(embedded.start()))
    thread.start()
    thread.join()
    with connect(urls[0]) as client:
        # A signal at the thread's end would have come by the time a second has begun.
        client.blpop(["nothing"], timeout=0.2)
    assert embedded.alive()


def test_ctrl_c_in_the_terminal_is_not_for_it(embedded: EmbeddedRedis) -> None:
    pid = pid_of(embedded.start())
    assert os.getsid(pid) != os.getsid(0)


def test_a_folder_in_use_is_left_alone(folder: Path, embedded: EmbeddedRedis) -> None:
    embedded.start()
    other = EmbeddedRedis(folder, port=free_port())
    with pytest.raises(BusError, match=rf"Another vigil uses .* {folder}; stop that one\."):
        other.start()
    assert embedded.alive()


HOLD = """
import sys
from pathlib import Path
from pipeline.bus.embedded import EmbeddedRedis
from pipeline.bus.redis import RedisPublisher
embedded = EmbeddedRedis(Path(sys.argv[1]), port=int(sys.argv[2]))
print(embedded.start(), flush=True)
sys.stdin.read()
"""


def hold(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """Another process that runs a server in the folder."""
    command, options = python(HOLD, folder, free_port())
    holder = subprocess.Popen(
        command, **options, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    return holder, holder.stdout.readline().strip()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends it with its parent")
def test_it_ends_with_the_process_that_started_it(folder: Path) -> None:
    holder, url = hold(folder)
    pid = pid_of(url)
    holder.kill()
    holder.communicate()
    until(lambda: not is_running(pid))


@pytest.mark.parametrize("stuck", [False, True])
def test_a_server_left_behind_is_ended_first(
    folder: Path, stuck: bool, monkeypatch: pytest.MonkeyPatch, embedded: EmbeddedRedis
) -> None:
    monkeypatch.setattr(server, "STOP_S", 0.5 if stuck else PATIENCE_S)
    holder, url = hold(folder)
    with connect(url) as client:
        client.xadd("vigil:events", {"id": "e1"})
        client.config_set("appendfsync", "always")
    pid = pid_of(url)
    # Stopped, it takes no notice of its parent's end.
    os.kill(pid, signal.SIGSTOP)
    holder.kill()
    holder.communicate()
    if not stuck:
        threading.Timer(0.1, os.kill, args=(pid, signal.SIGCONT)).start()
    with connect(embedded.start()) as client:
        assert not is_running(pid)
        assert client.xlen("vigil:events") == 1


def test_a_folder_that_cannot_be_written_is_told() -> None:
    with pytest.raises(BusError, match=r"cannot use its folder /proc/self .*make it writable"):
        EmbeddedRedis(Path("/proc/self")).start()


def test_a_server_that_cannot_start_is_told_with_its_reason(
    embedded: EmbeddedRedis, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.bus.embedded._put_damage_aside", lambda folder: False)
    with connect(embedded.start()) as client:
        client.set("a", "b")
    embedded.stop()
    (base,) = (folder / "appendonlydir").glob("*.base.rdb")
    base.write_bytes(b"REDIS0011" + b"\xff" * 100)
    with pytest.raises(BusError, match=rf"could not start in {folder} \(.+\); see server\.log"):
        embedded.start()
    # And nothing holds the folder after the failure.
    (folder / "appendonlydir").rename(folder / "aside")
    embedded.start()


def test_the_log_of_the_last_run_is_kept_and_no_more(embedded: EmbeddedRedis, folder: Path) -> None:
    for _ in range(3):
        embedded.start()
        embedded.stop()
    assert sorted(path.name for path in folder.glob("server.log*")) == [
        "server.log",
        "server.log.1",
    ]


def test_on_a_full_disk_it_refuses_writes_and_recovers(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=4) as disk:
        embedded = EmbeddedRedis(disk / "redis", port=free_port())
        try:
            url = embedded.start()
            ballast = fill(disk)
            with connect(url) as client:

                def takes_writes() -> bool:
                    try:
                        return bool(client.xadd("vigil:events", {"id": "x" * 1000}))
                    except redis.ResponseError as error:
                        if "MISCONF" not in str(error):
                            raise
                        return False

                until(lambda: not takes_writes())
                assert embedded.alive()
                with (
                    RedisPublisher(url, "test") as publisher,
                    pytest.raises(BusError, match="cannot write to its disk and takes nothing"),
                ):
                    publisher.rewind(1)
                ballast.unlink()
                until(takes_writes)
        finally:
            embedded.stop()


def test_on_a_full_disk_it_says_so_or_starts(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=2) as disk:
        fill(disk)
        with pytest.raises(BusError, match=f"embedded Redis .*{disk / 'redis'}"):
            EmbeddedRedis(disk / "redis", port=free_port()).start()


def test_a_file_damaged_by_a_power_cut_is_put_aside_and_the_server_starts(folder: Path) -> None:
    first = EmbeddedRedis(folder, port=free_port())
    with connect(first.start()) as client:
        for number in range(1000):
            client.xadd("vigil:events", {"number": number, "filler": "x" * 100})
    first.stop()
    written = max(folder.glob("appendonlydir/*.aof"), key=lambda file: file.stat().st_size)
    content = bytearray(written.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 200] = bytes(200)
    written.write_bytes(content)
    second = EmbeddedRedis(folder, port=free_port())
    with connect(second.start()) as client:
        assert client.xlen("vigil:events") == 0
    assert (folder / "appendonlydir.damaged" / written.name).read_bytes() == content
    second.stop()
