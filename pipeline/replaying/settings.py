"""Whose settings count in a replay, and which time of day its films are of."""

from __future__ import annotations

import difflib
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from pipeline.clock import local_time
from pipeline.config import Config
from pipeline.configfile import validate
from pipeline.errors import ConfigError, SourceError
from pipeline.sources.address import file_path, is_folder
from pipeline.sources.folder import films_of

CAMERA = "camera"
"""What the camera is called where there is no configuration."""
UNKNOWN_BEGIN = datetime(2024, 1, 1, 12)  # noqa: DTZ001 (of the site's time zone, whichever it is)
"""When a film was begun that does not say so: a Monday at noon, always the same one, so that it
gives the same events tomorrow and on another machine."""
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""A camera whose clock was never set says 1904 or 1970."""
YEARS = range(1900, 3000)
"""A film begins in one of them: near the ends of the calendar no time can be reckoned with."""


def default_config() -> Config:
    """One camera with all its defaults: a person anywhere is an event."""
    camera = {"source": "replay", "name": "the camera"}
    return validate({"cameras": {CAMERA: camera}}, where="replay", folder=Path.cwd())


def chosen_camera(config: Config, camera: str | None) -> str:
    """The camera whose settings count: the one named, or the only one that is enabled.

    Raises:
        ConfigError: there is no such camera, or several and none was named.
    """
    known = list(config.cameras)
    if camera is not None:
        if camera in known:
            return camera
        near = difflib.get_close_matches(camera, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known)}."
        raise ConfigError(f"There is no camera {camera!r} in the configuration; {hint}")
    enabled = [key for key in known if config.cameras[key].enabled]
    if len(enabled) > 1:
        raise ConfigError(
            f"The configuration has several cameras ({', '.join(enabled)}); say with --camera, "
            "or `camera=` in Python, whose settings count."
        )
    return enabled[0]


def moment(text: str, tz: tzinfo | None) -> datetime:
    """A date and time such as 2026-11-25T22:00, in this time zone (None for the machine's own)
    unless it names another.

    Raises:
        ConfigError: it is none.
    """
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        at = None
    if at is None or at.year not in YEARS:
        raise ConfigError(
            f"{text!r} is no time to start at; write a date and time such as 2026-11-25T22:00."
        )
    return in_zone(at, tz)


def in_zone(at: datetime, tz: tzinfo | None) -> datetime:
    """A moment; one that names no time zone is of this one (None for the machine's own)."""
    if at.tzinfo is not None:
        return at
    return at.astimezone() if tz is None else local_time(at.replace(tzinfo=tz), tz)


def begun_at(film: str) -> datetime | None:
    """When a film, or the first one of a folder, was begun, as its container says; None if it does
    not. In UTC, where it names no time zone."""
    path = Path(file_path(film)).expanduser()
    try:
        if is_folder(film):
            path = films_of(path)[0]
        return _created(path)
    except (OSError, IndexError, SourceError):
        return None  # opening it will say so


def _created(path: Path) -> datetime | None:
    import av

    try:
        with av.open(
            f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace"
        ) as container:
            streams = [stream.metadata for stream in container.streams.video]
            told = [found.get("creation_time", "") for found in (container.metadata, *streams)]
    except (av.FFmpegError, ValueError):
        return None
    for text in told:
        try:
            at = in_zone(datetime.fromisoformat(text), UTC)
        except ValueError:
            continue
        if at >= EARLIEST and at.year in YEARS:
            return at
    return None
