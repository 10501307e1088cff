"""A camera's packets on the disk: segments that begin at keyframes, not encoded anew.

A segment plays up to half a second before a kill -9, and can be read that far while it is being
written. Its index, beside it, has a line for each packet that can be read: another process finds
there what is when, without looking into the video.
"""

from __future__ import annotations

import errno
import logging
import shutil
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from pipeline.clips.segment import Segment
from pipeline.types import EncodedPacket, EncodedStream

logger = logging.getLogger(__name__)

SEGMENT_S = 10.0
QUEUED_BYTES = 32_000_000
QUEUED_PACKETS = 2_000
"""More does not wait for a slow disk."""
LOOK_AGAIN_S = 1.0
"""How often it is looked whether the disk has room."""
SELDOM_S = 30.0
"""And at least so often, where it fails again and again."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

Item = tuple[EncodedStream, EncodedPacket]


class SegmentWriter:
    """`protocols.PacketSink` that writes a camera's packets into its folder.

    A thread of its own writes, so that a slow disk holds up nobody; what it cannot take is dropped
    up to the next keyframe and counted in `dropped`: `segment_queue` (the disk is too slow),
    `disk_full`, `disk_error`, `before_keyframe` (after a break nothing can be decoded before it).
    While less than `free_bytes` of the disk are free nothing is kept, and `problem` says so.
    """

    def __init__(
        self,
        folder: Path,
        *,
        segment_s: float = SEGMENT_S,
        free_bytes: int = 0,
        free: Callable[[Path], int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.dropped: Counter[str] = Counter()
        self.problem: str | None = None
        self._folder, self._segment_s, self._free_bytes = folder, segment_s, free_bytes
        self._free = free or (lambda path: shutil.disk_usage(path).free)
        self._clock = clock
        self._queue: deque[Item] = deque()
        self._queued_bytes = 0
        self._overflown = self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(
            target=self._run, name=f"{folder.name}-segments", daemon=True
        )
        self._segment: Segment | None = None
        self._recording = ""
        self._look_at = 0.0
        self._cause = ""
        self._waiting = False
        self._failures = 0

    def start(self) -> None:
        self._thread.start()

    def take(self, stream: EncodedStream, packet: EncodedPacket) -> None:
        """Keep a packet; never waits and never raises."""
        with self._changed:
            if self._closed:
                return
            full = (
                self._queued_bytes + len(packet.data) > QUEUED_BYTES
                or len(self._queue) >= QUEUED_PACKETS
            )
            # What follows a gap cannot be decoded before the next keyframe.
            if full or (self._overflown and not packet.keyframe):
                self._overflown = True
                self.dropped["segment_queue"] += 1
                return
            if self._overflown:
                self._overflown = False
                packet = replace(packet, discontinuity=True)
            self._queue.append((stream, packet))
            self._queued_bytes += len(packet.data)
            self._changed.notify()

    def close(self, timeout_s: float) -> None:
        """Write what waits and close the segment, within so long."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _next(self) -> Item | None:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            if not self._queue:
                return None
            item = self._queue.popleft()
            self._queued_bytes -= len(item[1].data)
            return item

    def _run(self) -> None:
        while (item := self._next()) is not None:
            try:
                self._write(*item)
            except Exception as error:  # noqa: BLE001
                # Whatever it was: the next keyframe begins anew, and detection goes on.
                self._failed(error)
        self._end()

    def _write(self, stream: EncodedStream, packet: EncodedPacket) -> None:
        if self._paused():
            self.dropped[self._cause] += 1
            return
        segment = self._segment
        # A jump of the times alone, in the middle of a group of pictures, breaks nothing here.
        broken = packet.discontinuity and packet.keyframe
        if segment is not None and (broken or segment.stream is not stream):
            self._end()
            segment = None
        elif (
            segment is not None
            and packet.keyframe
            and packet.time - segment.first_time >= self._segment_s
        ):
            self._end(goes_on=True)
            segment = None
        if segment is None:
            if not packet.keyframe:
                self.dropped["before_keyframe"] += 1
                return
            self._recording = self._recording or uuid4().hex[:8]
            segment = self._segment = Segment(self._folder, self._recording, stream, packet)
        segment.add(packet)
        if self.problem is not None:
            logger.info("Camera %s: video is kept again.", self._folder.name)
            self.problem, self._failures = None, 0

    def _paused(self) -> bool:
        """Whether nothing is kept now, since the disk has no room or has just failed."""
        now = self._clock()
        if now < self._look_at:
            return self._waiting
        self._look_at, self._waiting = now + LOOK_AGAIN_S, False
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._free(self._folder) < self._free_bytes:
            self._pause("disk_full", "is nearly full")
        return self._waiting

    def _failed(self, error: Exception) -> None:
        # A disk that says it has room and takes nothing is asked ever more seldom.
        self._look_at = self._clock() + min(LOOK_AGAIN_S * 2.0**self._failures, SELDOM_S)
        self._failures = min(self._failures + 1, 10)
        if getattr(error, "errno", None) in _FULL:
            self._pause("disk_full", "is full")
        else:
            self._pause("disk_error", f"fails ({getattr(error, 'strerror', None) or error})")
        self.dropped[self._cause] += 1

    def _pause(self, cause: str, how: str) -> None:
        self._end()
        self._cause, self._waiting = cause, True
        problem = (
            f"No video is kept: the disk of {self._folder} {how}; free some space on it."
            if cause == "disk_full"
            else f"No video is kept: the disk of {self._folder} {how}; check it."
        )
        if self.problem is None:
            logger.warning("Camera %s: %s", self._folder.name, problem)
        self.problem = problem

    def _end(self, *, goes_on: bool = False) -> None:
        segment, self._segment = self._segment, None
        if not goes_on:
            self._recording = ""
        if segment is not None:
            try:
                segment.close()
            except Exception as error:  # noqa: BLE001 (whatever FFmpeg raises on a failing disk)
                logger.debug("A segment was not closed in order: %s", error)
