"""The demo's film: had, fetched or made."""

from __future__ import annotations

import hashlib
import http.server
import os
import shutil
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import av
import pytest
from films import make_film

from pipeline.errors import FilmError
from pipeline.simulate import film as film_module
from pipeline.simulate.fetching import Wanted, by_https, from_debian
from pipeline.simulate.film import VTEST, demo_film
from pipeline.simulate.made import MADE_FILM


def wanted(original: Path, url: str = "http://127.0.0.1:1/vtest.avi") -> Wanted:
    data = original.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    return Wanted("vtest.avi", len(data), digest, url, "opencv-doc", 96)


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """A film in the place of the real one."""
    (tmp_path / "theirs").mkdir()
    return make_film(tmp_path / "theirs" / "vtest.avi", frames=20, codec="mpeg4")


@contextmanager
def web_server(folder: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            return

    handler = partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_known_film_is_pinned() -> None:
    assert VTEST.url.startswith("https://raw.githubusercontent.com/opencv/opencv/")
    assert (VTEST.size, VTEST.sha256[:8]) == (8_131_690, "45cddc94")


def test_a_film_is_fetched_turned_to_h264_and_then_simply_there(
    tmp_path: Path, original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    cache = tmp_path / "cache"
    with web_server(original.parent) as url:
        monkeypatch.setattr(film_module, "VTEST", wanted(original, f"{url}/vtest.avi"))
        film = demo_film(cache, told.append)
    assert not film.made
    assert film.note is None
    assert "from http://127.0.0.1" in told[0]
    with av.open(str(film.path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
    told.clear()
    assert demo_film(cache, told.append) == film  # the server is gone
    assert told == []


def test_a_film_that_somebody_put_into_the_cache_is_used(
    tmp_path: Path, original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(film_module, "VTEST", wanted(original))
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / MADE_FILM).write_bytes(b"made before")
    assert demo_film(cache, lambda _: None, offline=True).made
    shutil.copy(original, cache / "vtest.avi")
    assert not demo_film(cache, lambda _: None, offline=True).made


def test_another_file_under_its_name_is_refused(tmp_path: Path, original: Path) -> None:
    target = tmp_path / "vtest.avi"
    with web_server(original.parent) as url:
        other = wanted(original, f"{url}/vtest.avi")
        original.write_bytes(original.read_bytes()[:-1] + b"\xff")
        with pytest.raises(FilmError, match="refused"):
            by_https(other, target, lambda _: None)
        original.write_bytes(b"x" * 10_000_000)  # it is not read to its end either
        with pytest.raises(FilmError, match="refused"):
            by_https(other, target, lambda _: None)
        with pytest.raises(FilmError, match="404"):
            by_https(wanted(original, f"{url}/nothing.avi"), target, lambda _: None)
    with pytest.raises(FilmError, match="cannot be had there"):
        by_https(other, target, lambda _: None)
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


def fake_apt(folder: Path, package: Path | None) -> None:
    """An apt-get that knows one package, already here, and writes down what it is asked."""
    copy = f'cp "{package}" .' if package else 'echo "E: Unable to locate package" >&2; exit 100'
    script = f"""#!/bin/sh
echo "$@" >> "{folder}/asked"
case "$*" in
    *print-uris*) {"true" if package else "exit 100"} ;;
    *download*) {copy} ;;
esac
"""
    (folder / "apt-get").write_text(script)
    (folder / "apt-get").chmod(stat.S_IRWXU)


def make_package(tmp_path: Path, original: Path | None) -> Path:
    if not shutil.which("dpkg-deb"):
        pytest.skip("this is no Debian: there is no dpkg-deb")
    tree = tmp_path / "tree"
    data = tree / "usr" / "share" / "doc" / "opencv-doc" / "examples" / "data"
    data.mkdir(parents=True)
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN" / "control").write_text(
        "Package: opencv-doc\nVersion: 1\nArchitecture: all\nMaintainer: nobody\nDescription: -\n"
    )
    (data / "a.txt").write_text("another file")
    if original:
        shutil.copy(original, data / "vtest.avi")
    package = tmp_path / "opencv-doc.deb"
    command = ["dpkg-deb", "--root-owner-group", "--build", str(tree), str(package)]
    subprocess.run(command, check=True, capture_output=True)
    return package


def test_a_film_is_taken_out_of_debians_package(
    tmp_path: Path, original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_apt(tmp_path, make_package(tmp_path, original))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    told: list[str] = []
    from_debian(wanted(original), tmp_path / "vtest.avi", told.append)
    assert (tmp_path / "vtest.avi").read_bytes() == original.read_bytes()
    assert len(told) == 1
    assert "opencv-doc (about 96 MB)" in told[0]
    assert "install" not in (tmp_path / "asked").read_text()


def test_a_package_without_the_film_or_with_another_one_is_refused(
    tmp_path: Path, original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    fake_apt(tmp_path, make_package(tmp_path, None))
    with pytest.raises(FilmError, match="holds no vtest"):
        from_debian(wanted(original), tmp_path / "vtest.avi", lambda _: None)
    shutil.rmtree(tmp_path / "tree")
    fake_apt(tmp_path, make_package(tmp_path, original))
    original.write_bytes(original.read_bytes() + b"x")
    with pytest.raises(FilmError, match="refused"):
        from_debian(wanted(original), tmp_path / "vtest.avi", lambda _: None)
    assert not (tmp_path / "vtest.avi").exists()


def test_a_package_that_cannot_be_had_is_told_in_a_sentence(
    tmp_path: Path, original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    fake_apt(tmp_path, None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(FilmError, match="knows no package opencv-doc"):
        from_debian(wanted(original), tmp_path / "vtest.avi", lambda _: None)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    told: list[str] = []
    with pytest.raises(FilmError, match="Unable to locate package"):
        from_debian(wanted(original), tmp_path / "vtest.avi", told.append)
    assert "Updating apt's package lists" in told[0]
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(FilmError, match="no apt-get"):
        from_debian(wanted(original), tmp_path / "vtest.avi", lambda _: None)


def test_where_nothing_can_be_had_a_film_is_made_and_says_so(tmp_path: Path) -> None:
    told: list[str] = []
    film = demo_film(tmp_path / "cache", told.append, offline=True)
    assert film.made
    assert film.note
    assert str(tmp_path / "cache") in film.note
    assert len(told) == 1
    with av.open(str(film.path)) as container:
        stream = container.streams.video[0]
        assert (stream.frames, stream.width, stream.height) == (800, 768, 576)
    told.clear()
    assert demo_film(tmp_path / "cache", told.append) == film  # and tries no network
    assert told == []


def test_a_cache_that_cannot_be_made_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FilmError, match="cannot be made"):
        demo_film(tmp_path / "file" / "cache", lambda _: None, offline=True)
