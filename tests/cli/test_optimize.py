"""`vigil optimize`, as a user runs it, on a detector so small that it takes seconds."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from films import make_film, shared
from handmade_choices import chosen
from running import command, environment
from small_disk import fill, small_disk
from tiny_detector import save_detector

from pipeline.choices import Asked, Choices, Host
from pipeline.configfile import read_config
from pipeline.detectors import load_detector

RULES = {"any": {"type": "zone", "labels": ["square"]}}
CALLS = 60
"""Seconds a run may take, NNCF's import included."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_detector(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("film") / "film.mp4", frames=240)


def installation(folder: Path, tiny: Path, cameras: dict[str, Any], **detector: Any) -> None:
    named = {
        key: {"source": str(source), "detect": {"size": 160}, "rules": RULES}
        for key, source in cameras.items()
    }
    keys = {"detector": {"model": str(tiny), **detector}, "cameras": named}
    (folder / "streams.yaml").write_text(yaml.safe_dump(keys))


def run(
    folder: Path, *arguments: str, cache: Path | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command("optimize", *arguments),
        cwd=folder,
        env=environment(XDG_CACHE_HOME=str(cache or folder / "cache")),
        capture_output=True,
        text=True,
        timeout=CALLS,
        check=False,
    )
    assert "Traceback" not in done.stderr + done.stdout
    assert "sesame" not in done.stderr + done.stdout
    return done


def test_candidates_are_compared_in_one_run_and_what_won_is_kept_and_used(
    tmp_path: Path, tiny: Path, film: Path
):
    installation(tmp_path, tiny, {"door": film, "away": tmp_path / "away.mp4"})
    # So much may be lost of a toy that something faster is sure to win.
    done = run(tmp_path, "--pictures", "40", "--loss", "0.5", "--json")
    assert done.returncode == 1  # one camera could not be read
    document = json.loads(done.stdout)
    assert "away.mp4" in document["cameras"]["away"]["problem"]
    door = document["cameras"]["door"]
    assert (door["problem"], door["calibration_pictures"]) == (None, 20)
    assert door["compared_pictures"] >= 20
    candidates = door["candidates"]
    assert candidates[0]["arithmetic"] == "float32"
    assert {one["arithmetic"] for one in candidates} >= {"float32", "int8"}
    assert {one["size"] for one in candidates} == {160, 128, 96, 64}
    assert all(one["reason"] and one["speed"]["pictures_per_s"] > 0 for one in candidates)
    assert candidates[0]["labels"]["square"]["reference"] == candidates[0]["reference"] >= 20
    (won,) = [one for one in candidates if one["won"]]
    models = tmp_path / "cache" / "vigil" / "models"
    kept = Choices.read(models).choices
    if won is candidates[0]:  # a machine on which so small a model cannot be made faster
        assert kept == ()
        return
    assert door["chosen"] == kept[0].model_dump(mode="json")
    assert (kept[0].arithmetic, kept[0].size) == (won["arithmetic"], won["size"])
    assert "Restart a vigil that runs" in done.stderr
    settings = read_config(tmp_path / "streams.yaml")
    loaded = load_detector(settings.detector, models)
    loaded.for_camera("door", settings.cameras["door"])
    assert loaded.description.endswith(f"{kept[0].name} at {kept[0].size} pixels for door")
    loaded.close()

    forgotten = run(tmp_path, "--forget", "door")
    assert forgotten.returncode == 0
    assert "Dropped what was chosen for 1 of 1 cameras" in forgotten.stdout
    assert Choices.read(models).choices == ()
    assert {path.name for path in models.glob("int8-*")} == set()
    assert "Nothing was chosen" in run(tmp_path, "--forget").stdout


def test_what_was_forgotten_is_one_document_on_demand(tmp_path: Path, film: Path, tiny: Path):
    installation(tmp_path, tiny, {"door": film, "yard": film})
    settings = read_config(tmp_path / "streams.yaml")
    made = chosen("yard", asked=Asked.by(settings.cameras["yard"]))
    models = tmp_path / "cache" / "vigil" / "models"
    models.mkdir(parents=True, exist_ok=True)
    Choices().having([made]).write(models)
    done = run(tmp_path, "--forget", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"cameras": ["door", "yard"], "forgotten": ["yard"]}
    again = run(tmp_path, "--forget", "yard", "--json")
    assert json.loads(again.stdout) == {"cameras": ["yard"], "forgotten": []}
    assert Choices.read(models).choices == ()


def test_the_table_says_of_each_candidate_why_it_won_or_lost(
    tmp_path: Path, tiny: Path, film: Path
):
    installation(tmp_path, tiny, {"door": film})
    done = run(tmp_path, "door", "--pictures", "40", "--loss", "0.001")
    assert done.returncode == 0, done.stderr
    assert "Camera door: " in done.stdout
    assert "detections of the float model" in done.stdout
    # To know that no more than a thousandth is lost takes thousands of detections.
    assert "too few detections to know" in done.stdout
    assert "won: no other one is both faster and within the loss" in done.stdout
    assert "Camera door: the float model stays, since " in done.stderr
    assert "or with more --pictures" in done.stderr
    assert Choices.read(tmp_path / "cache" / "vigil" / "models").choices == ()


def test_the_check_tells_what_was_chosen_and_whether_it_still_holds(
    tmp_path: Path, tiny: Path, film: Path
):
    installation(tmp_path, tiny, {"door": film})
    camera = read_config(tmp_path / "streams.yaml").cameras["door"]
    made = chosen(asked=Asked.by(camera), host=Host.here())
    models = tmp_path / "cache" / "vigil" / "models"

    def checked() -> str:
        return subprocess.run(
            command("check", "--seconds", "1"),
            cwd=tmp_path,
            env=environment(XDG_CACHE_HOME=str(tmp_path / "cache")),
            capture_output=True,
            text=True,
            timeout=CALLS,
            check=False,
        ).stdout

    Choices().having([made]).write(models)
    assert "Camera door is optimized: INT8 at 512 pixels, 2.1 times as fast (2026" in checked()
    Choices().having([chosen(asked=made.asked)]).write(models)
    assert "Camera door was optimized, but it was made on another processor" in checked()


def told(done: subprocess.CompletedProcess[str], status: int) -> str:
    """The one sentence with which a run failed."""
    assert done.returncode == status, done.stdout
    lines = [line for line in done.stderr.splitlines() if line.startswith("vigil: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_a_camera_that_is_not_there_is_named_with_those_that_are(
    tmp_path: Path, tiny: Path, film: Path
):
    installation(tmp_path, tiny, {"door": film})
    said = told(run(tmp_path, "dor"), 2)
    assert said == "vigil: There is no camera 'dor'; the configuration has door."


@pytest.mark.parametrize(
    ("detector", "said"),
    [
        ({"backend": "ultralytics"}, "detector.backend: ultralytics runs the model; there is not"),
        ({"backend": "openvino", "device": "gpu"}, "detector.device: gpu runs the model"),
        ({"model": "/away/model.onnx"}, "detector.model: there is no file /away/model.onnx"),
    ],
)
def test_a_detector_that_this_is_not_for_is_refused(
    tmp_path: Path, tiny: Path, film: Path, detector: dict[str, str], said: str
):
    installation(tmp_path, tiny, {"door": film}, **detector)
    assert said in told(run(tmp_path), 2)


def test_without_video_and_without_the_camera_it_is_said_why(tmp_path: Path, tiny: Path):
    installation(tmp_path, tiny, {"door": "rtsp://guard:sesame@127.0.0.1:9/stream"})
    done = run(tmp_path)
    assert done.returncode == 1
    assert "Camera door: rtsp://127.0.0.1:9/stream cannot be reached" in done.stderr


def test_a_full_disk_is_told_in_a_sentence(tmp_path: Path, tiny: Path, film: Path):
    installation(tmp_path, tiny, {"door": film})
    with small_disk(tmp_path / "disk", 1) as cache:
        (cache / "vigil" / "models").mkdir(parents=True)
        fill(cache)
        done = run(tmp_path, "--pictures", "40", "--loss", "0.5", cache=cache)
    assert "free some space there" in told(done, 1)


@pytest.mark.slow
def test_on_a_real_film_the_real_model_becomes_faster_within_the_loss(tmp_path: Path):
    cache = Path(os.environ["VIGIL_TEST_REAL_CACHE"]) / "vigil" / "simulate"
    films = [*cache.glob("45cddc94*.mp4")]
    film = films[0] if films else shared("intel/one-by-one-person-detection.mp4")
    keys = {"cameras": {"campus": {"source": str(film)}}}
    (tmp_path / "streams.yaml").write_text(yaml.safe_dump(keys))
    done = subprocess.run(
        command("optimize", "--json"),
        cwd=tmp_path,
        env=environment(XDG_CACHE_HOME=str(tmp_path / "cache")),
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    campus = json.loads(done.stdout)["cameras"]["campus"]
    (won,) = [one for one in campus["candidates"] if one["won"]]
    assert won["speed"]["speedup"] >= 1.3
    assert won["lost"] <= 0.03 * won["reference"]
    assert won["extra"] <= 0.03 * won["reference"]
