"""Tracks in the format of MOTChallenge (https://motchallenge.net/instructions/)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.replaying.output import new_file, unwritable
from pipeline.workers.look import Look


def rows(look: Look) -> Iterator[str]:
    """A line for each track in a look, whether it was detected there or taken to be there still:
    frame, id, left, top, width, height, confidence, -1, -1, -1. Frames count from 1, and so do
    pixels, as in the format's own files: the picture's upper left corner is (1, 1)."""
    if look.frame is None:
        return
    for track in sorted(look.view.tracks, key=lambda track: track.id):
        box = track.detection.box
        place = f"{box.x1 + 1:.2f},{box.y1 + 1:.2f},{box.width:.2f},{box.height:.2f}"
        confidence = track.detection.confidence
        yield f"{look.frame.index + 1},{track.id},{place},{confidence:.4f},-1,-1,-1\n"


@contextmanager
def mot_file(path: Path, film: str) -> Iterator[Callable[[Look], None]]:
    """Takes looks at a film; when all went well, the tracks of all of them are in the file.

    Raises:
        StoreError: it cannot be written; found out before anything is replayed.
    """
    with new_file(path, film) as part:
        try:
            with part.open("w", encoding="ascii") as lines:
                yield lambda look: lines.writelines(rows(look))
        except OSError as error:
            raise unwritable(path, error) from None
