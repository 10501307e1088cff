"""What cameras of the command line are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli.naming import named_cameras


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://192.0.2.1/stream?channel=1",
        "rtsp://me:a=b@192.0.2.1/stream",
        "me:a=b@192.0.2.1/stream",
        "films/day=1.mp4",
        "webcam:usb=1",
    ],
)
def test_a_sign_within_an_address_names_no_camera_and_one_before_it_does(address: str) -> None:
    assert list(named_cameras([address]).values()) == [address]
    assert named_cameras([f"door={address}"]) == {"door": address}


def test_an_address_may_be_longer_than_any_file_is_called() -> None:
    address = f"http://192.0.2.1/live?ticket={'x' * 5000}"
    assert named_cameras([f"door={address}"]) == {"door": address}


def test_a_film_that_is_there_is_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert named_cameras(["day=1.mp4"]) == {"day": "1.mp4"}
    (tmp_path / "day=1.mp4").touch()
    assert named_cameras(["day=1.mp4"]) == {"day-1": "day=1.mp4"}


def test_cameras_of_one_host_without_names_are_numbered_around_those_that_have_them() -> None:
    host = "rtsp://nvr.example/"
    assert list(named_cameras([f"{host}1", f"{host}2"])) == ["nvr-example", "nvr-example-2"]
    given = [f"nvr-example={host}1", f"{host}2", f"nvr-example-2={host}3", f"{host}4"]
    keys = list(named_cameras(given))
    assert len(set(keys)) == 4
    assert keys[0] == "nvr-example"
    assert keys[2] == "nvr-example-2"
