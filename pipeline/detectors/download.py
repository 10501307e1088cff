"""A model's file from an address: once, whole, and only the very file that was meant."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

import httpx

from pipeline.errors import WeightsError

logger = logging.getLogger(__name__)

PARTIAL = ".part"


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient a download is: seconds for a connection, between two pieces and in all, and the
    largest file, in bytes."""

    connect_s: float = 10.0
    silent_s: float = 30.0
    whole_s: float = 1800.0
    size: int = 2_000_000_000


LIMITS = Limits()


def shown(address: str) -> str:
    """An address without its account, its query and its fragment, where secrets stand."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def kept(address: str, sha256: str, folder: Path) -> Path:
    """Where the file of an address is kept: by its checksum, under its own name."""
    name = Path(unquote(urlsplit(address).path)).name
    safe = "".join(char if char.isalnum() or char in "._-" else "_" for char in name)
    return folder / "downloads" / sha256.lower() / safe


def fetch(address: str, sha256: str, folder: Path, limits: Limits = LIMITS) -> Path:
    """The file at an address, downloaded unless it is in `folder` already.

    Raises:
        WeightsError: it cannot be had in time, is too large, cannot be kept, or is not the file
            with this SHA-256; nothing is left of it then.
    """
    path = kept(address, sha256, folder)
    if path.is_file() and _digest(path) == sha256.lower():
        return path
    logger.info("Downloading the model %s", shown(address))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent, limits)
        with _partial(path) as file:
            found = _receive(address, file, limits)
            if found != sha256.lower():
                raise WeightsError(
                    f"The model at {shown(address)} has the SHA-256 {found}, not the one in "
                    "`detector.sha256`, and was not kept; compare it with what the model's "
                    "publisher states."
                )
    # Without their causes: httpx's own messages hold whole addresses, those of redirects too, and a
    # traceback would print them.
    except httpx.HTTPError as error:
        raise _failed(address, _reason(error)) from None
    except (httpx.InvalidURL, ValueError):
        raise _failed(address, "it is no address") from None
    except OSError as error:
        raise WeightsError(
            f"The model at {shown(address)} cannot be kept in {path.parent} ({error.strerror}); "
            "make room, or name another folder with XDG_CACHE_HOME."
        ) from error
    return path


def _receive(address: str, file: IO[bytes], limits: Limits) -> str:
    """Write what the server sends; its SHA-256."""
    for library in ("httpx", "httpcore"):  # they would log whole addresses
        logging.getLogger(library).setLevel(logging.WARNING)
    deadline = time.monotonic() + limits.whole_s
    digest = hashlib.sha256()
    size = 0
    patience = httpx.Timeout(limits.silent_s, connect=limits.connect_s)
    with (
        httpx.Client(follow_redirects=True, max_redirects=5, timeout=patience) as client,
        client.stream("GET", address, headers={"Accept-Encoding": "identity"}) as response,
    ):
        response.raise_for_status()
        if int(response.headers.get("Content-Length", "0")) > limits.size:
            raise _failed(address, _too_large(limits))
        for piece in response.iter_bytes():
            size += len(piece)
            if size > limits.size:
                raise _failed(address, _too_large(limits))
            if time.monotonic() > deadline:
                raise _failed(address, f"it was not complete after {limits.whole_s:.0f} s")
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


@contextmanager
def _partial(path: Path) -> Iterator[IO[bytes]]:
    """A file that becomes `path` when all went well, and vanishes otherwise."""
    file = tempfile.NamedTemporaryFile(dir=path.parent, suffix=PARTIAL, delete=False)  # noqa: SIM115
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(path)
    finally:
        Path(file.name).unlink(missing_ok=True)


def _sweep(folder: Path, limits: Limits) -> None:
    """Remove what killed processes left: nobody has written to it for longer than one may."""
    stale = time.time() - 2 * limits.silent_s
    for left in folder.glob(f"*{PARTIAL}"):
        with suppress(FileNotFoundError):  # another download has finished meanwhile
            if left.stat().st_mtime < stale:
                left.unlink()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"the server answers {error.response.status_code} {error.response.reason_phrase}"
    if isinstance(error, httpx.TimeoutException):
        return "the server does not answer in time"
    if isinstance(error, httpx.TooManyRedirects):
        return "the server sends from one address to the next"
    if isinstance(error, httpx.ConnectError):
        return "the server cannot be reached, or its certificate is not to be trusted"
    return "the connection broke"


def _too_large(limits: Limits) -> str:
    return f"it is larger than {limits.size / 1e6:.0f} MB"


def _failed(address: str, why: str) -> WeightsError:
    return WeightsError(
        f"The model at {shown(address)} cannot be downloaded: {why}; see `detector.model`, or "
        "download it yourself and write its path there."
    )
