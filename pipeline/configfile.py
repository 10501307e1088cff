"""Reads streams.yaml: YAML with `${ENV}` references, defaults merged into cameras, and every
mistake told in one sentence with the line it stands on."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml
import yaml.parser
import yaml.scanner
from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError

from pipeline.config import Camera, Config
from pipeline.configwording import Path_, dotted, mistakes
from pipeline.errors import ConfigError

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_AUTHORITY = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)([^/]*@)(.*)$", re.DOTALL)
MAX_BYTES = 4_000_000
"""A configuration larger than this is some other file."""


class _Loader(yaml.SafeLoader):
    """Only `true` and `false` are truth values, as in YAML 1.2: `on` is a rule's key. Where a truth
    value is wanted, `on` and `yes` are read as one afterwards."""


_TRUTH = "tag:yaml.org,2002:bool"
_Loader.yaml_implicit_resolvers = {
    first: [known for known in resolvers if known[0] != _TRUTH]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_TRUTH, re.compile(r"^(true|True|TRUE|false|False|FALSE)$"), "tTfF")


def read_config(path: Path | str, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration in the file, its `data` folder resolved against the file's own folder.

    `${NAME}` is looked up in `environ`, then in a file `.env` beside the configuration.

    Raises:
        ConfigError: the file is missing, empty, not YAML or wrong; the message names the key.
    """
    path = Path(path)
    text = _read(path)
    folder = path.resolve().parent
    beside = read_environment(folder / ".env")
    return parse_config(text, where=str(path), folder=folder, environ={**beside, **environ})


def read_environment(path: Path) -> dict[str, str]:
    """The values of a file `.env` by name; none where there is no file.

    Raises:
        ConfigError: it is not text.
    """
    try:
        found = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{path} cannot be read as text.") from None
    return {name: value for name, value in found.items() if value}


def parse_config(
    text: str, *, where: str, folder: Path, environ: Mapping[str, str] = os.environ
) -> Config:
    """As `read_config`, from text; `where` names it in messages."""
    node, data = _load(text, where)
    if node is None:
        raise ConfigError(
            f"{where} is empty; write at least `cameras:` with one camera, "
            "or let `vigil init URL` write it."
        )
    lines = dict(_lines(node))
    _refuse_duplicates(node, where)
    if not isinstance(data, dict):
        raise ConfigError(f"{where} must be a mapping with the key `cameras`, not a {_kind(data)}.")
    data = _expand(data, (), environ, where)
    return validate(_with_defaults(data), where=where, folder=folder, lines=lines)


def validate(
    data: dict[str, Any],
    *,
    where: str,
    folder: Path,
    lines: Mapping[Path_, int] | None = None,
) -> Config:
    """The configuration in plain values; mistakes become one sentence each."""
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        told = mistakes(error, lines or {})
        raise ConfigError("\n".join(f"{where}: {line}" for line in dict.fromkeys(told))) from None
    cameras = {key: _anchored(camera, folder) for key, camera in config.cameras.items()}
    found: dict[str, Any] = {"data": folder / _at_home(config.data), "cameras": cameras}
    if config.storage.video is not None:
        video = folder / _at_home(config.storage.video)
        found["storage"] = config.storage.model_copy(update={"video": video})
    if config.detector.is_path:
        model = str(folder / _at_home(Path(config.detector.model)))
        found["detector"] = config.detector.model_copy(update={"model": model})
    return config.model_copy(update=found)


def _at_home(path: Path) -> Path:
    """The path with ~ resolved."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise ConfigError(f"{path}: there is no such user whose folder it could be.") from None


def _anchored(camera: Camera, folder: Path) -> Camera:
    """A camera whose files are found from the configuration's folder, wherever it is run."""

    def found(address: SecretStr) -> SecretStr:
        source = address.get_secret_value()
        if "://" in source or source.startswith("webcam:"):
            return address
        return SecretStr(str(folder / _at_home(Path(source))))

    anchored: dict[str, Any] = {"source": found(camera.source)}
    if camera.tls_ca is not None:
        anchored["tls_ca"] = folder / _at_home(camera.tls_ca)
    return camera.model_copy(update=anchored)


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path} is too large to be a configuration; name a streams.yaml.")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"There is no file {path}; write it, or let `vigil init URL` write it."
        ) from None
    except IsADirectoryError:
        raise ConfigError(f"{path} is a folder; name the streams.yaml in it.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not a text file; name a streams.yaml.") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None


def _load(text: str, where: str) -> tuple[yaml.Node | None, Any]:
    """The text as YAML nodes and as values.

    What is told of a mistake is its line and kind, never the text there: it may be a password.
    """
    try:
        node = yaml.compose(text, Loader=_Loader)
        if node is not None:
            _refuse_loops(node, ())
        return node, yaml.load(text, Loader=_Loader)  # noqa: S506  it is a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}" if error.problem_mark else "somewhere"
        structural = isinstance(error, yaml.scanner.ScannerError | yaml.parser.ParserError)
        kind = error.problem if structural else "an alias or tag that cannot be used here"
        raise ConfigError(f"{where} is not valid YAML: {line}, {kind}.") from None
    except yaml.YAMLError:
        raise ConfigError(f"{where} is not valid YAML: it holds a broken character.") from None
    except (ValueError, TypeError):
        raise ConfigError(
            f"{where} is not valid YAML: it holds a date that does not exist, or a key that is "
            "no text; put it into quotes."
        ) from None


def _refuse_loops(node: yaml.Node, above: tuple[int, ...]) -> None:
    """Raises: ValueError: an alias stands within what it stands for."""
    if id(node) in above:
        raise ValueError
    within = (*above, id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            _refuse_loops(key, within)
            _refuse_loops(value, within)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_loops(item, within)


def _kind(value: Any) -> str:
    return {list: "list", str: "text", int: "number", float: "number"}.get(type(value), "value")


def _lines(node: yaml.Node, path: Path_ = ()) -> Iterator[tuple[Path_, int]]:
    """The line of every key and list item."""
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _lines(value, (*path, key.value))
            yield (*path, key.value), key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _lines(value, (*path, index))


def _refuse_duplicates(node: yaml.Node, where: str, path: Path_ = ()) -> None:
    """YAML readers keep the last of two equal keys silently; a camera would vanish."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                raise ConfigError(
                    f"{where}: line {key.start_mark.line + 1}, {dotted((*path, key.value))} "
                    "is there twice; remove or rename one."
                )
            seen.add(key.value)
            _refuse_duplicates(value, where, (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _refuse_duplicates(value, where, (*path, index))


def _expand(value: Any, path: Path_, environ: Mapping[str, str], where: str) -> Any:
    if isinstance(value, dict):
        return {key: _expand(v, (*path, key), environ, where) for key, v in value.items()}
    if isinstance(value, list):
        return [_expand(v, (*path, i), environ, where) for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value

    def look_up(match: re.Match[str]) -> str:
        found = environ.get(match[1])
        if found is None:
            raise ConfigError(
                f"{where}: {dotted(path)} uses ${{{match[1]}}}, which is not set; "
                f"write {match[1]}=... into .env beside the file, or export it."
            )
        return found

    url = _AUTHORITY.match(value)
    if url is None:
        return _REFERENCE.sub(look_up, value)
    # An account in an address must be percent-encoded; what the environment holds is not.
    account = _REFERENCE.sub(lambda m: quote(look_up(m), safe=""), url[2])
    return url[1] + account + _REFERENCE.sub(look_up, url[3])


def _with_defaults(data: dict[str, Any]) -> dict[str, Any]:
    """`data` with `defaults` merged into each camera, key by key; wrong shapes are left alone."""
    defaults, cameras = data.get("defaults"), data.get("cameras")
    if not isinstance(cameras, dict):
        return data
    shared = defaults if isinstance(defaults, dict) else {}
    merged = {}
    for key, camera in cameras.items():
        if isinstance(camera, str):
            camera = {"source": camera}
        if isinstance(camera, dict):
            camera = dict(camera)
            for part in ("detect", "record", "health"):
                own = camera.get(part, {})
                if isinstance(shared.get(part), dict) and isinstance(own, dict):
                    camera[part] = {**shared[part], **own}
            if "rules" in shared:
                camera.setdefault("rules", shared["rules"])
        merged[key] = camera
    return {**data, "cameras": merged}
