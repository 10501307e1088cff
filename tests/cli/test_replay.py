"""`vigil replay`, as a user runs it."""

from __future__ import annotations

import json
import re
import runpy
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from running import ROOT, SMALL, command, environment, until

DOOR = {
    "name": "the door",
    "source": "rtsp://192.0.2.1/door",
    **SMALL,
    "zones": {"lawn": [[0.2, 0.5], [0.9, 0.5], [0.9, 1.0], [0.2, 1.0]]},
    "rules": {
        "there": {"type": "zone"},
        "lingers": {"type": "loiter", "zone": "lawn", "seconds": 10, "severity": "alert"},
    },
}


@pytest.fixture
def streams(tmp_path: Path) -> Path:
    path = tmp_path / "streams.yaml"
    path.write_text(yaml.safe_dump({"timezone": "Europe/Lisbon", "cameras": {"door": DOOR}}))
    return path


def test_two_replays_of_a_film_are_the_same_to_the_byte_and_say_what_fired(
    vigil: Any, visit: Path, tmp_path: Path, streams: Path
) -> None:
    runs = [
        vigil("replay", str(visit), "--json", "--mot", f"{n}.txt", "--start", "2026-11-25T22:00")
        for n in (1, 2)
    ]
    assert [run.returncode for run in runs] == [0, 0], runs[0].stderr
    assert runs[0].stdout == runs[1].stdout
    tracks = (tmp_path / "1.txt").read_bytes()
    assert tracks
    assert tracks == (tmp_path / "2.txt").read_bytes()
    (lingers,) = (json.loads(line) for line in runs[0].stdout.splitlines())
    assert lingers["film"] == str(visit)
    # The less severe rule found the same visit first.
    assert [(part["rule"], part["type"]) for part in lingers["rules"]] == [
        ("there", "zone"),
        ("lingers", "loiter"),
    ]
    assert lingers["rules"][0]["time_s"] < lingers["rules"][1]["time_s"] == lingers["time_s"]
    assert (lingers["camera"], lingers["rule"], lingers["type"]) == ("door", "lingers", "loiter")
    assert (lingers["severity"], lingers["zone"]) == ("alert", "lawn")
    # In the film the person comes for 6 s, stays for 24 s and goes for 6 s.
    assert 0 <= lingers["started_s"] < 6 < lingers["time_s"] < 20
    assert lingers["ended_s"] > 30
    assert 0 < lingers["score"] <= 1
    assert lingers["announced"]
    assert re.match(r"A person has stayed on the lawn for \d+ s .*22:00", lingers["rule_reason"])
    assert lingers["started"].startswith("2026-11-25T22:00:")
    assert lingers["tracks"][0]["label"] == "person"
    assert re.search(
        r"40 s of film in \d.* times real time\), \d+ looks, .* 1 event: lingers 1\.",
        runs[0].stderr,
    )


def test_for_people_an_event_is_a_line_and_without_a_configuration_a_person_is_one(
    vigil: Any, visit: Path, tmp_path: Path
) -> None:
    done = vigil("replay", str(visit), "--render", "drawn.mp4", "--fps", "2")
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert re.fullmatch(
        r" +0:0\d\.\d  camera  person  notice  0\.\d\d  A person is .*12:00\.", line
    )
    assert "There is no streams.yaml here" in done.stderr
    assert "does not say when it was taken: replayed as from Monday 01 January 2024" in done.stderr
    assert (tmp_path / "drawn.mp4").stat().st_size > 100_000


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["none.mp4"], 1, "Camera door: there is no file none.mp4; check the path."),
        (["streams.yaml"], 1, "Camera door: streams.yaml is not a video that can be read."),
        (["rtsp://me:sesame@192.0.2.1/"], 1, "rtsp://192.0.2.1/ is no film; name a video file"),
        (["a.mp4", "--camera", "dor"], 2, "There is no camera 'dor' in the configuration; did you"),
        (["a.mp4", "--config", "none.yaml"], 2, "There is no file none.yaml; write it"),
        (["a.mp4", "--start", "now"], 2, "'now' is no time to start at; write a date and time"),
        (["a.mp4", "b.mp4", "--mot", "x"], 2, "--mot and --render are of one film"),
        (["a.mp4", "--mot", "x", "--render", "x"], 2, "--mot and --render name the same file"),
        (["a.mp4", "--render", "none/x.mp4"], 1, "none/x.mp4 cannot be written (No such file"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(
    vigil: Any, streams: Path, arguments: list[str], status: int, said: str
) -> None:
    done = vigil("replay", *arguments)
    assert done.returncode == status
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"vigil: {said}")


def test_a_film_that_is_not_there_is_all_that_is_told_of_without_a_configuration(
    vigil: Any, visit: Path
) -> None:
    done = vigil("replay", str(visit), "none.mp4")
    assert done.returncode == 1
    assert done.stderr == "vigil: Camera camera: there is no file none.mp4; check the path.\n"


def test_ctrl_c_ends_it_and_leaves_nothing_half_written(
    visit: Path, tmp_path: Path, streams: Path
) -> None:
    with subprocess.Popen(
        command("replay", str(visit), "--mot", "tracks.txt"),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        until(lambda: list(tmp_path.glob(".tracks.txt.*")))
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=30)
    assert run.returncode == 130
    assert errors == ""
    assert {path.name for path in tmp_path.iterdir()} == {"streams.yaml"}


def test_the_example_of_the_page_runs(
    visit: Path, tmp_path: Path, streams: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    page = (ROOT / "docs" / "replay.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "visit.mp4").symlink_to(visit)
    (tmp_path / "example.py").write_text(example)
    runpy.run_path(str(tmp_path / "example.py"))
    assert "A person has stayed on the lawn" in capsys.readouterr().out


def test_the_page_names_every_key_of_a_line(vigil: Any, visit: Path, streams: Path) -> None:
    done = vigil("replay", str(visit), "--json", "--fps", "2")
    keys = set(json.loads(done.stdout.splitlines()[0]))
    page = (ROOT / "docs" / "replay.md").read_text()
    assert keys == set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
