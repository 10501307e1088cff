"""`vigil simulate`, as a user runs it."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from films import make_film
from running import command, environment

import pipeline.cli.simulate
from pipeline.cli import app
from pipeline.errors import ConfigError, SourceNotFound
from pipeline.sources import open_source


@pytest.fixture
def yard(tmp_path: Path) -> Path:
    return make_film(tmp_path / "yard.mp4")


def test_many_cameras_one_of_them_faulty_and_what_they_have_sent(
    yard: Path, tmp_path: Path
) -> None:
    options = [
        "--cameras",
        "3",
        "--fault",
        "yard-2=not-found",
        "--fault-after",
        "0",
        "--port",
        "0",
        "--json",
    ]
    with subprocess.Popen(
        command("simulate", str(yard), *options),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as served:
        assert served.stdout is not None
        urls = json.loads(served.stdout.readline())["urls"]
        assert list(urls) == ["yard-1", "yard-2", "yard-3"]
        source = open_source("yard", urls["yard-1"])
        seen = sum(1 for _ in zip(source.frames(), range(8), strict=False))
        source.close()
        with pytest.raises(SourceNotFound):
            open_source("yard", urls["yard-2"])
        served.send_signal(signal.SIGINT)
        last = json.loads(served.stdout.read())
    assert served.returncode == 0
    assert last["sent"]["yard-1"]["pictures"] >= seen
    assert last["sent"]["yard-1"]["streams"] == 1
    assert last["sent"]["yard-3"]["pictures"] == 0
    assert last["cpu_s"] > 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--fault yrd=stall", "There is no camera yrd; choose one of yard."),
        ("--fault redirect:cellar", "There is no camera cellar; choose one of yard."),
        ("--tls-key key.pem", "--tls-key needs --tls-cert as well."),
        ("--tls-cert yard.mp4", "The certificate yard.mp4 cannot be used"),
        ("--tls-cert no.pem", "The certificate no.pem cannot be used (No such file"),
        ("--user guard", "--user needs a password in VIGIL_SIMULATE_PASSWORD."),
    ],
)
def test_what_cannot_be_simulated_is_told_in_a_sentence(
    yard: Path, options: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(yard.parent)
    monkeypatch.delenv("VIGIL_SIMULATE_PASSWORD", raising=False)
    with pytest.raises(ConfigError) as caught:
        app(["simulate", yard.name, "--port", "0", *options.split()], standalone_mode=False)
    assert str(caught.value).startswith(said)
    assert str(caught.value).endswith(".")


def test_a_wrong_fault_ends_the_command_with_status_two(vigil: Any, yard: Path) -> None:
    done = vigil("simulate", yard.name, "--fault", "stal")
    assert done.returncode == 2
    assert done.stderr.startswith("vigil: There is no fault 'stal'; choose one of no-answer, ")


@pytest.fixture
def ready_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cameras that are served, and that nobody watches."""
    run = lambda *_, on_ready, **__: on_ready({})  # noqa: E731
    monkeypatch.setattr(pipeline.cli.simulate, "run", run)


@pytest.mark.usefixtures("ready_at_once")
@pytest.mark.parametrize(
    ("options", "told"),
    [("", True), ("--cameras 2", True), ("--no-loop", False), ("--start 1", True)],
)
def test_a_film_that_will_be_taken_for_a_frozen_camera_is_told_of(
    yard: Path, options: str, told: bool, capsys: Any
) -> None:
    app(["simulate", str(yard), *options.split()], standalone_mode=False)
    said = capsys.readouterr().err
    assert said.startswith("yard: shorter than 60 s") is told
    assert ("`frozen_after_s: null`" in said) is told


@pytest.mark.usefixtures("ready_at_once")
def test_a_film_of_more_than_a_minute_is_not(tmp_path: Path, capsys: Any) -> None:
    film = make_film(tmp_path / "long.mp4", frames=122, rate=2)
    app(["simulate", str(film)], standalone_mode=False)
    assert capsys.readouterr().err == ""
    app(["simulate", str(film), "--start", "10"], standalone_mode=False)
    assert capsys.readouterr().err.startswith("long: shorter than 60 s")
