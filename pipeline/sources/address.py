"""What a camera's address says: of which kind it is, and how people may read it."""

from __future__ import annotations

import re
from enum import Enum

from pipeline.errors import SourceNotFound
from pipeline.redact import redact

_SCHEME = re.compile(r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://(?P<rest>.*)$", re.DOTALL)
_WEBCAM = re.compile(r"^webcam:(\d{1,3})$")


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
    if address.startswith("webcam:"):
        webcam_number(camera, address)
        return Kind.WEBCAM
    match = _SCHEME.match(address)
    if match is None:
        return Kind.FILE
    kind = _KINDS.get(match["scheme"].lower())
    if kind is None:
        raise SourceNotFound(
            f"Camera {camera}: {shown(address)} cannot be opened; write an rtsp://, rtsps://, "
            "http:// or https:// address, the path of a file, or webcam:N."
        )
    return kind


def webcam_number(camera: str, address: str) -> int:
    """N of `webcam:N`.

    Raises:
        SourceNotFound: there is no number.
    """
    match = _WEBCAM.match(address)
    if match is None:
        raise SourceNotFound(
            f"Camera {camera}: {address!r} names no webcam; write webcam:0 for the first one."
        )
    return int(match[1])


def file_path(address: str) -> str:
    """The path of a file's address, which may begin with file://."""
    return address.removeprefix("file://")


def shown(address: str) -> str:
    """The address for people: without its account, and with secrets in its query hidden.

    A password may hold an unescaped / or @, so all that stands before the last @ is taken for
    the account: an address shown too short is better than half a password.
    """
    match = _SCHEME.match(address)
    if match is None:
        return address
    place, mark, query = match["rest"].partition("?")
    return redact(f"{match['scheme']}://{place.rpartition('@')[2]}{mark}{query}")
