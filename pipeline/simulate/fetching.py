"""Fetching a known file: bounded in time and size, and checked by its SHA-256."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pipeline.errors import FilmError
from pipeline.simulate.reel import Progress

_CONNECT_S = 10.0
_HTTPS_S = 120.0
_APT_LISTS_S = 120.0
_APT_DOWNLOAD_S = 600.0
_UNPACK_S = 120.0
_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file and the places that have it; `size` in bytes."""

    name: str
    size: int
    sha256: str
    url: str
    package: str
    """A Debian package that holds a file of this name."""
    package_mb: int


def by_https(wanted: Wanted, target: Path, progress: Progress) -> None:
    """Fetch the file from its address.

    Raises:
        FilmError: it cannot be had there, or another file is there.
    """
    import httpx

    progress(f"Fetching {wanted.name} ({wanted.size / 1e6:.0f} MB) from {wanted.url}")
    deadline = time.monotonic() + _HTTPS_S
    try:
        with httpx.stream("GET", wanted.url, timeout=_CONNECT_S, follow_redirects=True) as response:
            response.raise_for_status()
            _keep(wanted, target, _in_time(response.iter_bytes(_CHUNK), deadline))
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        raise FilmError(f"{wanted.name} cannot be had there: the answer is {status}.") from None
    except (httpx.HTTPError, OSError) as error:
        raise FilmError(
            f"{wanted.name} cannot be had there: {str(error) or type(error).__name__}."
        ) from None


def from_debian(wanted: Wanted, target: Path, progress: Progress) -> None:
    """Fetch the Debian package that holds the file and take the file out; nothing is installed.

    Raises:
        FilmError: this is no Debian, the package cannot be had, or it holds another file.
    """
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise FilmError(f"There is no apt-get here to fetch {wanted.package} with.")
    if not _has_candidate(wanted.package):
        if os.geteuid() != 0:
            raise FilmError(
                f"apt-get knows no package {wanted.package}; `sudo apt-get update` may help."
            )
        progress("Updating apt's package lists, to find the package that holds the film.")
        _run(["apt-get", "update", "-q"], _APT_LISTS_S)
    progress(
        f"Fetching Debian's package {wanted.package} (about {wanted.package_mb} MB), which holds "
        f"{wanted.name}; it is taken out, nothing is installed."
    )
    with tempfile.TemporaryDirectory(prefix="vigil-film-") as folder:
        # apt gives up its rights while it downloads, and must still be able to write there
        Path(folder).chmod(0o755)
        _run(["apt-get", "download", "-q", wanted.package], _APT_DOWNLOAD_S, folder)
        package = next(Path(folder).glob("*.deb"), None)
        if package is None:
            raise FilmError(f"apt-get downloaded no {wanted.package}.")
        _unpack(wanted, package, target)


def _has_candidate(package: str) -> bool:
    try:
        _run(["apt-get", "download", "-q", "--print-uris", package], _UNPACK_S)
    except FilmError:
        return False
    return True


def _run(command: list[str], limit_s: float, folder: str | None = None) -> None:
    name = " ".join(command[:2])
    try:
        subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit_s,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        raise FilmError(f"{name} failed: {said[-1] if said else error.returncode}") from None
    except subprocess.TimeoutExpired:
        raise FilmError(f"{name} took longer than {limit_s:.0f} s and was given up.") from None
    except OSError as error:
        raise FilmError(f"{name} cannot be run: {error.strerror}.") from None


def _unpack(wanted: Wanted, package: Path, target: Path) -> None:
    """Take the one file out of a package, which is three times as big unpacked."""
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", str(package)],  # noqa: S607
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
                for member in archive:
                    if member.isfile() and Path(member.name).name == wanted.name:
                        file = archive.extractfile(member)
                        assert file is not None
                        deadline = time.monotonic() + _UNPACK_S
                        _keep(wanted, target, _in_time(_chunks(file), deadline))
                        return
        except (tarfile.TarError, OSError) as error:
            raise FilmError(f"The package {wanted.package} cannot be unpacked: {error}.") from None
        finally:
            process.kill()
    raise FilmError(f"The package {wanted.package} holds no {wanted.name}.")


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


def _in_time(chunks: Iterator[bytes], deadline: float) -> Iterator[bytes]:
    for chunk in chunks:
        if time.monotonic() > deadline:
            raise FilmError("It came too slowly and was given up.")
        yield chunk


def _keep(wanted: Wanted, target: Path, chunks: Iterator[bytes]) -> None:
    """Write the file under its name once it is whole and the very one that is wanted."""
    temporary = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    digest = hashlib.sha256()
    size = 0
    try:
        with temporary.open("xb") as file:
            for chunk in chunks:
                size += len(chunk)
                if size > wanted.size:
                    break
                digest.update(chunk)
                file.write(chunk)
        if size != wanted.size or digest.hexdigest() != wanted.sha256:
            raise FilmError(
                f"The {wanted.name} from there is not the known one (by its SHA-256); refused."
            )
        temporary.replace(target)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
