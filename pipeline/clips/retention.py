"""Makes room: by age, size and free disk go video that no event needs and old events' media."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from pipeline.clips.footage import Footage, Segment
from pipeline.clips.naming import begun
from pipeline.clips.tracklog import FILE_S
from pipeline.clock import HostClock
from pipeline.config import Config, Record
from pipeline.errors import StoreError
from pipeline.media import EventMedia, LocalMedia

logger = logging.getLogger(__name__)

LOOKBACK_S = 60.0
"""Video is kept for so long beyond what a clip that begins now would need."""
FREE_UP_TO = 1.5
"""Where the disk has too little room, this many times as much is made of video."""
BREATH = 1.2
"""And room is made of old video already when there is only this many times as much as there has to
be. Finished events go only below that, and no more of them than helps."""
STILL_S = 60.0
"""A camera whose video has not grown for so long sends none for now."""
GB, MB = 1e9, 1e6


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep has removed."""

    segments: int = 0
    events: int = 0
    bytes: int = 0
    problem: str | None = None
    """Why there is too little room all the same, a sentence."""


class Retention:
    """Removes from the video folder and the media what is kept no longer.

    Video from `needed` on is never removed, nor the media of an unfinished event.
    `free` tells how many bytes the disk of a folder has left.
    """

    def __init__(
        self,
        config: Config,
        media: LocalMedia,
        free: Callable[[Path], int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config, self._media = config, media
        self._free = free or (lambda path: shutil.disk_usage(path).free)
        self._clock = clock
        self._footage: dict[str, Footage] = {}
        self._grown: dict[str, tuple[datetime | None, float]] = {}
        self._problem: str | None = None

    def sweep(
        self,
        now: datetime,
        needed: Mapping[str, datetime],
        unfinished: frozenset[str],
        clock: HostClock | None = None,
    ) -> Swept:
        """Remove what is due at `now`.

        Args:
            needed: camera -> the earliest moment of its video that an unfinished clip needs.
            unfinished: the ids of the events of whose media something is still to be made.
            clock: how the host's clock is set, by which all moments are taken.
        """
        segments, removed = self._video(now, needed, clock)
        events = self._events(now, unfinished)
        size = removed + sum(event.bytes for event in events)
        return Swept(len(segments), len(events), size, self._problem)

    def video_waits(self) -> bool:
        """Whether the disk has too little room for video at present."""
        folder = self._config.video_folder
        floor = self._config.storage.free_mb * MB
        return folder.is_dir() and self._free(folder) < floor

    def _video(
        self, now: datetime, needed: Mapping[str, datetime], clock: HostClock | None
    ) -> tuple[list[Segment], int]:
        """Remove segments: the outdated, then the oldest until size and disk are right."""
        root = self._config.video_folder
        folders = [path for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
        self._footage = {
            path.name: self._footage.get(path.name) or Footage(path) for path in folders
        }
        spare: list[tuple[Segment, Footage, bool]] = []
        gone: list[tuple[Segment, Footage]] = []
        found: list[tuple[Footage, list[Segment]]] = []
        total = 0
        for camera, footage in self._footage.items():
            reached = self._reached(camera, footage, now, clock)
            keep_from, reach = reached - self._age(camera), reached - self._reach(camera)
            pinned = needed.get(camera)
            segments = _in_order(footage.segments(clock), now)
            found.append((footage, segments))
            total += sum(segment.bytes for segment in segments)
            # The newest may be being written.
            for segment in segments[:-1]:
                if pinned is not None and segment.end >= pinned:
                    continue
                if segment.end < keep_from:
                    gone.append((segment, footage))
                else:
                    spare.append((segment, footage, segment.end >= reach))
        total -= sum(segment.bytes for segment, _ in gone)
        free = self._free(root) if folders else 0
        floor = self._config.storage.free_mb * MB
        lack = floor * FREE_UP_TO - free if folders and free < floor * BREATH else 0.0
        lack -= sum(segment.bytes for segment, _ in gone)
        for segment, footage, recent in sorted(spare, key=lambda found: found[0].start):
            # The next clip's beginning goes only where no video is kept any more.
            lacking = lack > 0 and (free < floor or not recent)
            if total <= self._config.storage.video_gb * GB and not lacking:
                continue
            gone.append((segment, footage))
            total -= segment.bytes
            lack -= segment.bytes
        for segment, footage in gone:
            _quietly(partial(footage.remove, segment))
        removed = {segment.path for segment, _ in gone}
        for footage, segments in found:
            _remove_logs(footage, [s for s in segments if s.path not in removed][:1], clock)
        return [segment for segment, _ in gone], sum(segment.bytes for segment, _ in gone)

    def _reached(
        self, camera: str, footage: Footage, now: datetime, clock: HostClock | None
    ) -> datetime:
        """What `now` is for a camera's video: a film that is read slowly lags behind."""
        until, since = footage.until(clock), self._clock()
        known = self._grown.get(camera)
        if known is None or known[0] != until:
            self._grown[camera] = known = (until, since)
        stands = since - known[1] >= STILL_S
        return now if until is None or stands else min(now, until)

    def _age(self, camera: str) -> timedelta:
        """How long video is kept that no event needs."""
        settings = self._config.cameras.get(camera)
        if settings is not None and settings.record.continuous:
            return timedelta(hours=settings.record.keep_hours)
        return timedelta(seconds=LOOKBACK_S) + self._reach(camera)

    def _reach(self, camera: str) -> timedelta:
        """How far back a clip may begin that is wanted now."""
        settings = self._config.cameras.get(camera)
        record = Record() if settings is None else settings.record
        # A rule that waits finds what began so long ago.
        waits = [rule.waits_s for rule in (settings.rules.values() if settings is not None else ())]
        reach = min(max(waits, default=0.0), record.longest_s / 2)
        return timedelta(seconds=record.pre_roll_s + reach)

    def _events(self, now: datetime, unfinished: frozenset[str]) -> list[EventMedia]:
        """Remove the media of the oldest events until age, size and disk are right."""
        storage = self._config.storage
        media = self._media.events()
        total = sum(event.bytes for event in media)
        floor, free = storage.free_mb * MB, self._free(self._config.data)
        lack = max(0.0, floor - free)
        spare = sum(event.bytes for event in media if event.event_id not in unfinished)
        self._problem = None
        if lack > spare:
            # Somebody else has filled the disk: to remove what is there would not help.
            lack = 0.0
            self._problem = (
                # Without how much it is, which changes all the time: it is told when it changes.
                f"The disk of {self._config.data} has less than {storage.free_mb:.0f} MB free, and "
                "there is nothing of vigil's to remove that would help; free some space on it."
            )
        oldest = now - timedelta(days=storage.media_days)
        gone = []
        for event in media:
            outdated = event.changed < oldest
            if event.event_id in unfinished:
                continue
            if not outdated and total <= storage.media_gb * GB and lack <= 0:
                break
            total -= event.bytes
            lack -= event.bytes
            gone.append(event)
        for event in gone:
            _quietly(partial(self._media.delete_event, event.event_id))
        if gone:
            logger.info("The pictures and clips of %d events were removed.", len(gone))
        return gone


def _in_order(segments: Sequence[Segment], now: datetime) -> list[Segment]:
    """The segments, none of which ends after the next one begins: what was recorded while the
    machine's clock was ahead, in an earlier boot, is older than what came after it."""
    settled: list[Segment] = []
    latest = now
    for segment in reversed(segments):
        end = min(segment.end, latest)
        start = min(segment.start, end)
        settled.append(replace(segment, start=start, end=end))
        latest = start
    return settled[::-1]


def _remove_logs(footage: Footage, oldest: Sequence[Segment], clock: HostClock | None) -> None:
    """Remove the track logs of before the oldest segment, or all where there is none."""
    logs = footage.track_logs(clock)
    # The newest may be being written.
    for path in logs[:-1]:
        first = begun(path.name)
        over = None if first is None else first.on(clock) + timedelta(seconds=FILE_S)
        if over is not None and (not oldest or over < oldest[0].start):
            _quietly(partial(path.unlink, missing_ok=True))


def _quietly(action: Callable[[], None]) -> None:
    """What cannot be removed now is tried again with the next sweep."""
    try:
        action()
    except (OSError, StoreError) as error:
        logger.warning("Something cannot be removed to make room: %s", error)
