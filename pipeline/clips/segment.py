"""One file of video that is being written, and its index."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from pipeline.clips.naming import INDEX, file_name
from pipeline.clips.output import Output
from pipeline.encoded import add_stream
from pipeline.types import EncodedPacket, EncodedStream

FRAGMENT_S = 0.5
"""What is written can be read so soon, whatever the distance of keyframes."""

_MP4 = frozenset({"h264", "hevc", "mpeg4", "mjpeg", "av1", "vp9", "mpeg2video"})
"""What goes into MP4 as it is; anything else goes into Matroska."""


class Segment:
    """One file of video, and its index."""

    def __init__(
        self, folder: Path, recording: str, stream: EncodedStream, first: EncodedPacket
    ) -> None:
        self.stream = stream
        self.first_time = first.time
        self._ticks = _Ticks(stream, first)
        mp4 = stream.codec in _MP4
        name = file_name(first.captured_at, first.monotonic, recording)
        self._path = folder / f"{name}{'.mp4' if mp4 else '.mkv'}"
        self._output = Output(
            self._path,
            "mp4" if mp4 else "matroska",
            _mp4_options(stream) if mp4 else _MKV_OPTIONS,
        )
        index = folder / f"{name}{INDEX}"
        self._index: TextIO | None = None
        self._unread: list[str] = []
        self._size = 0
        try:
            self._out = add_stream(self._output.container, stream)
            self._index = index.open("w", encoding="utf-8")
            base = stream.time_base
            header = {
                "format": 1,
                "recording": recording,
                "file": self._path.name,
                "time_base": [base.numerator, base.denominator],
            }
            self._index.write(json.dumps(header) + "\n")
            self._index.flush()
        except BaseException:
            # Nothing was written that anybody could want.
            for path in (self._path, index):
                path.unlink(missing_ok=True)
            with suppress(Exception):
                self.close()
            raise

    def add(self, packet: EncodedPacket) -> None:
        import av

        pts, dts = self._ticks.of(packet)
        muxed = av.Packet(packet.data)
        muxed.pts, muxed.dts = pts - self._ticks.base, dts - self._ticks.base
        if packet.duration is not None:
            muxed.duration = packet.duration
        muxed.time_base, muxed.stream = self.stream.time_base, self._out
        muxed.is_keyframe = packet.keyframe
        self._output.container.mux(muxed)
        size = self._path.stat().st_size
        if size > self._size:
            # A fragment was written, of all packets before this one.
            self._size = size
            self._tell()
        at = packet.captured_at.timestamp()
        line = [round(packet.time, 6), at, pts, dts, int(packet.keyframe), packet.monotonic]
        self._unread.append(json.dumps(line, separators=(",", ":")))

    def close(self) -> None:
        try:
            self._output.close()
            self._tell()
        finally:
            if self._index is not None:
                self._index.close()

    def _tell(self) -> None:
        if self._index is None:
            return
        if self._unread:
            self._index.write("\n".join(self._unread) + "\n")
            self._unread.clear()
        self._index.flush()


class _Ticks:
    """Times that a container takes: none is missing, and decoding times only rise."""

    def __init__(self, stream: EncodedStream, first: EncodedPacket) -> None:
        self._time_base = stream.time_base
        self._last: int | None = None
        pts, dts = self.of(first)
        self.base = min(pts, dts)
        self._last = None

    def of(self, packet: EncodedPacket) -> tuple[int, int]:
        pts = packet.pts
        if pts is None:
            pts = packet.dts if packet.dts is not None else round(packet.time / self._time_base)
        dts = pts if packet.dts is None else packet.dts
        if self._last is not None and dts <= self._last:
            dts = self._last + 1
        self._last = dts
        return max(pts, dts), dts


def _mp4_options(stream: EncodedStream) -> dict[str, str]:
    options = {
        # Fragments: what is written plays, even without an end.
        "movflags": "empty_moov+default_base_moof",
        "frag_duration": str(round(FRAGMENT_S * 1_000_000)),
        "flush_packets": "1",
    }
    if stream.time_base.numerator == 1:
        options["video_track_timescale"] = str(stream.time_base.denominator)
    return options


_MKV_OPTIONS = {"cluster_time_limit": str(round(FRAGMENT_S * 1000)), "flush_packets": "1"}
