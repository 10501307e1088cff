"""Describers answer a scene's question and describe it. Importing this imports none of the
libraries they need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from pipeline import config, telemetry
from pipeline.describers import checkpoint
from pipeline.errors import ConfigError
from pipeline.protocols import Describer, Media
from pipeline.redact import redact


def _local(settings: config.Describer, media: Media) -> Describer:
    checkpoint.require_extra()
    telemetry.switch_off()
    from pipeline.describers.local import LocalDescriber

    return LocalDescriber(settings, media)


def _remote(settings: config.Describer, media: Media) -> Describer:
    from pipeline.describers.remote import RemoteDescriber

    return RemoteDescriber(settings, media)


LOADERS: Mapping[str, Callable[[config.Describer, Media], Describer]] = {
    "local": _local,
    "remote": _remote,
}
"""Name -> loader; a loader raises ConfigError or ModelUnavailable."""


def load_describer(settings: config.Describer, media: Media) -> Describer:
    """The configured describer, ready to answer. Loading a local model takes seconds to minutes;
    a server is not asked before the first scene.

    Raises:
        ConfigError: what is configured cannot be a model; as `validate`.
        ModelUnavailable: the model cannot be fetched or loaded.
    """
    validate(settings)
    return LOADERS["remote" if settings.remote else "local"](settings, media)


def validate(settings: config.Describer) -> None:
    """Find what can be found wrong in a moment: no import of torch, no network.

    Raises:
        ConfigError: the folder does not exist or holds no model, the extra `vlm` is missing,
            or the address or key of a server cannot be one.
    """
    if settings.remote:
        _validate_address(settings)
        return
    folder = checkpoint.local_folder(settings.model)
    if folder is not None:
        checkpoint.check(folder)
    checkpoint.require_extra()


def _validate_address(settings: config.Describer) -> None:
    try:
        parts = urlsplit(settings.model)
        usable = bool(parts.hostname) and parts.port != 0 and not parts.query
    except ValueError:
        usable = False
    if not usable or any(char.isspace() for char in settings.model):
        raise ConfigError(
            f"describer.model: {redact(settings.model)} is not the address of a server; write "
            "one such as http://127.0.0.1:8000."
        )
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    if not (key.isascii() and key.isprintable()) or key != key.strip():
        raise ConfigError(
            "describer.api_key holds a space at an end or a character that cannot be sent; "
            "write it exactly as the server gave it."
        )
