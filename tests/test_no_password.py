"""No camera's password is anywhere that people, logs or other programs read."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
import redis
import secrecy
import yaml
from films import make_film
from running import SMALL, command, descendants, environment, until

from pipeline.errors import SourceError
from pipeline.instance import running
from pipeline.simulate import Account, SimulatedCameras, in_thread, load
from pipeline.sources import open_source

USER, PASSWORD = "first.last", "Ünïque+42%"
WORDS = (PASSWORD, "sesame", "hunter2")
PAGES = ("/", "/metrics", "/api/openapi.json", "/api/v1/cameras", "/api/v1/events")


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A camera that wants the account, without it."""
    film = make_film(tmp_path / "film.mp4", frames=100, size=(320, 240))
    reel = load(film, tmp_path)
    with in_thread(SimulatedCameras({"door": reel}, port=0, account=Account(USER, PASSWORD))) as s:
        yield s.urls["door"]


def cameras(address: str) -> dict[str, dict[str, object]]:
    host = address.removeprefix("rtsp://")
    common = {**SMALL, "health": {"open_timeout_s": 2, "read_timeout_s": 2, "offline_after_s": 0}}
    sources: dict[str, dict[str, object]] = {
        "keys": {"source": address, "user": USER, "password": PASSWORD},
        "encoded": {"source": f"rtsp://{USER}:{quote(PASSWORD, safe='')}@{host}"},
        "pair": {
            "source": address,
            "user": USER,
            "password": PASSWORD,
            "record": {"source": address},
        },
        "refused": {"source": f"rtsp://{USER}:sesame@{host}"},
        "missing": {"source": f"rtsp://{USER}:{quote(PASSWORD, safe='')}@{host}/none"},
        "away": {"source": "rtsp://first.last:hunter2@127.0.0.1:9/stream?token=sesame"},
        "query": {"source": "http://127.0.0.1:9/video.cgi?user=a.b&password=sesame&pwd=hunter2"},
        "encodable": {"source": "rtsp://me:p@Ss-hunter2#1@127.0.0.1:9/s"},
        "schemeless": {"source": "me:hunter2@127.0.0.1/s"},
        "quoted": {"source": "http://127.0.0.1:9/s?psw=it'shunter2&userp%61ss=sesame"},
        "path": {"source": "rtsp://127.0.0.1:9/user=admin_password=sesame_channel=1"},
    }
    return {key: {**camera, **common} for key, camera in sources.items()}


def test_nothing_that_anybody_reads_of_a_running_installation_holds_a_password(
    address: str, tmp_path: Path
) -> None:
    settings = {"data": "data", "web": {"port": 0}, "cameras": cameras(address)}
    (tmp_path / "streams.yaml").write_text(yaml.safe_dump(settings))
    lines: list[str] = []
    told: dict[str, bytes] = {}
    with subprocess.Popen(
        command("run"),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as vigil:
        threading.Thread(target=lambda: lines.extend(vigil.stderr or ()), daemon=True).start()
        try:
            page = until(
                lambda: next((m[0] for x in list(lines) if (m := re.search(r"http://\S+", x))), ""),
                60,
            )
            with httpx.Client(base_url=page, timeout=10) as client:

                def states() -> dict[str, str]:
                    items = client.get("/api/v1/cameras").json()
                    return {i["key"]: i["status"]["state"] for i in items if i["status"]}

                wanted = {
                    "keys": "live",
                    "encoded": "live",
                    "pair": "live",
                    "refused": "refused",
                    "missing": "not_found",
                    "away": "unreachable",
                    "query": "unreachable",
                    "path": "unreachable",
                    "encodable": "not_found",
                    "schemeless": "not_found",
                    "quoted": "unreachable",
                }
                until(lambda: states() == wanted, 60)
                until(lambda: len(client.get("/api/v1/events").json()["items"]) >= 5, 30)
                for path in (*PAGES, *(f"/cameras/{key}" for key in wanted)):
                    told[path] = client.get(path).content
                for key in wanted:
                    told[key] = client.get(f"/api/v1/cameras/{key}/periods").content
            for pid in descendants(vigil.pid) | {vigil.pid}:
                for name in ("cmdline", "environ"):
                    told[f"{name} of {pid}"] = Path(f"/proc/{pid}/{name}").read_bytes()
            data = str((tmp_path / "data").resolve())
            (found,) = [one for one in running() if one.data == data]
            assert found.redis is not None
            told["the note of the installation"] = found.model_dump_json().encode()
            with redis.Redis.from_url(found.redis) as bus:
                entries = bus.xrange("vigil:events")
                assert len(entries) >= 5
                told["the stream"] = repr(entries).encode() + b"".join(
                    value for _, fields in entries for value in fields.values()
                )
        finally:
            vigil.send_signal(signal.SIGINT)
            vigil.wait(30)
    told["the terminal"] = "".join(lines).encode()
    assert {
        where: words for where, content in told.items() if (words := secrecy.leaks(content))
    } == {}
    assert secrecy.leaking_files(tmp_path / "data") == []


@pytest.mark.parametrize(
    "key",
    ["refused", "missing", "away", "query", "path", "encodable", "schemeless", "quoted"],
)
def test_no_exception_of_a_camera_that_cannot_be_opened_holds_a_password(
    address: str, key: str
) -> None:
    source = str(cameras(address)[key]["source"])
    with pytest.raises(SourceError) as caught:
        list(open_source(key, source).frames())
    told = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert secrecy.leaks(told.encode()) == []


def test_what_is_looked_for_would_be_found() -> None:
    # Not in pytest's own folder: that is searched at the end.
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "vigil.db").write_bytes(b"rtsp://a:" + quote(PASSWORD, safe="").encode())
        (Path(folder) / "streams.yaml").write_text(PASSWORD)
        (leak,) = secrecy.leaking_files(Path(folder))
        assert "vigil.db" in leak
    assert secrecy.leaks(os.fsencode("password=hunter2")) == ["hunter2"]
