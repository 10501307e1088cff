"""Files that a replay writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import StoreError
from pipeline.sources.address import file_path, is_folder
from pipeline.sources.folder import films_of


@contextmanager
def new_file(path: Path, film: str) -> Iterator[Path]:
    """A file beside `path` that takes its place when all went well, and is removed otherwise. It is
    not the `film`, or one of that folder, which is being read.

    Raises:
        StoreError: no file can be written there.
    """
    place = _place(path)
    if place in _films(film):
        raise StoreError(f"{path} is a film that is replayed; name another file.")
    part = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        part.touch()
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        yield part
        try:
            part.replace(place)
        except OSError as error:
            raise unwritable(path, error) from None
    finally:
        with suppress(OSError):
            part.unlink()


def _place(path: Path) -> Path:
    """Where the file is, or will be."""
    try:
        place = path.expanduser().resolve()
        if place.is_file() or not place.exists():
            return place
    except (OSError, RuntimeError, ValueError):  # no such user, links in a ring, too long a name
        pass
    raise StoreError(f"{path} is no file that can be written; name another.")


def _films(film: str) -> set[Path]:
    """The film, or those of a folder; none where they cannot be found, as opening them will say."""
    path = Path(file_path(film))
    try:
        path = path.expanduser()
        return {found.resolve() for found in (films_of(path) if is_folder(film) else [path])}
    except (OSError, RuntimeError, ValueError):
        return set()


def unwritable(path: Path, error: OSError) -> StoreError:
    """What is said where a file cannot be written."""
    return StoreError(f"{path} cannot be written ({error.strerror}); name another file.")
