"""What a camera's watch keeps on the disk for clips: segments and the track log."""

from __future__ import annotations

from collections import Counter
from datetime import UTC

from pipeline.clips.segments import SEGMENT_S, SegmentWriter
from pipeline.clips.tracklog import TrackLog
from pipeline.config import Config
from pipeline.geometry import clipped_fractions
from pipeline.types import EncodedPacket, EncodedStream, LoggedLook, LoggedTrack
from pipeline.workers.look import Look

MB = 1_000_000
LONG_S = 60.0
"""Segments of video that is kept for long: a folder must not hold too many files."""


class Keeping:
    """Keeps one camera's packets, and what was tracked in them. Nothing here waits or raises.

    Packets of a film up to `skip_until`, in seconds of its own time, were kept before.
    """

    def __init__(self, config: Config, key: str, skip_until: float | None) -> None:
        folder = config.video_folder / key
        continuous = config.cameras[key].record.continuous
        self._segments = SegmentWriter(
            folder,
            segment_s=LONG_S if continuous else SEGMENT_S,
            free_bytes=round(config.storage.free_mb * MB),
        )
        self._log = TrackLog(folder)
        self._skip_until = skip_until

    def start(self) -> None:
        self._segments.start()

    def close(self, timeout_s: float) -> None:
        self._segments.close(timeout_s)
        self._log.close()

    def take(self, stream: EncodedStream, packet: EncodedPacket) -> None:
        """As `protocols.PacketSink`."""
        if self._skip_until is None or packet.time > self._skip_until:
            self._segments.take(stream, packet)

    def log(self, look: Look) -> None:
        """Remember what was tracked in a frame."""
        self._log.append(logged(look))

    @property
    def dropped(self) -> Counter[str]:
        """Cause -> packets and looks that were not kept."""
        return Counter(dict(self._segments.dropped)) + Counter(dict(self._log.dropped))

    @property
    def problem(self) -> str | None:
        """Why nothing is kept at present, a sentence."""
        return self._segments.problem


def logged(look: Look) -> LoggedLook:
    """A look as the track log keeps it; boxes in fractions 0..1 of the picture."""
    return LoggedLook(
        time=look.pts,
        captured_at=look.view.captured_at.astimezone(UTC),
        monotonic=look.view.monotonic,
        tracks=tuple(
            LoggedTrack(
                id=track.id,
                label=track.label,
                confidence=track.detection.confidence,
                box=clipped_fractions(track.detection.box, look.view.size),
            )
            for track in look.view.tracks
        ),
    )
