"""Pictures by key, in a local folder. A key such as `events/<event id>/frame.jpg` means the same
whatever holds the pictures, so that an object store can take the folder's place."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path

from pipeline.errors import StoreError
from pipeline.types import Image

JPEG_QUALITY = 85
MAX_KEY_LENGTH = 200

# Parts begin with a letter or digit: no way up (..), no hidden file, and never the name of one
# that is still being written, which begins with a dot.
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")


class LocalMedia:
    """`protocols.Media` on a local folder.

    A picture is written beside its place and then renamed, so that a reader or a killed writer
    never leaves half of one. It is not forced to the disk, because that would delay each event
    by tens of milliseconds on an SD card: a power cut may lose the pictures of the last seconds
    (an empty file counts as none), never an event.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, data: bytes) -> None:
        """Store `data`, atomically, in place of what the key held before.

        Raises:
            ValueError: the key is not one.
            StoreError: the folder cannot be written; the message names it.
        """
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._write(path, data)
        except OSError as error:
            raise StoreError(
                f"Pictures cannot be stored in {self._folder} ({error.strerror}); "
                "free some space there or make it writable."
            ) from error

    def get(self, key: str) -> bytes:
        """What was stored under the key.

        Raises:
            KeyError: there is no such key.
            StoreError: it is there and cannot be read.
        """
        try:
            data = self._path(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError):
            raise KeyError(key) from None
        except OSError as error:
            raise StoreError(
                f"The picture {key} in {self._folder} cannot be read ({error.strerror}); "
                "make it readable for the user that runs vigil."
            ) from error
        if not data:
            raise KeyError(key)
        return data

    def put_image(self, key: str, image: Image) -> None:
        """Store a picture (uint8, height x width x 3, BGR) as JPEG; raises as `put` does."""
        import cv2

        done, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if not done:
            raise ValueError(f"a picture of shape {image.shape} cannot be encoded as JPEG")
        self.put(key, encoded.tobytes())

    def _path(self, key: str) -> Path:
        if len(key) > MAX_KEY_LENGTH or _KEY.fullmatch(key) is None:
            raise ValueError(f"{key!r} is not a key of a picture")
        return self._folder / key

    @staticmethod
    def _write(path: Path, data: bytes) -> None:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(temporary).replace(path)
        except OSError:
            with suppress(OSError):
                Path(temporary).unlink()
            raise
