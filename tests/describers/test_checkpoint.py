from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.config import Describer
from pipeline.describers import checkpoint, validate
from pipeline.errors import ConfigError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FIND = """
import logging, sys
logging.basicConfig(format="%(message)s")
from pipeline.config import Describer
from pipeline.describers import checkpoint
from pipeline.errors import VigilError
try:
    folder = checkpoint.find(Describer(model=sys.argv[1]))
    print(*sorted(path.name for path in folder.iterdir()))
except VigilError as error:
    print(f"{type(error).__name__}: {error}")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with all that a look from outside can ask for."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "smolvlm"}')
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


asked: list[str] = []
"""The paths that the hub was asked for."""


class Hub(BaseHTTPRequestHandler):
    """As much of the hub's interface as a fetch of one model needs."""

    files = {  # noqa: RUF012 (a constant)
        "config.json": b'{"model_type": "smolvlm"}',
        "model.safetensors": b"weights",
        "pytorch_model.bin": b"a pickle",
        "modeling.py": b"code",
    }

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        asked.append(self.path)
        name = self.path.rpartition("/")[2].partition("?")[0]
        if self.path.startswith("/api/models/some/model/revision/"):
            listing = {
                "id": "some/model",
                "sha": COMMIT,
                "siblings": [{"rfilename": name} for name in self.files],
            }
            data = json.dumps(listing).encode()
        elif self.path.startswith("/api/models/some/model/tree/"):
            tree = [
                {"type": "file", "path": name, "size": len(data), "oid": name}
                for name, data in self.files.items()
            ]
            data = json.dumps(tree).encode()
        elif self.path.startswith("/some/model/resolve/") and name in self.files:
            data = self.files[name]
        else:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("ETag", f'"{name}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    asked.clear()
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def nowhere() -> Iterator[str]:
    with socket.socket() as taken:  # bound and not listening: a connection is refused
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def find(model: str, hub: str, cache: Path) -> subprocess.CompletedProcess[str]:
    """Find a model in a process whose hub and cache are these."""
    pytest.importorskip("huggingface_hub", reason="the extra `vlm` is not installed")
    environment = {key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"}
    return subprocess.run(
        [sys.executable, "-c", FIND, model],
        env={**environment, "HF_ENDPOINT": hub, "HF_HOME": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )


def test_a_named_model_is_fetched_once_saying_so_and_without_pickles_or_code(
    hub, nowhere, tmp_path
):
    done = find("some/model", hub, tmp_path)
    assert f"Fetching the model some/model from {hub}, because" in done.stderr
    assert done.stdout.split() == ["config.json", "model.safetensors"]
    assert all("some/model" in path for path in asked), asked

    again = find("some/model", nowhere, tmp_path)
    assert "Fetching" not in again.stderr
    assert again.stdout == done.stdout


def test_a_model_that_the_hub_does_not_have_is_a_sentence(hub, tmp_path):
    done = find("nobody/nothing", hub, tmp_path)
    assert done.stdout.startswith("ModelUnavailable: The model nobody/nothing is not on this mach")
    assert done.stdout.count("\n") == 1


def test_a_hub_that_does_not_answer_is_a_sentence(nowhere, tmp_path):
    done = find("some/model", nowhere, tmp_path)
    assert done.stdout.startswith("ModelUnavailable: The model some/model is not on this machine")
    assert "name a folder that holds it" in done.stdout


def test_a_whole_folder_is_found(folder):
    assert checkpoint.find(Describer(model=str(folder))) == folder


def test_a_home_folder_is_found(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    assert checkpoint.local_folder("~/model") == folder


def test_weights_in_shards_are_whole_only_with_every_shard(folder):
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert checkpoint.problem(folder) == "lacks model-2.safetensors"
    (folder / "model-2.safetensors").write_bytes(b"weights")
    assert checkpoint.problem(folder) is None


def break_no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def break_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def break_config_kind(folder: Path) -> None:
    (folder / "config.json").write_text("[]")


def break_no_weights(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def break_index(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text('{"weight_map": 3}')


@pytest.mark.parametrize(
    ("damage", "lack"),
    [
        (break_no_config, "holds no config.json"),
        (break_config, "config.json that cannot be read"),
        (break_config_kind, "names no model_type"),
        (break_no_weights, "holds no .safetensors file .weights in pickles are never loaded"),
        (break_index, "model.safetensors.index.json that cannot be read"),
    ],
)
def test_a_folder_that_holds_no_model_is_a_sentence(folder, damage, lack):
    damage(folder)
    with pytest.raises(ConfigError, match=f"describer.model: the folder {folder} .*{lack}.*; name"):
        validate(Describer(model=str(folder)))


@pytest.mark.parametrize("model", ["/no/such/folder", "./nothing", "../x", "~/nothing", "smolvlm"])
def test_what_is_neither_folder_nor_id_nor_address_is_a_sentence(model, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(ConfigError, match=f"describer.model: there is no folder {model}; name"):
        validate(Describer(model=model))


def test_a_file_is_not_a_folder(folder):
    file = folder / "model.safetensors"
    with pytest.raises(ConfigError, match="is a file; name the folder"):
        validate(Describer(model=str(file)))


def test_a_model_id_needs_no_network_to_be_valid():
    pytest.importorskip("transformers", reason="the extra `vlm` is not installed")
    validate(Describer(model="HuggingFaceTB/SmolVLM2-256M-Video-Instruct"))


def test_a_missing_extra_is_a_sentence_that_tells_how_to_install_it(folder, monkeypatch):
    monkeypatch.setattr(checkpoint, "EXTRA", ("json", "no_such_module"))
    with pytest.raises(ConfigError, match=r"no_such_module must be .*pip install 'vigil\[vlm\]'"):
        validate(Describer(model=str(folder)))


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:8000",
        "https://models.example.com/api/v1/",
        "http://user:password@192.0.2.3:80",
    ],
)
def test_an_address_is_valid_without_asking_it(address):
    validate(Describer(model=address))


@pytest.mark.parametrize(
    "address",
    ["http://", "http://:8000", "http://host:port", "http://h:70000", "http://a b", "http://h?x=1"],
)
def test_what_is_no_address_is_a_sentence(address):
    with pytest.raises(ConfigError, match="is not the address of a server; write one such as"):
        validate(Describer(model=address))


def test_a_wrong_address_is_told_without_its_password():
    with pytest.raises(ConfigError) as caught:
        validate(Describer(model="http://user:secret@host:port"))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("key", ["sécret", "secret\n", " secret"])
def test_a_key_that_cannot_be_sent_is_a_sentence_without_the_key(key):
    with pytest.raises(ConfigError, match=r"^describer.api_key holds") as caught:
        validate(Describer(model="http://127.0.0.1", api_key=key))
    assert key.strip() not in str(caught.value)


def test_importing_and_validating_load_no_heavy_library(folder):
    script = (
        "import sys, pipeline.describers as d; from pipeline.config import Describer\n"
        "from pipeline.describers import template\n"
        f"d.validate(Describer(model={str(folder)!r}))\n"
        "d.validate(Describer(model='http://127.0.0.1'))\n"
        "print(*{'torch', 'transformers', 'huggingface_hub', 'PIL', 'cv2'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
