"""`vigil check` on cameras that are there, and on what is not."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from films import make_film
from rtsp_camera import RtspCamera, Stream
from running import ROOT, command, environment, until

from pipeline.simulate import Reel, load
from pipeline.sources import thresholds


@pytest.fixture(scope="module")
def reel(tmp_path_factory: pytest.TempPathFactory) -> Reel:
    folder = tmp_path_factory.mktemp("reel")
    film = make_film(folder / "film.mp4", frames=300, rate=20, size=(320, 240), gop=20)
    return load(film, folder)


async def plays(stream: Stream) -> None:
    await stream.send(300, pause=0.05)


def test_each_camera_has_its_figures_and_what_to_do_about_them(
    vigil: Any, tmp_path: Path, reel: Reel
) -> None:
    with RtspCamera(reel, plays) as small, RtspCamera(reel, plays) as full:
        record = {"source": full.with_account("guard", "sesame")}
        cameras = {
            "yard": {"source": small.with_account("guard", "sesame"), "record": record},
            "away": "rtsp://guard:sesame@127.0.0.1:9/stream",
        }
        (tmp_path / "streams.yaml").write_text(
            yaml.safe_dump({"cameras": cameras}, sort_keys=False)
        )
        done = vigil("check", "--seconds", "2.5")
    assert done.returncode == 1
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert lines[0] == "streams.yaml is valid: 2 of 2 cameras are enabled."
    heads = [line for line in lines if line.startswith("Camera")]
    assert len(heads) == 3
    assert heads[0].startswith("Camera yard: h264, 320x240, 20 frames/s, first picture after")
    assert heads[1].startswith("Camera yard (record.source): h264, 320x240, 20 frames/s")
    assert heads[2].startswith("Camera away: rtsp://127.0.0.1:9/stream cannot be reached")
    names = ["opening", "video", "rate", "keyframes", "arrival", "loss", "times", "decoding"]
    names += ["conversion", "clock", "picture"]
    told = [line.split()[0] for line in lines if line.startswith("  ") and "->" not in line]
    assert told == names * 2
    assert "  keyframes   every 1.0 s, 20 frames, regular" in lines
    assert "  clock       unknown, the camera does not tell it" in lines
    assert sum("set `detect.size: 320`" in line for line in lines) == 1  # not of record.source
    assert "The difference of their clocks is unknown." in lines


def test_an_address_is_measured_directly_and_told_as_json(vigil: Any, reel: Reel) -> None:
    with RtspCamera(reel, plays) as camera:
        url = camera.with_account("guard", "sesame")
        done = vigil("check", url, "--seconds", "2", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["seconds"] == 2
    ((key, camera_told),) = document["cameras"].items()
    assert key == "camera-127-0-0-1"
    stream = camera_told["streams"]["source"]
    assert stream["error"] is None
    assert stream["measured"]["keyframes"]["interval_frames"] == 20
    assert "small" in [item["code"] for item in stream["advice"]]
    page = (ROOT / "docs" / "cameras.md").read_text()
    unknown = [name for name in _leaves(stream["measured"]) if f"`{name}`" not in page]
    assert unknown == ["clock"] or unknown == []  # where it is null, its parts are documented
    documented = set(re.findall(r"`(\w+\.\w+)`", page.partition("## When")[0]))
    parts = {name.partition(".")[0] for name in _leaves(stream["measured"])}
    assert {name.partition(".")[0] for name in documented} <= parts | {"detect", "record"}


def _leaves(value: dict[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for key, item in value.items():
        if isinstance(item, dict):
            found += _leaves(item, f"{prefix}{key}.")
        else:
            found.append(prefix + key)
    return found


def test_a_camera_that_cannot_be_had_is_told_in_the_json(vigil: Any) -> None:
    done = vigil("check", "rtsp://guard:sesame@127.0.0.1:9/stream", "--json")
    assert done.returncode == 1
    (camera,) = json.loads(done.stdout)["cameras"].values()
    stream = camera["streams"]["source"]
    assert stream["measured"] is None
    assert stream["error"]["cause"] == "unreachable"
    assert stream["error"]["sentence"].endswith(".")


def test_no_part_of_a_password_becomes_the_name_of_a_camera(vigil: Any) -> None:
    addresses = ["rtsp://admin:p@Ss-sesame#1@127.0.0.1:9/s", "admin:sesame@127.0.0.1"]
    for options in ([], ["--json"]):
        done = vigil("check", *addresses, *options, "--seconds", "1")
        assert done.returncode == 1
        assert "sesame" not in (done.stdout + done.stderr).lower()
    assert next(iter(json.loads(done.stdout)["cameras"])) == "camera-127-0-0-1"
    assert "percent-encoded" in done.stdout
    assert "write rtsp:// in front" in done.stdout


def test_control_c_ends_a_long_check_at_once(tmp_path: Path, reel: Reel) -> None:
    with (
        RtspCamera(reel, plays) as camera,
        subprocess.Popen(
            command("check", camera.url, "--seconds", "600"),
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        until(lambda: camera.connections)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in out + err


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["none.yaml"], 2, "There is no file none.yaml"),
        (["gopher://192.0.2.1/"], 1, "cannot be opened; write an rtsp://"),
        (["http://[192.0.2.1/"], 2, "this is not the address of a camera"),
        (["a.mp4", "--seconds", "0"], 2, "--seconds"),
    ],
)
def test_what_cannot_be_checked_is_told_in_a_sentence(
    vigil: Any, arguments: list[str], status: int, said: str
) -> None:
    done = vigil("check", *arguments)
    assert done.returncode == status
    assert said in done.stdout + done.stderr


def test_the_page_says_from_where_on_something_is_advised() -> None:
    page = (ROOT / "docs" / "cameras.md").read_text()
    said = {
        "long_keyframe_interval": f"{thresholds.LONG_KEYFRAMES_S:g} s",
        "irregular_keyframes": f"{thresholds.IRREGULAR_FACTOR:g} times",
        "decode_cost": f"{thresholds.DEAR_SHARE:.0%}",
        "machine": f"{thresholds.DEAR_TOGETHER:.0%}",
        "loss": f"{thresholds.LOST_SHARE:.1%}",
        "jitter": f"{thresholds.LATE_MS:g} ms",
        "pace": f"{thresholds.PACE:.0%}",
        "slow": f"{thresholds.SLOW_SHARE:.0%}",
        "slow_opening": f"{thresholds.LONG_OPENING_S:g} s",
        "clock": f"{thresholds.CLOCK_S:g} s",
        "pair_clocks": f"{thresholds.PAIR_CLOCK_S:g} s",
        "pair_shapes": f"{thresholds.ASPECT:.0%}",
        "times": f"{thresholds.ODD_TIMES} or more",
        "frozen": f"{thresholds.STILL_S:g} s or more",
        "dark": f"{thresholds.DARK:.0%}",
        "small": f"{thresholds.SMALL_SHARE:.0%}",
    }
    advised = page.partition("## When something is advised")[2]
    named = {name for name in vars(thresholds) if name.isupper()}
    assert len(named) == len(said)
    for code, limit in said.items():
        (row,) = [line for line in advised.splitlines() if line.startswith(f"| `{code}`")]
        assert limit in row.split("|")[2], code


def test_a_rule_of_ones_own_that_is_not_there_is_told_with_camera_and_rule(
    vigil: Any, tmp_path: Path
) -> None:
    rules = {"limps": {"type": "no_such_module:Limping"}}
    cameras = {"door": {"source": "none.mp4", "rules": rules}}
    (tmp_path / "streams.yaml").write_text(yaml.safe_dump({"cameras": cameras}))
    done = vigil("check", "--seconds", "1")
    assert done.returncode == 1
    assert "cameras.door.rules.limps.type: no_such_module:Limping cannot be imported" in done.stderr
