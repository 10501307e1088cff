"""Every mistake is one sentence that names the key or camera and the remedy."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from tiny_detector import save_detector

CAMERA = "cameras: {door: {source: %s}}\n"


def _write(folder: Path, text: str) -> str:
    (folder / "streams.yaml").write_text(text)
    return "streams.yaml"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cameras: {door: {source: 'rtsp://me:sesame@192.0.2.1/', pasword: sesame}}", "cameras.door.pasword: unknown key; did you mean `password`?"),
        ("cameras: {door: {source: a, detect: {fps: fast}}}", "cameras.door.detect.fps: input should be a valid number"),
        ("cameras: {door: {source: a, zones: {step: [[0, 0], [1, 1]]}}}", "zones.step.polygon: a polygon needs at least 3 points, here are 2."),
        ("", "streams.yaml is empty; write at least `cameras:`"),
        ("cameras: {door: a}\nredis: localhost:6379", "redis: write `embedded`, or a redis://"),
        ("cameras: {door: 'rtsp://me:${SESAME}@192.0.2.1/'}", "cameras.door uses ${SESAME}, which is not set"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_wrong_configuration_ends_with_status_two(
    vigil: Any, tmp_path: Path, text: str, said: str, command: str
) -> None:
    done = vigil(command, _write(tmp_path, text))
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_missing_configuration(vigil: Any) -> None:
    done = vigil("run", "none.yaml")
    assert done.returncode == 2
    assert "There is no file none.yaml; write it, or let `vigil init URL` write it." in done.stderr


def test_check_says_of_each_camera_what_it_sends_or_why_not(
    vigil: Any, tmp_path: Path, film: Path
) -> None:
    (tmp_path / "notes.mp4").write_text("no film\n" * 100)
    (tmp_path / "nothing.mp4").touch()
    cameras = {
        "good": str(film),
        "text": "notes.mp4",
        "empty": "nothing.mp4",
        "missing": "none.mp4",
        "away": "rtsp://me:sesame@127.0.0.1:9/stream",
    }
    lines = "".join(f"  {key}: {source}\n" for key, source in cameras.items())
    done = vigil("check", _write(tmp_path, f"cameras:\n{lines}"))
    assert done.returncode == 1
    said = {
        line.split()[1].rstrip(":"): line
        for line in done.stdout.splitlines()
        if line.startswith("Camera")
    }
    assert set(said) == set(cameras)
    assert "h264, 768x576, 10 frames/s" in said["good"]
    for key in ("text", "empty", "missing", "away"):
        assert said[key].endswith(".")
    assert "127.0.0.1:9" in said["away"]


def test_a_run_whose_only_film_is_no_video_ends_with_status_one(vigil: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("no film\n" * 100)
    done = vigil("run", _write(tmp_path, CAMERA % "notes.mp4"))
    assert done.returncode == 1
    assert "vigil: Camera door:" in done.stderr


def test_a_data_folder_that_cannot_be_written(vigil: Any, tmp_path: Path, film: Path) -> None:
    (tmp_path / "taken").touch()
    done = vigil("run", _write(tmp_path, CAMERA % film + "data: taken/here\n"))
    assert done.returncode == 1
    assert "The data folder" in done.stderr
    assert "name another with `data:`" in done.stderr


def test_a_label_that_the_detector_does_not_know(vigil: Any, tmp_path: Path, film: Path) -> None:
    text = f"cameras: {{door: {{source: {film}, detect: {{labels: [persn]}}, rules: {{x: {{type: zone, labels: [persn]}}}}}}}}"
    for command, status in (("check", 1), ("run", 2)):
        done = vigil(command, _write(tmp_path, text))
        assert done.returncode == status
        assert "cameras.door" in done.stderr
        assert "did you mean 'person'?" in done.stderr
    assert len(done.stderr.splitlines()) == 1  # nothing was started


def test_a_detectors_model_that_is_not_there(vigil: Any, tmp_path: Path, film: Path) -> None:
    config = _write(tmp_path, CAMERA % film + "detector: {model: models/best.onnx}\n")
    for command, status in (("check", 1), ("run", 2)):
        done = vigil(command, config)
        assert done.returncode == status
        assert f"detector.model: there is no file {tmp_path}/models/best.onnx" in done.stderr
        assert "Traceback" not in done.stderr


def test_labels_of_another_model_are_not_compared_with_those_of_coco(
    vigil: Any, tmp_path: Path, film: Path
) -> None:
    save_detector(tmp_path)
    text = f"detector: {{model: tiny.xml}}\ncameras: {{door: {{source: {film}, rules: {{x: {{type: zone, labels: [%s]}}}}}}}}"
    known = vigil("check", "--seconds", "1", _write(tmp_path, text % "square"))
    assert known.returncode == 0, known.stderr
    assert "streams.yaml is valid" in known.stdout
    of_coco = vigil("check", "--seconds", "1", _write(tmp_path, text % "car"))
    assert of_coco.returncode == 1
    assert "the detector knows no label 'car'; it knows 'square', 'person'" in of_coco.stderr


def test_check_finds_a_model_that_is_none(vigil: Any, tmp_path: Path, film: Path) -> None:
    (tmp_path / "best.onnx").write_bytes(b"no model")
    config = _write(tmp_path, CAMERA % film + "detector: {model: best.onnx}\n")
    done = vigil("check", "--seconds", "1", config)
    assert done.returncode == 1
    assert "vigil: streams.yaml: The weights" in done.stderr
    assert "is valid" not in done.stdout


def test_a_model_that_is_not_there(vigil: Any, tmp_path: Path, film: Path) -> None:
    done = vigil("demo", "--source", str(film), "--vlm", "./no/such/model")
    assert done.returncode == 2
    assert "no/such/model" in done.stderr


def test_a_port_in_use(vigil: Any, film: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = vigil("simulate", str(film), "--port", str(port))
    assert done.returncode == 1
    assert f"Port {port} on 127.0.0.1 is in use" in done.stderr


def test_a_redis_that_refuses_is_told_and_the_cameras_go_on(
    vigil: Any, tmp_path: Path, film: Path
) -> None:
    text = CAMERA % film + "redis: redis://:sesame@127.0.0.1:9/0\n"
    done = vigil("run", _write(tmp_path, text), "--seconds", "8")
    assert "Redis at redis://" in done.stderr
    assert done.stderr.count("WARNING pipeline.following: Redis at redis://") == 1
    assert "Camera door is live." in done.stderr or "Camera door is ended." in done.stderr


def test_subscribing_where_nothing_runs(vigil: Any) -> None:
    done = vigil("subscribe")
    assert done.returncode == 1
    assert "No vigil runs here" in done.stderr
    done = vigil("subscribe", "--redis", "redis://:sesame@127.0.0.1:9/0")
    assert done.returncode == 1
    assert "127.0.0.1:9" in done.stderr


def test_simulating_what_is_no_film(vigil: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("no film\n" * 100)
    done = vigil("simulate", "notes.mp4", "--port", "0")
    assert done.returncode == 1
    assert "notes.mp4" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--size", "320"], "--size: It is of a sequence, which is not given"),
        ([".", "--seed", "3"], "--seed: It is of made streets, and a sequence is given"),
        ([".", "--made", "1"], "--made: It is of made streets, and a sequence is given"),
    ],
)
def test_an_option_of_no_effect_is_refused(vigil, arguments, said):
    done = vigil("bench", "tracking", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
