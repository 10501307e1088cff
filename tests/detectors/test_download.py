"""Models at an address, from a real server that answers well and badly."""

from __future__ import annotations

import hashlib
import os
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.config import DetectorSection
from pipeline.detectors import load_detector, prepare
from pipeline.detectors.download import Limits, fetch
from pipeline.errors import ConfigError, WeightsError
from pipeline.weights import SHA256, packaged_weights

CONTENT = b"a model" * 20_000
RIGHT = hashlib.sha256(CONTENT).hexdigest()
SECRET = "s3cret-Pa55"


@dataclass
class FileServer:
    """Serves `files`, and what goes wrong by path; `asked` are the paths in order."""

    address: str
    files: dict[str, bytes] = field(default_factory=lambda: {"/model.onnx": CONTENT})
    asked: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    mine: FileServer

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.mine.asked.append(path)
        name = path.strip("/").partition(".")[0]
        with suppress(OSError):  # whoever finds it too large, or too slow, goes away
            if (answer := getattr(self, f"answer_{name}", None)) is not None:
                answer()
            elif path in self.mine.files:
                self.begin(len(self.mine.files[path]))
                self.wfile.write(self.mine.files[path])
            else:
                self.send_error(404)

    def answer_loop(self) -> None:
        self.redirect("/loop.onnx")

    def answer_moved(self) -> None:
        self.redirect("/model.onnx")

    def answer_half(self) -> None:
        self.begin(len(CONTENT))
        self.wfile.write(CONTENT[: len(CONTENT) // 2])

    def answer_silent(self) -> None:
        self.begin(len(CONTENT))
        self.wfile.write(CONTENT[:10])
        self.mine.released.wait(30)

    def answer_dripping(self) -> None:
        self.begin(None)
        while not self.mine.released.wait(0.01):
            self.wfile.write(b"x")

    def answer_endless(self) -> None:
        self.begin(None)
        while not self.mine.released.is_set():
            self.wfile.write(CONTENT)

    def redirect(self, to: str) -> None:
        self.send_response(302)
        self.send_header("Location", to)
        self.end_headers()

    def begin(self, length: int | None) -> None:
        self.send_response(200)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def server() -> Iterator[FileServer]:
    handler = type("Handler", (Handler,), {})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    mine = handler.mine = FileServer(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield mine
    mine.released.set()
    http.shutdown()
    thread.join()
    http.server_close()


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_model_is_downloaded_once_and_kept_by_its_checksum(server, tmp_path):
    path = fetch(f"{server.address}/model.onnx", RIGHT, tmp_path)
    assert path.read_bytes() == CONTENT
    assert path.name == "model.onnx"
    assert path.parent.name == RIGHT
    assert fetch(f"{server.address}/model.onnx", RIGHT.upper(), tmp_path) == path
    assert server.asked == ["/model.onnx"]


def test_a_file_that_was_altered_since_is_downloaded_anew(server, tmp_path):
    path = fetch(f"{server.address}/model.onnx", RIGHT, tmp_path)
    path.write_bytes(b"something else")
    assert fetch(f"{server.address}/model.onnx", RIGHT, tmp_path).read_bytes() == CONTENT


def test_another_file_than_the_one_meant_is_refused_and_not_kept(server, tmp_path):
    with pytest.raises(WeightsError, match=r"has the SHA-256 [0-9a-f]{64}, .*`detector.sha256`"):
        fetch(f"{server.address}/model.onnx", "0" * 64, tmp_path)
    assert left(tmp_path) == []


def test_a_server_that_sends_on_is_followed(server, tmp_path):
    assert fetch(f"{server.address}/moved.onnx", RIGHT, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing.onnx", "the server answers 404"),
        ("half.onnx", "the connection broke"),
        ("loop.onnx", "from one address to the next"),
        ("silent.onnx", "does not answer in time"),
        ("dripping.onnx", "was not complete after"),
        ("endless.onnx", "is larger than 1 MB"),
        ("large.onnx", "is larger than 1 MB"),
    ],
)
def test_what_does_not_come_whole_leaves_nothing(server, tmp_path, name, said):
    server.files["/large.onnx"] = b"0" * 1_000_001
    silent_s = 0.2 if name == "silent.onnx" else 30.0
    limits = Limits(connect_s=5.0, silent_s=silent_s, whole_s=0.5, size=1_000_000)
    with pytest.raises(WeightsError, match=said) as caught:
        fetch(f"{server.address}/{name}", RIGHT, tmp_path, limits)
    assert "\n" not in str(caught.value)
    assert left(tmp_path) == []


def test_a_server_that_is_not_there_is_told_of_in_a_sentence(tmp_path):
    with pytest.raises(WeightsError, match=r"http://127\.0\.0\.1:9/m\.onnx cannot be downloaded"):
        fetch("http://127.0.0.1:9/m.onnx", RIGHT, tmp_path)


def test_what_a_killed_download_left_is_removed_by_the_next(server, tmp_path):
    folder = tmp_path / "downloads" / RIGHT
    folder.mkdir(parents=True)
    for name, age_s in (("dead.part", 3600), ("at-work.part", 0)):
        (folder / name).write_bytes(b"half")
        then = time.time() - age_s
        os.utime(folder / name, (then, then))
    fetch(f"{server.address}/model.onnx", RIGHT, tmp_path)
    assert left(tmp_path) == ["at-work.part", "model.onnx"]


def test_a_folder_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "downloads").write_text("in the way")
    with pytest.raises(WeightsError, match="cannot be kept in .*XDG_CACHE_HOME"):
        fetch(f"{server.address}/model.onnx", RIGHT, tmp_path)


@pytest.mark.parametrize("path", ["/nothing.onnx", "/model.onnx"])
def test_no_message_holds_the_account_or_the_query_of_an_address(server, tmp_path, path, caplog):
    address = server.address.replace("//", f"//user:{SECRET}@") + f"{path}?signed={SECRET}"
    settings = DetectorSection(model=address, sha256="0" * 64)
    assert SECRET not in repr(settings)
    with caplog.at_level("DEBUG"), pytest.raises(WeightsError) as caught:
        prepare(settings, tmp_path)
    assert SECRET not in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert SECRET not in caplog.text


def test_what_is_no_address_is_refused_in_a_sentence():
    with pytest.raises(ValidationError, match="write an address such as"):
        DetectorSection(model="https://[half/model.onnx", sha256="0" * 64)


def test_a_downloaded_model_is_loaded(server, tmp_path):
    server.files["/yolo.onnx"] = packaged_weights().read_bytes()
    settings = DetectorSection(model=f"{server.address}/yolo.onnx", sha256=SHA256)
    detector = load_detector(settings, tmp_path)
    assert detector.description.startswith("yolo on OpenVINO")
    detector.close()


def test_a_pickle_is_refused_before_it_is_downloaded(server, tmp_path):
    settings = DetectorSection(model=f"{server.address}/best.pt", sha256=RIGHT)
    with pytest.raises(ConfigError, match=r"best\.pt is a pickle, .*`trust_pickle: true`"):
        load_detector(settings, tmp_path)
    assert server.asked == []


def test_an_address_that_names_no_file_is_refused(server, tmp_path):
    settings = DetectorSection(model=f"{server.address}/models?id=3", sha256=RIGHT)
    with pytest.raises(ConfigError, match="does not end in"):
        prepare(settings, tmp_path)
    assert server.asked == []
