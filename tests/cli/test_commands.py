"""The commands, run as a user runs them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from running import SMALL, command, descendants, environment, gone, until

from pipeline.cli.demo import CAMPUS
from pipeline.cli.run import run
from pipeline.configfile import read_config, validate
from pipeline.wire import event_schema

STAYS = {"stays": {"type": "loiter", "seconds": 3}}


def test_init_looks_saves_a_still_and_keeps_the_password_apart(
    vigil: Any, tmp_path: Path, camera: str
) -> None:
    url = camera.replace("rtsp://", "rtsp://me:sesame%21@")
    done = vigil("init", url)
    assert done.returncode == 0, done.stderr
    assert "h264, 768x576" in done.stdout
    text = (tmp_path / "streams.yaml").read_text()
    assert "sesame" not in text
    assert "#" in text
    (key, found) = next(iter(read_config(tmp_path / "streams.yaml").cameras.items()))
    assert found.address() == url
    assert (tmp_path / f"{key}.jpg").read_bytes().startswith(b"\xff\xd8")
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


def test_init_keeps_a_secret_in_a_query_apart(vigil: Any, tmp_path: Path) -> None:
    url = "http://127.0.0.1:9/video?user=me&password=sesame"
    assert vigil("init", url).returncode == 1  # nothing answers there, but the file is written
    assert "sesame" not in (tmp_path / "streams.yaml").read_text()
    (found,) = read_config(tmp_path / "streams.yaml").cameras.values()
    assert found.address() == url


def test_init_leaves_the_passwords_of_other_configurations_alone(
    vigil: Any, tmp_path: Path
) -> None:
    address = "rtsp://me:%s@127.0.0.1:9/stream"
    for name, password in (("one", "sesame"), ("two", "poppy"), ("three", "sesame")):
        vigil("init", "-o", f"{name}.yaml", address % password)
    for name, password in (("one", "sesame"), ("two", "poppy"), ("three", "sesame")):
        (camera,) = read_config(tmp_path / f"{name}.yaml").cameras.values()
        assert camera.address() == address % password
    assert len((tmp_path / ".env").read_text().splitlines()) == 2


def test_init_adds_to_the_file_of_passwords_and_leaves_what_stands_there(
    vigil: Any, tmp_path: Path
) -> None:
    address = "rtsp://me:sesame@127.0.0.1:9/stream"
    there = "export CAMERA_127_0_0_1_PASSWORD=sesame  # by the door\n"
    (tmp_path / "shared.env").write_text(there)
    (tmp_path / ".env").symlink_to("shared.env")
    vigil("init", address)
    assert (tmp_path / "shared.env").read_text() == there
    vigil("init", "--force", address.replace("sesame", "poppy"))
    assert (tmp_path / ".env").is_symlink()
    assert (tmp_path / "shared.env").read_text().startswith(there)
    (camera,) = read_config(tmp_path / "streams.yaml").cameras.values()
    assert camera.address() == address.replace("sesame", "poppy")
    assert stat.S_IMODE((tmp_path / "shared.env").stat().st_mode) == 0o600


def test_init_says_in_a_sentence_that_the_passwords_cannot_be_written(
    vigil: Any, tmp_path: Path
) -> None:
    (tmp_path / ".env").mkdir()
    done = vigil("init", "rtsp://me:sesame@127.0.0.1:9/stream")
    assert done.stderr.splitlines()[-1] == "vigil: .env cannot be written: Is a directory."
    assert "Traceback" not in done.stderr


def test_init_does_not_overwrite(vigil: Any, tmp_path: Path) -> None:
    (tmp_path / "streams.yaml").write_text("mine")
    assert vigil("init", "a.mp4").returncode == 2
    assert (tmp_path / "streams.yaml").read_text() == "mine"


def test_init_calls_cameras_what_it_is_told(vigil: Any, tmp_path: Path) -> None:
    nowhere = "rtsp://127.0.0.1:9/stream?a=b"
    vigil("init", f"till={nowhere}", nowhere, f"door={nowhere}")
    cameras = read_config(tmp_path / "streams.yaml").cameras
    assert list(cameras) == ["till", "camera-127-0-0-1", "door"]
    assert {camera.address() for camera in cameras.values()} == {nowhere}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("ftp://me:sesame@192.0.2.1/a.mp4", "ftp://192.0.2.1/a.mp4 cannot be opened; write an rtsp://, rtsps://, http:// or https:// address"),
        ("till=me:sesame@192.0.2.1/a", "there is no file 192.0.2.1/a; check the path; if it is the address of a camera, write rtsp:// in front."),
        ("Till=rtsp://127.0.0.1:9/", "cameras.Till: use lower-case letters"),
        ("door=rtsp://127.0.0.1:9/", "Two cameras are called 'door'; give each a name of its own."),
    ],
)  # fmt: skip
def test_init_refuses_what_can_be_no_camera_before_it_writes_anything(
    vigil: Any, tmp_path: Path, film: Path, given: str, said: str
) -> None:
    done = vigil("init", f"door={film}", given)
    assert done.returncode == 2
    assert said in done.stderr
    assert list(tmp_path.glob("*.jpg")) == list(tmp_path.glob("*.yaml")) == []


def test_a_subscriber_finds_the_installation_and_gets_valid_events(
    tmp_path: Path, camera: str
) -> None:
    settings = {"cameras": {"door": {"source": camera, **SMALL, "rules": STAYS}}}
    (tmp_path / "streams.yaml").write_text(yaml.safe_dump(settings))
    validator = Draft202012Validator(
        event_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    with subprocess.Popen(
        command("run", "streams.yaml"), cwd=tmp_path, env=environment(), stderr=subprocess.PIPE
    ) as running:
        try:
            reader = until(lambda: _subscriber(tmp_path))
            seen = []
            with reader:
                for line in reader.stdout:
                    envelope = json.loads(line)
                    validator.validate(envelope)
                    seen.append(envelope)
                    if envelope["type"] == "ended":
                        break
                reader.terminate()
        finally:
            running.send_signal(signal.SIGINT)
            assert running.stderr is not None
            running.stderr.read()
    assert running.returncode == 0
    assert [e["data"]["version"] for e in seen] == list(range(1, len(seen) + 1))
    assert len({e["subject"] for e in seen}) == 1
    assert seen[0]["type"] == "created"
    assert seen[0]["data"]["state"] == "unjudged"


def _subscriber(folder: Path) -> subprocess.Popen[str] | None:
    """A subscriber that has found the installation, if there is one yet."""
    reader = subprocess.Popen(
        command("subscribe", "--from-start", "--json", "--camera", "door"),
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        reader.wait(4)
    except subprocess.TimeoutExpired:
        return reader
    reader.communicate()
    return None


def test_the_demo_on_a_film_of_ones_own_ends_with_its_figures(
    vigil: Any, visit: Path, tmp_path: Path
) -> None:
    done = vigil("demo", "--source", str(visit), "--data", "run", timeout=120)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert set(figures) == {
        "cameras", "frames", "detections", "events", "first_event_s", "judged", "clips",
    }  # fmt: skip
    assert figures["cameras"] == 1
    assert figures["frames"] == 400
    assert figures["events"] == 1
    assert figures["judged"] == 0
    assert "Rules only: no vision-language model. To add one:" in done.stderr
    assert "A person" in done.stderr


def test_control_c_ends_a_demo_in_order_within_five_seconds(tmp_path: Path, camera: str) -> None:
    with subprocess.Popen(
        command("demo", "--source", camera, "--data", "run"),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert any("is live" in line for line in process.stderr)
        tree = descendants(process.pid)
        assert len(tree) >= 4
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
        assert time.monotonic() - began < 5
    assert process.returncode == 0
    assert json.loads(out.splitlines()[-1])["cameras"] == 1
    assert all(gone(pid) for pid in tree)


def test_control_c_before_anything_is_shown_ends_a_run_in_order(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "streams.yaml"
    config.write_text(yaml.safe_dump({"cameras": {"door": {"source": str(film), **SMALL}}}))
    workers: set[int] = set()
    others = descendants(os.getpid())  # of tests before this one

    def interrupted(path: Path | None) -> None:
        workers.update(descendants(os.getpid()) - others)
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.cli.run.log_to", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(config)
    assert workers
    assert all(gone(worker) for worker in workers)


def test_the_doctor_finds_what_the_tests_need(vigil: Any) -> None:
    done = vigil("doctor")
    assert done.returncode == 0, done.stdout
    for what in ("video decoder", "detector weights", "embedded Redis server", "disk"):
        assert f"ok      {what}" in done.stdout


def test_a_service_unit_runs_this_configuration(vigil: Any, tmp_path: Path, film: Path) -> None:
    (tmp_path / "streams.yaml").write_text(f"cameras: {{door: '{film}'}}")
    done = vigil("service", "install", "streams.yaml", "-o", "vigil.service")
    assert done.returncode == 0, done.stderr
    unit = (tmp_path / "vigil.service").read_text()
    assert f'-m pipeline run "{tmp_path}/streams.yaml"' in unit
    assert "systemctl enable --now vigil.service" in done.stdout
    analyze = shutil.which("systemd-analyze")
    if analyze:
        checked = subprocess.run(
            [analyze, "verify", str(tmp_path / "vigil.service")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "vigil.service:" not in checked.stderr


def test_a_service_unit_escapes_what_systemd_would_read(vigil: Any, tmp_path: Path) -> None:
    folder = tmp_path / 'my "50%" cameras'
    folder.mkdir()
    (folder / "streams.yaml").write_text("cameras: {door: a.mp4}")
    done = vigil("service", "install", str(folder / "streams.yaml"), "-o", "-")
    escaped = str(folder).replace("%", "%%").replace('"', '\\"')
    assert f'-m pipeline run "{escaped}/streams.yaml"' in done.stdout
    assert f'ReadWritePaths="{escaped}/vigil-data" ' in done.stdout


def test_the_version_is_printed(vigil: Any) -> None:
    assert vigil("--version").stdout.startswith("vigil ")


def test_the_demos_film_which_repeats_itself_is_not_taken_for_a_frozen_camera() -> None:
    camera = CAMPUS | {"source": "campus.mp4"}
    config = validate({"cameras": {"campus": camera}}, where="demo", folder=Path.cwd())
    assert config.cameras["campus"].health.frozen_after_s is None


@pytest.mark.slow
def test_the_demos_film_shows_what_its_page_says(tmp_path: Path) -> None:
    cache = Path(os.environ["VIGIL_TEST_REAL_CACHE"]) / "vigil" / "simulate"
    if not any(cache.glob("45cddc94*.mp4")):
        pytest.skip(f"the demo's film is not in {cache}; run `make demo` once")
    done = subprocess.run(
        command("demo", "--seconds", "36", "--data", str(tmp_path / "run")),
        cwd=tmp_path,
        env=environment(XDG_CACHE_HOME=str(cache.parent.parent)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["first_event_s"] <= 12
    events = [line for line in done.stderr.splitlines() if line.startswith("event:")]
    assert sum("A person is on the lawn" in line for line in events) == 2
    assert sum("has stayed on the path for 10 s (limit 10 s)" in line for line in events) == 1
