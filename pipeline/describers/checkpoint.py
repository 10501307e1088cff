"""Finds the files of a model that runs on this machine: the user's folder, or a model id that is
fetched once from the Hugging Face hub because the user named it. Imports nothing heavy until it
has to fetch."""

from __future__ import annotations

import importlib.util
import json
import logging
import re
from pathlib import Path

from pipeline import telemetry
from pipeline.config import Describer
from pipeline.errors import ConfigError, ModelUnavailable

logger = logging.getLogger(__name__)

MODEL_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
EXTRA = ("torch", "torchvision", "transformers", "PIL", "num2words")
"""Top-level modules of the extra `vlm`."""
FILES = ("*.json", "*.jinja", "*.model", "*.safetensors", "*.txt")
"""What is fetched: no pickles, no code."""


def require_extra() -> None:
    """Raises: ConfigError: the extra `vlm` is not installed."""
    missing = [name for name in EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"describer.model: to run a model here, {', '.join(missing)} must be installed: "
            "pip install 'vigil[vlm]', or name the address of a model server instead."
        )


def local_folder(model: str) -> Path | None:
    """The folder that `model` names, or None if it is a model id.

    Raises:
        ConfigError: it is neither.
    """
    path = Path(model).expanduser()
    if path.is_dir():
        return path
    if path.is_file():
        raise ConfigError(
            f"describer.model: {model} is a file; name the folder that holds config.json "
            "and the .safetensors files."
        )
    if MODEL_ID.fullmatch(model):
        return None
    raise ConfigError(
        f"describer.model: there is no folder {model}; name a folder that holds a model, a "
        "model id such as HuggingFaceTB/SmolVLM2-256M-Video-Instruct, or the address of a server."
    )


def problem(folder: Path) -> str | None:
    """What a folder lacks to be a model, in words, or None."""
    try:
        described = json.loads((folder / "config.json").read_bytes())
    except FileNotFoundError:
        return "holds no config.json"
    except (OSError, ValueError) as error:
        return f"has a config.json that cannot be read ({error})"
    if not isinstance(described, dict) or "model_type" not in described:
        return "has a config.json that names no model_type"
    index = folder / "model.safetensors.index.json"
    try:
        shards = set(json.loads(index.read_bytes())["weight_map"].values())
    except FileNotFoundError:
        if any(folder.glob("*.safetensors")):
            return None
        return "holds no .safetensors file (weights in pickles are never loaded)"
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return f"has a {index.name} that cannot be read"
    missing = sorted(str(shard) for shard in shards if not (folder / str(shard)).is_file())
    return f"lacks {missing[0]}" if missing else None


def check(folder: Path) -> None:
    """Raises: ConfigError: the folder holds no model that can be loaded."""
    if lack := problem(folder):
        raise ConfigError(
            f"describer.model: the folder {folder} {lack}; name a folder that holds a whole "
            "vision-language model as transformers saves it."
        )


def find(config: Describer) -> Path:
    """The folder of the configured model, fetched if it is not on this machine yet.

    Raises:
        ConfigError: there is no such folder, or no model in it.
        ModelUnavailable: the model cannot be fetched.
    """
    folder = local_folder(config.model)
    if folder is not None:
        check(folder)
        return folder
    telemetry.switch_off()
    return _cached(config) or _fetched(config)


def _cached(config: Describer) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(
            snapshot_download(
                config.model,
                revision=config.revision,
                allow_patterns=list(FILES),
                local_files_only=True,
            )
        )
    except LocalEntryNotFoundError:  # a fetch that broke off counts as none
        return None
    return folder if problem(folder) is None else None


def _fetched(config: Describer) -> Path:
    import httpx
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    what = config.model + (f" at {config.revision}" if config.revision else "")
    logger.warning(
        "Fetching the model %s from %s, because describer.model names it", what, constants.ENDPOINT
    )
    try:
        folder = Path(
            snapshot_download(config.model, revision=config.revision, allow_patterns=list(FILES))
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, httpx.HTTPError, ValueError) as error:
        raise ModelUnavailable(
            f"The model {what} is not on this machine and cannot be fetched "
            f"({type(error).__name__}); check the id and the network, or name a folder that "
            "holds it."
        ) from error
    if lack := problem(folder):
        raise ModelUnavailable(f"The model {what} {lack}; name another model.")
    return folder
