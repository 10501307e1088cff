"""Pictures by key, in a local folder. A key such as `events/<event id>/frame.jpg` means the same
whatever holds the pictures, so that an object store can take the folder's place."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.errors import StoreError
from pipeline.types import Image

JPEG_QUALITY = 85
MAX_KEY_LENGTH = 200

SETTLED_NS = 1_000_000_000
"""A folder's time of change is coarse: one that has just changed may do so again unseen."""

# Parts begin with a letter or digit: no way up (..), no hidden file, and never the name of one
# that is still being written, which begins with a dot.
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")


@dataclass(frozen=True, slots=True)
class EventMedia:
    """What an event has: so many bytes, the newest of them from `changed`."""

    event_id: str
    bytes: int
    changed: datetime


class LocalMedia:
    """`protocols.Media` on a local folder.

    A picture is written beside its place and then renamed, so that a reader or a killed writer
    never leaves half of one. It is not forced to the disk, because that would delay each event
    by tens of milliseconds on an SD card: a power cut may lose the pictures of the last seconds
    (an empty file counts as none), never an event.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._events: dict[str, tuple[int, EventMedia]] = {}

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
            raise self._unwritable(error) from error

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

    def put_file(self, key: str, file: Path) -> None:
        """Move a finished file to its key; raises as `put` does."""
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                file.replace(path)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                # From another disk: copied beside its place first.
                self._write(path, file.read_bytes())
                file.unlink()
        except OSError as error:
            raise self._unwritable(error) from error

    def path(self, key: str) -> Path:
        """The file that holds what was stored under the key. Raises: KeyError: there is none."""
        try:
            path = self._path(key)
            if path.is_file() and path.stat().st_size > 0:
                return path
        except (OSError, ValueError):
            pass
        raise KeyError(key)

    def delete(self, key: str) -> None:
        """Remove what the key holds, if anything; raises as `put` does."""
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error

    def delete_event(self, event_id: str) -> None:
        """Remove all that an event has; raises as `put` does, except where it has nothing."""
        try:
            shutil.rmtree(self._path(f"events/{event_id}"))
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._unwritable(error) from error

    def events(self) -> list[EventMedia]:
        """What each event has, the oldest event first: ids sort by time."""
        try:
            with os.scandir(self._folder / "events") as entries:
                folders = sorted((entry.name, Path(entry.path)) for entry in entries)
        except (FileNotFoundError, NotADirectoryError):
            return []
        before, self._events = self._events, {}
        for name, folder in folders:
            known = _event_media(folder, before.get(name))
            if known is not None:
                self._events[name] = known
        return [media for _, media in self._events.values()]

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

    def _unwritable(self, error: OSError) -> StoreError:
        return StoreError(
            f"Pictures and clips cannot be stored in {self._folder} ({error.strerror}); "
            "free some space there or make it writable."
        )

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


def _event_media(
    folder: Path, known: tuple[int, EventMedia] | None
) -> tuple[int, EventMedia] | None:
    """What an event has, with the folder's time of change: its files are looked at again only
    after one has come or gone, since there may be many thousands of events."""
    try:
        changed_ns = folder.stat().st_mtime_ns
        if known is not None and known[0] == changed_ns:
            return known
        settled = time.time_ns() - changed_ns > SETTLED_NS
        stats = [file.stat() for file in folder.iterdir()]
    except OSError:
        return None  # somebody has just removed it
    changed = max((stat.st_mtime for stat in stats), default=changed_ns / 1e9)
    size = sum(stat.st_size for stat in stats)
    media = EventMedia(folder.name, size, datetime.fromtimestamp(changed, UTC))
    return (changed_ns if settled else -1), media
