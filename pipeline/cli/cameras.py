"""`vigil init` and `check`: cameras before they are watched."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import dotenv
import platformdirs
import typer
import yaml
from rich.console import Console

from pipeline.cli import app
from pipeline.cli.camera_report import document, show
from pipeline.cli.checking import AT_ONCE, check_all
from pipeline.cli.naming import named_cameras
from pipeline.config import Camera, Config
from pipeline.configfile import read_config, read_environment, validate
from pipeline.errors import ConfigError, FilmError, SourceNotFound, VigilError
from pipeline.redact import redact
from pipeline.sources import CameraCheck, Probe, is_film
from pipeline.sources import check as check_camera
from pipeline.sources.measuring import DEFAULT_SECONDS

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
    urls: Annotated[
        list[str],
        typer.Argument(
            help="Addresses of cameras; door=URL calls one `door`.", metavar="[NAME=]URL"
        ),
    ],
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
    given = named_cameras(urls)
    _given(given, "vigil init")
    checks = _probe_all(given)
    _refuse_what_is_not_there(given, checks)
    cameras: dict[str, Any] = {}
    secrets = _Secrets(output.parent / ".env")
    for key, url in given.items():
        found = checks[key]
        typer.echo(found.sentence)
        cameras[key] = {"source": _without_secrets(key, url, secrets)}
        if found.probe is not None:
            _save_still(output.parent / f"{key}.jpg", found.probe)
    _write(
        output, HEADER.format(file=output) + yaml.safe_dump({"cameras": cameras}, sort_keys=False)
    )
    typer.echo(f"Wrote {output}. Next: vigil check {output}, then vigil run {output}")
    if secrets.kept:
        secrets.write()
    if any(found.error for found in checks.values()):
        raise typer.Exit(1)


@app.command()
def check(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            help="The streams.yaml to check, or addresses of cameras.",
            metavar="[FILE | URL...]",
            show_default="streams.yaml",
        ),
    ] = None,
    seconds: Annotated[
        float, typer.Option(help="Measure each camera for so long.", min=1, max=600)
    ] = DEFAULT_SECONDS,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Measure cameras and say what to do: validates a streams.yaml and reads each of its cameras
    for some seconds, or those whose addresses are given.
    """
    targets = targets or ["streams.yaml"]
    problems = False
    if len(targets) == 1 and Path(targets[0]).suffix in (".yaml", ".yml"):
        settings = read_config(Path(targets[0]))
        problem = _problem_with_models(settings)
        if problem is not None:
            sys.stderr.write(f"vigil: {targets[0]}: {problem}\n")
        problems = problem is not None
        cameras = {key: camera for key, camera in settings.cameras.items() if camera.enabled}
        if not as_json:
            enabled = f"{len(cameras)} of {len(settings.cameras)} cameras are enabled."
            typer.echo(enabled if problem else f"{targets[0]} is valid: {enabled}")
            for line in _optimized(settings, cameras):
                typer.echo(line)
    else:
        cameras = _given(named_cameras(targets), "vigil check")
    typer.echo(f"Measuring for {seconds:g} s...", err=True)
    checked = check_all(cameras, seconds)
    cores = os.cpu_count() or 1
    if as_json:
        typer.echo(json.dumps(document(checked, seconds=seconds, cores=cores), indent=2))
    else:
        show(checked, Console(), cores=cores)
    if problems or any(stream.error for streams in checked.values() for stream in streams):
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


def _given(addresses: Mapping[str, str], where: str) -> dict[str, Camera]:
    """The cameras of the command line, as the configuration would have them: what is no address of
    one is told before anything is opened or written.

    Raises:
        ConfigError: a name is none that a camera can have, or an address is none.
    """
    written = {key: {"source": address} for key, address in addresses.items()}
    return validate({"cameras": written}, where=where, folder=Path.cwd()).cameras


def _refuse_what_is_not_there(
    addresses: Mapping[str, str], checks: Mapping[str, CameraCheck]
) -> None:
    """Raises: ConfigError: nothing will ever answer at an address, or it is that of no file. That
    of a camera without its `rtsp://` is none, and its password would be written as it is."""
    for key, address in addresses.items():
        if is_film(address) and isinstance(checks[key].error, SourceNotFound):
            raise ConfigError(checks[key].sentence)


def _probe_all(cameras: Mapping[str, str]) -> dict[str, CameraCheck]:
    """Look at cameras, each an address."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(lambda item: check_camera(*item), cameras.items())
        return dict(zip(cameras, found, strict=True))


def _problem_with_models(settings: Config) -> VigilError | None:
    """What is wrong with the detector and its labels, the rules of the user's own and the
    describer. A model of the user's own is loaded: nothing else says whether it runs here."""
    from pipeline.describers import validate
    from pipeline.detectors import expected_labels, known_labels, load_detector, prepare
    from pipeline.rules import make_rules

    try:
        prepare(settings.detector)
        labels = expected_labels(settings.detector)
        own_code = ":" in settings.detector.backend
        if not own_code and (labels is None or settings.detector.device != "auto"):
            detector = load_detector(settings.detector)
            try:
                for key, camera in settings.cameras.items():
                    detector.for_camera(key, camera)
            finally:
                detector.close()
        elif labels is not None:
            for key, camera in settings.cameras.items():
                known_labels(key, camera, labels)
        for key, camera in settings.cameras.items():
            make_rules(key, camera)
        if settings.describer is not None:
            validate(settings.describer)
    except VigilError as error:
        return error
    return None


def _optimized(settings: Config, cameras: Mapping[str, Camera]) -> list[str]:
    """What `vigil optimize` chose for cameras, and whether that still holds, as far as it can be
    known without the model."""
    from pipeline.choices import Choices, Host
    from pipeline.detectors import model_folder

    if not settings.detector.optimized:
        return []
    choices, host = Choices.read(model_folder()), Host.here()
    lines = []
    for key, camera in cameras.items():
        chosen = choices.of(key, camera)
        if chosen is not None:
            why = chosen.stale(camera, chosen.model, host)
            lines.append(
                f"Camera {key} is optimized: {chosen.sentence} ({chosen.made:%Y-%m-%d})."
                if why is None
                else f"Camera {key} was optimized, but {why}: run `vigil optimize {key}` again."
            )
    return lines


class _Secrets:
    """Those of cameras by name, in a file of `NAME=value`."""

    def __init__(self, file: Path) -> None:
        """Raises: ConfigError: the file is there and cannot be read."""
        self._file = file
        self._there = read_environment(file)
        self.kept: dict[str, str] = {}

    def keep(self, name: str, value: str) -> str:
        """Remember a value, and give the name that refers to it. What stands in the file already
        may be another configuration's: another value gets another name."""
        known = self._there | self.kept
        name = next(n for n in _numbered(name) if known.get(n, value) == value)
        self.kept[name] = value
        return f"${{{name}}}"

    def write(self) -> None:
        file = self._file.resolve()  # a link stays one
        try:
            file.touch(mode=0o600)
            for name, value in self.kept.items():
                if name not in self._there:
                    dotenv.set_key(file, name, value, quote_mode="always")
            file.chmod(0o600)
        except OSError as error:
            raise ConfigError(f"{self._file} cannot be written: {error.strerror}.") from None
        typer.echo(f"The passwords are in {self._file}, readable by you alone.")


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}_{number}" for number in count(2))


def _without_secrets(key: str, url: str, secrets: _Secrets) -> str:
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
        password = secrets.keep(f"{name}_PASSWORD", unquote(parts.password))
        user = quote(unquote(parts.username or ""), safe="")
        return urlunsplit(parts._replace(netloc=f"{user}:{password}@{host}"))
    return secrets.keep(f"{name}_URL", url)


def _save_still(path: Path, probe: Probe) -> None:
    import cv2

    written, data = cv2.imencode(".jpg", probe.frame.image())
    if written:
        _write(path, data.tobytes())
        typer.echo(f"Saved a still: {path}")


def _write(path: Path, content: str | bytes) -> None:
    try:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from None
