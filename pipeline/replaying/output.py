"""Files that a replay writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import StoreError
from pipeline.sources.address import file_path


@contextmanager
def new_file(path: Path, film: str) -> Iterator[Path]:
    """A file beside `path` that takes its place when all went well, and is removed otherwise. It is
    not the `film`, which is being read.

    Raises:
        StoreError: no file can be written there.
    """
    place = path.expanduser().resolve()
    if place == Path(file_path(film)).expanduser().resolve():
        raise StoreError(f"{path} is the film itself; name another file.")
    if place.exists() and not place.is_file():
        raise StoreError(f"{path} is no file that can be written; name another.")
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


def unwritable(path: Path, error: OSError) -> StoreError:
    """What is said where a file cannot be written."""
    return StoreError(f"{path} cannot be written ({error.strerror}); name another file.")
