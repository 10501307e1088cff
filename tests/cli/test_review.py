"""`vigil review` and `vigil clip`, run as a user runs them."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from films import make_film
from happenings import NOW, clip_failed, clip_ready, created
from running import command, environment, until

from pipeline.media import LocalMedia
from pipeline.store import Store

EVENT = "01935b2e-0000-7000-8000-000000000001"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data folder of a finished run with one event and its raw clip."""
    folder = tmp_path / "data"
    with Store.open(folder) as store:
        store.amend(EVENT, created(), now=NOW)
        film = make_film(tmp_path / "film.mp4")
        LocalMedia(folder / "media").put_file(f"events/{EVENT}/clip.mp4", film)
        store.amend(EVENT, clip_ready(key=f"events/{EVENT}/clip.mp4"), now=NOW)
    return folder


def test_a_finished_run_is_reviewed_until_control_c(data: Path, tmp_path: Path) -> None:
    with subprocess.Popen(
        command("review", str(data), "--port", "0"),
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            said = process.stderr.readline()
            url = re.search(r"http://127\.0\.0\.1:\d+/", said)
            assert url, said
            assert "A person has stood" in httpx.get(url[0]).text
            made = httpx.post(f"{url[0]}api/v1/marks", json={"kind": "real", "event_id": EVENT})
            assert made.status_code == 201
            process.send_signal(signal.SIGINT)
            until(lambda: process.poll() is not None, 10)
            assert "Traceback" not in process.stderr.read()
        finally:
            process.kill()
    with Store.open(data) as store:
        assert store.marks.current([EVENT])[EVENT].kind == "real"


@pytest.mark.parametrize("name", [EVENT, EVENT[:12], "latest"])
def test_a_clip_is_saved(vigil: Any, data: Path, tmp_path: Path, name: str) -> None:
    done = vigil("clip", name, "-o", "out.mp4", "--data", str(data))
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.splitlines()) == 1
    original = LocalMedia(data / "media").get(f"events/{EVENT}/clip.mp4")
    assert (tmp_path / "out.mp4").read_bytes() == original


def test_a_clip_that_shows_what_masks_hide_is_saved_with_a_warning(
    vigil: Any, data: Path, tmp_path: Path
) -> None:
    warning = "shows what the camera's privacy masks hide"
    key = f"events/{EVENT}/annotated.mp4"
    with Store.open(data) as store:
        raw = clip_ready(key=f"events/{EVENT}/clip.mp4", restricted=True)
        store.amend(EVENT, raw, now=NOW)
        store.amend(EVENT, clip_ready(key=key, annotated=True), now=NOW)
    LocalMedia(data / "media").put_file(key, make_film(tmp_path / "drawn.mp4", frames=3))
    done = vigil("clip", EVENT, "-o", "raw.mp4", "--data", str(data))
    assert done.returncode == 0
    assert warning in done.stderr
    original = LocalMedia(data / "media").get(f"events/{EVENT}/clip.mp4")
    assert (tmp_path / "raw.mp4").read_bytes() == original
    done = vigil("clip", EVENT, "--annotated", "-o", "drawn.mp4", "--data", str(data))
    assert done.returncode == 0
    assert warning not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("clip", "none-such", "-o", "out.mp4"), "There is no event none-such"),
        (("clip", "latest", "--annotated", "-o", "out.mp4"), "has no annotated clip"),
        (("clip", "latest", "-o", "no/such/folder.mp4"), "cannot be written"),
        (("clip", "0193", "-o", "out.mp4"), "Several events begin with 0193"),
    ],
)
def test_what_cannot_be_saved_is_said_in_a_sentence(
    vigil: Any, data: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    if arguments[1] == "0193":
        with Store.open(data) as store:
            store.amend("01935b2e-other", created(), now=NOW)
    done = vigil(*arguments, "--data", str(data))
    assert done.returncode == 1
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_why_there_is_no_clip_is_said(vigil: Any, data: Path) -> None:
    with Store.open(data) as store:
        store.amend("z1", created(), now=NOW)
        store.amend("z1", clip_failed(), now=NOW)
    done = vigil("clip", "z1", "-o", "out.mp4", "--data", str(data))
    assert "The disk is full; free some space on it." in done.stderr


def test_a_folder_without_a_run_is_said_so(vigil: Any, tmp_path: Path) -> None:
    for arguments in (("review", "."), ("clip", "latest", "-o", "x.mp4", "--data", ".")):
        done = vigil(*arguments)
        assert done.returncode == 1
        assert "holds no events of vigil" in done.stderr
    done = vigil("review")
    assert "holds no events of vigil" in done.stderr


def test_an_address_that_is_none_is_said_so(vigil: Any, data: Path) -> None:
    done = vigil("review", str(data), "--listen", "nowhere.example")
    assert done.returncode == 2
    assert "--listen" in done.stderr
    done = vigil("review", str(data), "--listen", "192.0.2.7")
    assert done.returncode == 1
    assert "no address of this machine" in done.stderr
