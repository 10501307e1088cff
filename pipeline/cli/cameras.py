"""`vigil init` and `check`: cameras before they are watched."""

from __future__ import annotations

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import dotenv
import platformdirs
import typer
import yaml

from pipeline.cli import app
from pipeline.config import Config
from pipeline.configfile import read_config, validate
from pipeline.errors import ConfigError, FilmError, VigilError
from pipeline.redact import redact
from pipeline.sources import CameraCheck, Probe, SourceOptions
from pipeline.sources import check as check_camera

AT_ONCE = 8
"""So many cameras are opened at the same time."""

HEADER = """\
# Written by `vigil init`. Check it with `vigil check {file}`, run it with `vigil run {file}`.
# Every key: docs/configuration.md. For help in an editor:
# yaml-language-server: $schema=docs/schemas/config.schema.json

site: home

# Without further keys a camera tells of every person, once per visit. To say where and how long:
#
#     zones:
#       step: [[0.1, 0.5], [0.9, 0.5], [0.9, 1.0], [0.1, 1.0]]   # in fractions of the still
#     rules:
#       lingers: {{type: loiter, zone: step, seconds: 30, severity: alert}}
#
# A vision-language model that looks at each event:
#
#     describer: {{model: http://127.0.0.1:8000}}

"""


@app.command()
def init(
    urls: Annotated[list[str], typer.Argument(help="Addresses of cameras.", metavar="URL...")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")] = Path(
        "streams.yaml"
    ),
    force: Annotated[bool, typer.Option(help="Overwrite the file.")] = False,
) -> None:
    """Look at cameras, save a still of each, and write a commented streams.yaml.

    Passwords go into `.env` beside it, readable by you alone, and the file refers to them.
    """
    if output.exists() and not force:
        raise ConfigError(f"{output} is there already; name another with -o, or give --force.")
    for url in urls:
        # As the configuration would be read: what is no address is told before anything is opened.
        validate({"cameras": {"camera": {"source": url}}}, where="vigil init", folder=Path.cwd())
    keys = camera_keys(urls)
    checks = _check_all({key: (url, SourceOptions()) for key, url in zip(keys, urls, strict=True)})
    cameras: dict[str, Any] = {}
    secrets: dict[str, str] = {}
    for key, url in zip(keys, urls, strict=True):
        found = checks[key]
        typer.echo(found.sentence)
        cameras[key] = {"source": _without_secrets(key, url, secrets)}
        if found.probe is not None:
            _save_still(output.parent / f"{key}.jpg", found.probe)
    _write(
        output, HEADER.format(file=output) + yaml.safe_dump({"cameras": cameras}, sort_keys=False)
    )
    typer.echo(f"Wrote {output}. Next: vigil check {output}, then vigil run {output}")
    if secrets:
        _write_secrets(output.parent / ".env", secrets)
    if any(found.error for found in checks.values()):
        raise typer.Exit(1)


@app.command()
def check(
    config: Annotated[Path, typer.Argument(help="The streams.yaml to check.")] = Path(
        "streams.yaml"
    ),
) -> None:
    """Validate a streams.yaml and open each of its cameras."""
    settings = read_config(config)
    problems = _check_models(settings)
    enabled = {key: camera for key, camera in settings.cameras.items() if camera.enabled}
    typer.echo(f"{config} is valid: {len(enabled)} of {len(settings.cameras)} cameras are enabled.")
    checks = _check_all(
        {key: (camera.address(), SourceOptions.of(camera)) for key, camera in enabled.items()}
    )
    for found in checks.values():
        typer.echo(found.sentence)
        problems |= found.error is not None
    if problems:
        raise typer.Exit(1)


def cache_folder() -> Path:
    """Where prepared films and compiled models are kept.

    Raises:
        FilmError: it cannot be made.
    """
    folder = platformdirs.user_cache_path("vigil")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FilmError(
            f"The cache folder {folder} cannot be made ({error.strerror}); "
            "name another with XDG_CACHE_HOME."
        ) from None
    return folder


def _check_all(cameras: dict[str, tuple[str, SourceOptions]]) -> dict[str, CameraCheck]:
    """Look at cameras, each an address and how it is opened."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(
            lambda item: check_camera(item[0], item[1][0], options=item[1][1]), cameras.items()
        )
        return dict(zip(cameras, found, strict=True))


def _check_models(settings: Config) -> bool:
    """Say what is wrong with the detector's labels and the describer; True if something is."""
    from pipeline.describers import validate
    from pipeline.detectors import known_labels

    problems = False
    try:
        for key, camera in settings.cameras.items():
            known_labels(key, camera)
        if settings.describer is not None:
            validate(settings.describer)
    except VigilError as error:
        sys.stderr.write(f"vigil: {error}\n")
        problems = True
    return problems


def camera_keys(urls: list[str]) -> list[str]:
    """A key for each camera, from its file name or host: made unique by a number."""
    keys: list[str] = []
    for url in urls:
        parts = urlsplit(url)
        name = Path(parts.path).stem if "://" not in url else (parts.hostname or "camera")
        key = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "camera"
        key = f"camera-{key}" if key[0].isdigit() else key
        taken = keys.count(key) or sum(1 for k in keys if re.fullmatch(rf"{re.escape(key)}-\d+", k))
        keys.append(key if not taken else f"{key}-{len(keys) + 1}")
    return keys


def _without_secrets(key: str, url: str, secrets: dict[str, str]) -> str:
    """The address with `${...}` in place of its password, which goes into `secrets`; in place of
    all of it where it holds secrets elsewhere."""
    if "://" not in url:
        return url if url.startswith("webcam:") else str(Path(url).resolve())
    name = re.sub(r"[^A-Z0-9]", "_", key.upper())
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    rest = urlunsplit(parts._replace(netloc=host))
    if redact(rest) == rest and parts.password is None and redact(url) == url:
        return url
    if redact(rest) == rest and parts.password is not None:
        secrets[f"{name}_PASSWORD"] = unquote(parts.password)
        user = quote(unquote(parts.username or ""), safe="")
        return urlunsplit(parts._replace(netloc=f"{user}:${{{name}_PASSWORD}}@{host}"))
    secrets[f"{name}_URL"] = url
    return f"${{{name}_URL}}"


def _save_still(path: Path, probe: Probe) -> None:
    import cv2

    written, data = cv2.imencode(".jpg", probe.frame.image())
    if written:
        _write(path, data.tobytes())
        typer.echo(f"Saved a still: {path}")


def _write_secrets(path: Path, secrets: dict[str, str]) -> None:
    path.touch(mode=0o600)
    for name, value in secrets.items():
        dotenv.set_key(path, name, value, quote_mode="always")
    path.chmod(0o600)
    typer.echo(f"The passwords are in {path}, readable by you alone.")


def _write(path: Path, content: str | bytes) -> None:
    try:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from None
