"""What was tracked in a camera's frames, beside its video: a line of JSON for each look."""

from __future__ import annotations

import json
import logging
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

from pipeline.clips.naming import TRACKS, begun, file_name, listed
from pipeline.clock import HostClock
from pipeline.types import LoggedLook, LoggedTrack

logger = logging.getLogger(__name__)

FILE_S = 60.0
"""A file holds so much; retention removes whole files."""
DIGITS = 5
"""Of boxes and confidences: a hundredth of a pixel at 1000 pixels."""


class TrackLog:
    """Writes a camera's looks. What the disk does not take is counted in `dropped`."""

    def __init__(self, folder: Path) -> None:
        self.dropped: Counter[str] = Counter()
        self._folder = folder
        self._file: TextIO | None = None
        self._begun = 0.0

    def append(self, look: LoggedLook) -> None:
        """Write a look; never raises."""
        try:
            if self._file is None or not 0 <= _moment(look) - self._begun < FILE_S:
                self._begin(look)
            assert self._file is not None
            self._file.write(_line(look) + "\n")
        except OSError as error:
            self.dropped["track_log"] += 1
            self.close()
            logger.debug("The track log cannot be written: %s", error)

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError:
                self.dropped["track_log"] += 1

    def _begin(self, look: LoggedLook) -> None:
        self.close()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # By the line: another process reads along.
        name = file_name(look.captured_at, look.monotonic)
        self._file = (self._folder / f"{name}{TRACKS}").open("a", buffering=1)
        self._begun = _moment(look)


def read_looks(
    folder: Path, start: datetime, end: datetime, clock: HostClock | None = None
) -> list[LoggedLook]:
    """The looks between two moments, both included, in order of time; as `Footage.pieces`."""
    looks: list[LoggedLook] = []
    early = start - timedelta(seconds=FILE_S)
    for path in listed(folder, TRACKS):
        first = begun(path.name)
        if first is None or first.elsewhere(clock) or not early <= first.on(clock) <= end:
            continue
        same = clock if first.boot is not None else None
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            continue  # retention was quicker
        for line in lines:
            look = _parsed(line, same)
            if look is not None and start <= look.captured_at <= end:
                looks.append(look)
    return sorted(looks, key=lambda look: look.captured_at)


def _line(look: LoggedLook) -> str:
    tracks = [
        [
            track.id,
            track.label,
            round(track.confidence, DIGITS),
            *(round(value, DIGITS) for value in track.box),
        ]
        for track in look.tracks
    ]
    at = look.captured_at.timestamp()
    values = [round(look.time, 6), at, tracks, look.monotonic]
    return json.dumps(values, separators=(",", ":"))


def _moment(look: LoggedLook) -> float:
    return look.captured_at.timestamp() if look.monotonic is None else look.monotonic


def _parsed(line: str, clock: HostClock | None) -> LoggedLook | None:
    """A look, its moment as the clock calls it; None of a line that a crash has torn."""
    try:
        time, at, tracks, *since = json.loads(line)
        monotonic: float | None = since[0] if since else None
        captured_at = datetime.fromtimestamp(at, UTC)
        if clock is not None and monotonic is not None:
            captured_at = clock.at(monotonic)
        return LoggedLook(
            time,
            captured_at,
            tuple(
                LoggedTrack(number, label, confidence, (x1, y1, x2, y2))
                for number, label, confidence, x1, y1, x2, y2 in tracks
            ),
            monotonic,
        )
    except (ValueError, TypeError):
        return None
