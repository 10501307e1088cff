"""The remote describer against a real server: `transformers serve` of the tiny model."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

pytest.importorskip("openai", reason="the extra `dev` with transformers[serving] is missing")

from pipeline.config import Describer
from pipeline.describers import load_describer
from pipeline.types import Outcome

START_S = 120.0


@contextmanager
def serving(model: Path, home: Path) -> Iterator[str]:
    """`transformers serve` of a folder, without any way to the hub; its address."""
    (home / "hub").mkdir(parents=True)  # it lists this folder's models and fails without it
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    environment |= {"HF_HUB_DISABLE_TELEMETRY": "1", "OMP_NUM_THREADS": "1"}
    command = Path(sys.executable).with_name("transformers")
    log = home / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [command, "serve", model, "--host", "127.0.0.1", "--port", str(port)],
            env=environment,
            stdout=output,
            stderr=output,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_S
        while not healthy(url):
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
        yield url
    finally:
        server.kill()
        server.wait()


def healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=1, trust_env=False).is_success
    except httpx.HTTPError:
        time.sleep(0.1)  # between two looks at a process that gives no sign
        return False


@pytest.fixture(scope="module")
def says_yes(tiny_models, tmp_path_factory) -> Iterator[str]:
    with serving(tiny_models["Yes"], tmp_path_factory.mktemp("serve") / "home") as url:
        yield url


def test_a_served_model_answers_with_question_probability_and_name(says_yes, pictures, scene):
    describer = load_describer(Describer(model=says_yes), pictures)
    verdict = describer.describe(scene, timeout_s=60)
    describer.close()
    # It says Yes to the question and to its inverse, which is what no answer looks like here.
    assert verdict.answers == ("Yes", "Yes")
    assert verdict.outcome is Outcome.UNSURE
    assert verdict.probability == 0.5
    assert verdict.question == scene.question
    assert verdict.model == "remote:yes"
    assert verdict.tokens > 0


def test_the_pictures_reach_the_served_model(says_yes, pictures, scene):
    def tokens(limit: int) -> int:
        describer = load_describer(Describer(model=says_yes, pictures=limit), pictures)
        try:
            return describer.describe(scene, timeout_s=60).tokens
        finally:
            describer.close()

    assert tokens(3) > tokens(1)


def test_a_name_that_is_not_served_is_a_sentence(says_yes, pictures, scene):
    from pipeline.errors import ModelUnavailable

    describer = load_describer(Describer(model=says_yes, name="other/model"), pictures)
    with pytest.raises(ModelUnavailable, match=r"status 400 .*pinned"):
        describer.describe(scene, timeout_s=60)
    describer.close()
