"""What `vigil bench detect` measures: the pipeline, the bare model and ultralytics' own loop, in
turn on the same film."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from films import make_film
from running import command, environment

from pipeline.bench import rival
from pipeline.bench.bare import Bare
from pipeline.bench.contestants import Absent, Contestant, Turn, total
from pipeline.bench.detect import (
    BARE,
    CAMERA,
    PIPELINE,
    RIVAL,
    STAGES,
    _device_of_rival,
    compared,
    every_frame,
    examine,
    film_config,
    measure_detect,
    table,
)
from pipeline.bench.machine import processor
from pipeline.bench.piped import Piped, WatchedPicture
from pipeline.bench.spread import spread
from pipeline.bench.target import Target, target
from pipeline.configfile import read_config
from pipeline.errors import ConfigError, FilmError, VigilError
from pipeline.sources.pictures import ArrayPicture
from pipeline.weights import packaged_weights


def turn(frames: int, seconds: float, cpu_s: float, **parts: float) -> Turn:
    return Turn(frames, seconds, cpu_s, parts)


def a_round(pipeline_s: float, bare_s: float, rival_s: float | None) -> dict[str, Turn]:
    parts = {"detected": 100, "decode": 0.2, "convert": 0.1, "track": 0.05, "rules": 0.05}
    found = {PIPELINE: turn(100, pipeline_s, 4.0, **parts), BARE: turn(100, bare_s, 3.0)}
    return found if rival_s is None else {**found, RIVAL: turn(100, rival_s, 8.0, boxes=3)}


@pytest.mark.slow
def test_all_three_take_turns_on_the_same_film_and_are_compared_round_by_round(tmp_path: Path):
    # Not imported here, where it would look for a way out.
    if importlib.util.find_spec("ultralytics") is None:
        pytest.skip("the extra `ultralytics` is missing")
    film = make_film(tmp_path / "film.mp4", frames=60, rate=10)
    config = film_config(film, {}, 64)
    found = json.loads(json.dumps(measure_detect(film, config, CAMERA, frames=30, repeat=2)))
    assert found["absent"] == {}
    assert found["frames"] == 30
    assert found["canvas"] == found["canvas_of_ultralytics"] == [64, 64]
    assert found["detected_share"] == 1.0
    for name, key in ((BARE, "ratio_to_bare"), (RIVAL, "ratio_to_ultralytics")):
        own, other = (found["frames_per_s"][one]["each"] for one in (PIPELINE, name))
        wanted = [a / b for a, b in zip(own, other, strict=True)]
        assert len(wanted) == 2
        assert found[key]["each"] == pytest.approx(wanted, abs=0.01)
    assert set(found["stages_cpu_ms"]) == set(STAGES)
    assert found["stages_cpu_ms"]["detect"] > found["stages_cpu_ms"]["rules"]
    assert {one["jobs"] for one in found["bare_settings"]} >= {1, 2, 3, 4}
    assert "| `ultralytics` |" in table(found)


def test_the_pipeline_detects_on_every_frame_even_where_nothing_moves(tmp_path: Path):
    film = make_film(tmp_path / "film.mp4", frames=90, rate=10)
    config = every_frame(film_config(film, {}, 64), CAMERA, examine(film, 60))
    piped = Piped({"config": config.for_worker(), "camera": CAMERA, "warm_up": 5})
    frames, parts = piped.work(80)
    assert frames == 80
    assert parts["detected"] == 80
    assert parts["decode"] > 0
    assert parts["convert"] > 0
    assert parts["track"] > 0
    assert piped.work(80)[0] == 5  # the film is over
    assert "OpenVINO" in piped.facts["detector"]


def test_a_cameras_own_settings_are_measured_its_masks_among_them(tmp_path: Path):
    film = make_film(tmp_path / "film.mp4", frames=40, rate=10)
    streams = tmp_path / "streams.yaml"
    streams.write_text(
        "cameras: {door: {source: 'rtsp://192.0.2.1/', detect: {size: 96, fps: 2},"
        " masks: [[[0, 0], [0.5, 0], [0.5, 1], [0, 1]]]}}"
    )
    config = every_frame(read_config(streams), "door", examine(film, 20))
    piped = Piped({"config": config.for_worker(), "camera": "door", "warm_up": 1})
    image = next(piped._frames).image()
    assert (image[60, 40].max(), image[20, 140].max()) == (0, pytest.approx(90, abs=4))
    assert piped.work(5)[1]["detected"] == 5
    assert target(config, "door", (160, 120)).canvas == (96, 96)


def test_a_model_of_a_fixed_size_is_measured_at_that_size(tmp_path: Path):
    """Whatever the camera's size: at a larger one the limit would be too low."""
    import openvino as ov

    model = ov.Core().read_model(packaged_weights())
    model.reshape([1, 3, 96, 96])
    ov.save_model(model, tmp_path / "fixed.xml")
    config = film_config(
        tmp_path / "a.mp4", {"model": str(tmp_path / "fixed.xml"), "backend": "openvino"}, 640
    )
    assert target(config, CAMERA, (160, 120)).canvas == (96, 96)


@pytest.mark.parametrize(
    ("backend", "device", "told"),
    [("openvino", "auto", "cpu"), ("onnx", "cuda:1", "cuda:1"), ("ultralytics", "auto", "")],
)
def test_ultralytics_runs_on_what_the_pipeline_runs_on(backend, device, told):
    runs = Target(backend, device, Path("model.onnx"), 640, (640, 480))
    assert _device_of_rival(runs) == told


def test_the_bare_model_runs_in_each_setting_that_is_asked_for(tmp_path: Path):
    film = make_film(tmp_path / "film.mp4", frames=10)
    settings = [{"hint": "throughput", "jobs": 2}, {"hint": "latency", "jobs": 1}]
    job = {
        "backend": "openvino",
        "device": "auto",
        "weights": str(packaged_weights()),
        "bfloat16": False,
        "film": str(film),
        "canvas": (64, 64),
        "home": str(tmp_path),
        "settings": settings,
        "warm_up": 1,
    }
    bare = Bare(job)
    assert bare.facts == {"settings": settings}
    assert bare.work({"setting": settings[1], "frames": 7}) == (7, {})
    with pytest.raises(Absent, match="backend own:detector"):
        Bare({**job, "backend": "own:detector"})


def test_ratios_are_of_the_same_round_and_spreads_are_told():
    found = compared([a_round(4, 2, 8), a_round(5, 4, 5), a_round(2, 1.8, 6)])
    assert found["ratio_to_bare"] == {
        "each": [0.5, 0.8, 0.9],
        "median": 0.8,
        "min": 0.5,
        "max": 0.9,
    }
    assert found["ratio_to_ultralytics"]["each"] == [2.0, 1.0, 3.0]
    assert found["cpu_ratio_to_bare"]["median"] == 0.75
    assert found["cpu_ratio_to_ultralytics"]["median"] == 2.0
    assert found["frames_per_s"][PIPELINE]["each"] == [25, 20, 50]
    assert found["stages_cpu_ms"] == {
        "decode": 2.0,
        "convert": 1.0,
        "detect": 36.0,
        "track": 0.5,
        "rules": 0.5,
    }


def test_where_ultralytics_is_missing_the_rest_is_told_and_why():
    found = compared([a_round(4, 2, None)])
    assert found["ratio_to_ultralytics"] is None
    assert found["frames_per_s"][RIVAL] is None
    assert found["ratio_to_bare"]["median"] == 0.5
    facts = {"detector": "d", "frames": 100, "film": "f", "canvas": [640, 480], "repeat": 1}
    told = table({**found, **facts, "absent": {RIVAL: rival.MISSING}})
    assert f"Not measured: {rival.MISSING}" in told
    assert "`ultralytics`" not in told


def test_a_missing_ultralytics_is_told_in_a_sentence(monkeypatch, tmp_path: Path):
    monkeypatch.setitem(sys.modules, "ultralytics", None)
    with pytest.raises(Absent, match="ultralytics is not installed"):
        rival.load(packaged_weights(), tmp_path)


def test_turns_are_added_up():
    assert total([turn(10, 1.0, 1.5, boxes=2), turn(20, 2.0, 2.5, boxes=3)]) == turn(
        30, 3.0, 4.0, boxes=5
    )


def test_a_spread_is_each_value_their_median_least_and_most():
    assert spread([3.0, 1.0, 2.00049]) == {
        "each": [3.0, 1.0, 2.0],
        "median": 2.0,
        "min": 1.0,
        "max": 3.0,
    }


def test_what_a_conversion_costs_is_counted_and_the_picture_is_as_before():
    image = np.random.default_rng(1).integers(0, 256, (1080, 1920, 3), np.uint8)
    spent_s: list[float] = []
    picture = WatchedPicture(ArrayPicture(image), spent_s)
    plain = ArrayPicture(image)
    assert picture.fingerprint() == plain.fingerprint()
    assert np.array_equal(picture.luma((64, 36)), plain.luma((64, 36)))
    assert spent_s == []
    assert np.array_equal(picture.bgr((640, 360)), plain.bgr((640, 360)))
    assert len(spent_s) == 1
    assert spent_s[0] > 0


def test_a_film_is_counted_up_to_what_is_wanted_and_one_that_is_too_short_refused(tmp_path: Path):
    film = make_film(tmp_path / "film.mp4", frames=40, rate=8)
    assert (examine(film, 100).frames, examine(film, 20).frames) == (25, 20)
    assert examine(film, 20).rate == pytest.approx(8)
    assert examine(film, 20).size == (160, 120)
    short = make_film(tmp_path / "short.mp4", frames=20)
    with pytest.raises(FilmError, match=r"short.mp4 has 20 frames, too few"):
        examine(short, 20)


def test_a_contestant_that_fails_says_why_in_one_sentence(tmp_path: Path):
    with (
        pytest.raises(VigilError, match=r"^pipeline.bench.none ended in the middle: .*No module"),
        Contestant("pipeline.bench.none", {}),
    ):
        pass
    film = make_film(tmp_path / "film.mp4")
    config = film_config(film, {}, 64)
    lost = config.model_copy(
        update={"detector": config.detector.model_copy(update={"model": str(tmp_path / "no.onnx")})}
    )
    with pytest.raises(ConfigError, match="detector.model: there is no file"):
        measure_detect(film, lost, CAMERA, frames=15, repeat=1)


def test_the_command_says_which_camera_is_missing(tmp_path: Path):
    (tmp_path / "streams.yaml").write_text(
        "cameras: {door: {source: door.mp4}, lawn: {source: lawn.mp4}}"
    )

    def told(*options: str) -> str:
        run = subprocess.run(
            command("bench", "detect", *options),
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
        )
        assert run.returncode == 2
        return run.stderr

    assert "name one with --camera; it has door, lawn" in told("--config", "streams.yaml")
    assert "no camera 'gate'" in told("--config", "streams.yaml", "--camera", "gate")
    assert "give --config" in told("--camera", "gate")


def test_the_processor_is_named(tmp_path: Path):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Fast One\n")
    assert processor(tmp_path / "cpuinfo") == "Fast One"
    assert processor(tmp_path / "nothing") != ""
