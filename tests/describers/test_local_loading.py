"""Loading a local model, and what can be wrong with its folder."""

from __future__ import annotations

import json
import shutil

import pytest

pytest.importorskip("transformers", reason="the extra `vlm` is not installed")

import torch

from pipeline.config import Describer
from pipeline.describers import load_describer, reply
from pipeline.describers.local import LocalDescriber
from pipeline.errors import ConfigError, ModelUnavailable
from pipeline.types import Outcome


def test_weights_that_are_no_weights_are_a_sentence(tiny_models, pictures, tmp_path):
    folder = shutil.copytree(tiny_models["plain"], tmp_path / "broken")
    (folder / "model.safetensors").write_bytes(b"not weights at all")
    with pytest.raises(ModelUnavailable, match=r"broken cannot be loaded \(.*\); name a") as caught:
        load_describer(Describer(model=str(folder)), pictures)
    assert "\n" not in str(caught.value)


def test_a_tokenizer_that_is_not_known_is_a_sentence(tiny_models, pictures, tmp_path):
    folder = shutil.copytree(tiny_models["plain"], tmp_path / "newer")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"]["type"] = "Unheard"
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(ModelUnavailable, match=r"newer cannot be loaded \(.*\); name a"):
        load_describer(Describer(model=str(folder)), pictures)


@pytest.mark.parametrize("error", [MemoryError(), Exception("at rtsp://me:secret@h/")])
def test_whatever_fails_in_loading_is_a_sentence(tiny_models, pictures, monkeypatch, error):
    def fails(*_, **__):
        raise error

    monkeypatch.setattr(LocalDescriber, "_single_tokens", fails)
    with pytest.raises(ModelUnavailable, match="cannot be loaded") as caught:
        load_describer(Describer(model=str(tiny_models["plain"])), pictures)
    assert "secret" not in str(caught.value)


def test_a_model_that_reads_no_pictures_is_a_sentence(tiny_models, pictures, tmp_path):
    folder = shutil.copytree(tiny_models["plain"], tmp_path / "text")
    config = json.loads((folder / "config.json").read_text())["text_config"]
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "llama"}))
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        load_describer(Describer(model=str(folder)), pictures)


def test_a_model_that_cannot_say_yes_or_no_is_a_sentence(tiny_models, pictures, monkeypatch):
    monkeypatch.setattr(reply, "NO", ("Never at all",))
    with pytest.raises(ModelUnavailable, match="has no single token for Yes or for No"):
        load_describer(Describer(model=str(tiny_models["plain"])), pictures)


@pytest.mark.parametrize(("amx", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_cpu_computes_in_what_it_is_fast_at(
    tiny_models, pictures, scene, monkeypatch, amx, dtype
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": amx})
    describer = LocalDescriber(Describer(model=str(tiny_models["Yes"])), pictures)
    assert describer._model.dtype is dtype
    assert describer.describe(scene, timeout_s=60).outcome is Outcome.YES


def test_code_that_comes_with_a_model_is_not_run(tiny_models, pictures, tmp_path):
    folder = shutil.copytree(tiny_models["plain"], tmp_path / "code")
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "own",
        "auto_map": {"AutoConfig": "own.Own", "AutoModelForImageTextToText": "own.Model"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        load_describer(Describer(model=str(folder)), pictures)
    assert not (tmp_path / "ran").exists()


def test_a_folder_that_vanished_is_a_configuration_error(pictures, tmp_path):
    with pytest.raises(ConfigError, match="there is no folder"):
        LocalDescriber(Describer(model=str(tmp_path / "gone")), pictures)
