"""The film that the demo watches.

A sample of OpenCV's: 80 s of a campus, seen from a fixed camera, on which people cross.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import FilmError
from pipeline.simulate.encoding import transcode
from pipeline.simulate.fetching import Wanted, by_https, from_debian
from pipeline.simulate.made import MADE_FILM, make_film
from pipeline.simulate.reel import Progress, prepared_by_hash

VTEST = Wanted(
    name="vtest.avi",
    size=8_131_690,
    sha256="45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf",
    url="https://raw.githubusercontent.com/opencv/opencv/4.x/samples/data/vtest.avi",
    package="opencv-doc",
    package_mb=96,
)


@dataclass(frozen=True, slots=True)
class Film:
    """The demo's film as H.264. `made` is true of the one made from a still, and `note` then says
    why it is that one and how to get the real one."""

    path: Path
    made: bool
    note: str | None


def demo_film(cache: Path, progress: Progress, *, offline: bool = False) -> Film:
    """The demo's film: from the folder `cache`, else fetched, else made.

    `progress` gets a sentence about each step before it is taken: what is fetched, from where,
    how big. A film that has been made stays in use until vtest.avi lies in `cache` or the made
    film is deleted, so that a machine without network does not try again at every start.

    Raises:
        FilmError: it can be neither had nor made.
    """
    ready = prepared_by_hash(VTEST.sha256, cache)
    if ready.is_file():
        return Film(ready, made=False, note=None)
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FilmError(f"The folder {cache} cannot be made: {error.strerror}.") from error
    original = cache / VTEST.name
    made = cache / MADE_FILM
    note = (
        "The real film could not be had, so this one was made from a still. For the real one put "
        f"{VTEST.name} (of OpenCV's samples) into {cache}, or delete {made.name} there "
        "to try again."
    )
    if not _is_original(original) and made.is_file():
        return Film(made, made=True, note=note)
    if _is_original(original) or (not offline and _fetched(original, progress)):
        progress(f"Turning {VTEST.name} to H.264, once (some seconds).")
        transcode(original, ready)
        return Film(ready, made=False, note=None)
    progress("The film cannot be had; making one from a still instead, and labelling it so.")
    make_film(made)
    return Film(made, made=True, note=note)


def _is_original(path: Path) -> bool:
    """Whether the very film lies there already."""
    try:
        if path.stat().st_size != VTEST.size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == VTEST.sha256
    except OSError:
        return False


def _fetched(target: Path, progress: Progress) -> bool:
    for way in (by_https, from_debian):
        try:
            way(VTEST, target, progress)
        except FilmError as error:
            progress(str(error))
        else:
            return True
    return False
