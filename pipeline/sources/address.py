"""What a camera's address says: of which kind it is, and how people may read it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline.errors import SourceNotFound
from pipeline.redact import shown

_SCHEME = re.compile(r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://(?P<rest>.*)$", re.DOTALL)
_WEBCAM = "webcam:"
_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}


class Kind(Enum):
    """Where the frames come from."""

    RTSP = "rtsp"
    HTTP = "http"
    FILE = "file"
    WEBCAM = "webcam"


_KINDS = {
    "rtsp": Kind.RTSP,
    "rtsps": Kind.RTSP,
    "http": Kind.HTTP,
    "https": Kind.HTTP,
    "file": Kind.FILE,
}


def kind_of(camera: str, address: str) -> Kind:
    """The kind of an address.

    Raises:
        SourceNotFound: it is of no kind that can be opened.
    """
    if address.startswith(_WEBCAM):
        webcam_name(camera, address)
        return Kind.WEBCAM
    match = _SCHEME.match(address)
    if match is None:
        return Kind.FILE
    kind = _KINDS.get(match["scheme"].lower())
    if kind is None:
        raise SourceNotFound(
            f"Camera {camera}: {shown(address)} cannot be opened; write an rtsp://, rtsps://, "
            "http:// or https:// address, the path of a film or of a folder of films, webcam:N or "
            "webcam:NAME."
        )
    return kind


def is_film(address: str) -> bool:
    """Whether it is a film or a folder of films on the disk, or nothing that can be opened."""
    try:
        return kind_of("", address) is Kind.FILE
    except SourceNotFound:  # opening it will say so
        return True


def webcam_name(camera: str, address: str) -> str:
    """NAME or N of `webcam:NAME`.

    Raises:
        SourceNotFound: there is none.
    """
    name = address.removeprefix(_WEBCAM).strip()
    if not name:
        raise SourceNotFound(
            f"Camera {camera}: {address!r} names no webcam; write webcam:0 for the first one, or "
            "webcam: and a part of its name."
        )
    return name


def file_path(address: str) -> str:
    """The path of a film's or a folder's address, which may begin with file://."""
    return address.removeprefix("file://")


def is_folder(address: str) -> bool:
    """Whether a file's address is that of a folder."""
    try:
        return Path(file_path(address)).expanduser().is_dir()
    except (OSError, RuntimeError, ValueError):
        return False


ENCODE_ADVICE = "Write / @ # and ? in a password percent-encoded, as %2F %40 %23 and %3F."


def at_behind_host(address: str) -> bool:
    """Whether an @ stands behind what is read as the host of an address: perhaps the host is a part
    of a password that is not encoded."""
    return "@" in _split(address)[1]


def host_is_certain(address: str) -> bool:
    """Whether what is read as the host of an address may be told to a name server: not where it
    seems to be a part of a password that is not encoded."""
    place, rest = _split(address)
    path = rest.partition("?")[0]
    return "@" not in rest or ("@" not in place and "@" not in path)  # a query may well hold one


def _split(address: str) -> tuple[str, str]:
    """What is read as account, host and port, and what comes after them."""
    match = _SCHEME.match(address)
    rest = address if match is None else match["rest"]
    end = re.search(r"[/?#]", rest)
    return (rest, "") if end is None else (rest[: end.start()], rest[end.start() :])


@dataclass(frozen=True, slots=True)
class Place:
    """Where a network camera is, and with which account it is asked."""

    scheme: str
    host: str
    port: int
    account: tuple[str, str] | None = field(repr=False)
    """User name and password."""

    @property
    def encrypted(self) -> bool:
        return self.scheme in ("rtsps", "https")


def place_of(address: str) -> Place | None:
    """The place that an address names, read as FFmpeg reads it; None where it names no host."""
    try:
        parts = urlsplit(address)
        scheme, host = parts.scheme.lower(), parts.hostname
        port = parts.port or _PORTS[scheme]
    except (ValueError, KeyError):
        return None
    if not host:
        return None
    user, colon, password = parts.netloc.rpartition("@")[0].partition(":")
    account = (unquote(user), unquote(password)) if user or colon else None
    return Place(scheme, host, port, account)
