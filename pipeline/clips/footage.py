"""What there is of a camera's video, for those who cut it or make room."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from functools import partial
from itertools import groupby, pairwise
from pathlib import Path
from typing import NamedTuple

from pipeline.clips.naming import INDEX, TRACKS, VIDEO, Listing, stamped
from pipeline.clips.piece import Piece
from pipeline.clips.tracklog import read_looks
from pipeline.encoded import describe
from pipeline.types import EncodedPacket, EncodedStream

_TAIL = 512
"""Bytes of an index that hold its last line."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of video with its index; `end` is when the next one begins, or the newest picture
    was taken. `bytes` is the size of both."""

    path: Path
    index: Path
    start: datetime
    end: datetime
    bytes: int


class _Line(NamedTuple):
    """A packet as the index has it."""

    time: float
    at: datetime
    pts: int
    dts: int
    keyframe: bool


@dataclass(frozen=True, slots=True)
class _Part:
    """The packets `first` up to, not including, `last` of one segment."""

    path: Path
    recording: str
    time_base: Fraction
    lines: Sequence[_Line]
    first: int
    last: int


class Footage:
    """Reads one camera's folder while another process writes it and a third one makes room."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listing = Listing(folder)
        self._whole: dict[str, Segment] = {}

    def until(self) -> datetime | None:
        """When the newest picture that can be read was taken; None if there is none."""
        for name in reversed(self._listing.names(INDEX)):
            line = _last_line(self._folder / name)
            if line is not None:
                return line.at
        return None

    def pieces(self, start: datetime, end: datetime) -> list[Piece]:
        """All video between two moments, in order; each piece begins at the keyframe at or before
        `start`, where there is one."""
        parts = [
            part
            for part in (self._part(index, start, end) for index in self._overlapping(start, end))
            if part is not None
        ]
        pieces = []
        for _, group in groupby(parts, key=lambda part: part.recording):
            members = list(group)
            # A crash may have left a first segment that cannot be read, but not all of them.
            stream = None
            while members and (stream := _stream(members[0])) is None:
                members.pop(0)
            if stream is None:
                continue
            ats = [line.at for part in members for line in part.lines[part.first : part.last]]
            looks = read_looks(self._folder, min(ats), max(ats))
            pieces.append(Piece(stream, partial(_packets, members), looks))
        return pieces

    def segments(self) -> list[Segment]:
        """All segments, the oldest first; also what a crash has left of one."""
        files: dict[str, list[str]] = {}
        for name in self._listing.names(INDEX, *VIDEO):
            files.setdefault(name.rpartition(".")[0], []).append(name)
        before, self._whole = self._whole, {}
        for stem, following in pairwise(files):
            # Only the newest still grows.
            self._whole[stem] = before.get(stem) or self._segment(files[stem], _start(following))
        newest = [self._segment(files[stem], self.until()) for stem in [*files][-1:]]
        return [*self._whole.values(), *newest]

    def track_logs(self) -> list[Path]:
        """The files of the track log, the oldest first."""
        return [self._folder / name for name in self._listing.names(TRACKS)]

    def remove(self, segment: Segment) -> None:
        """Remove a segment; who is reading it goes on."""
        # In this order: an index without its video would promise what is not there.
        segment.index.unlink(missing_ok=True)
        segment.path.unlink(missing_ok=True)

    def _segment(self, files: list[str], end: datetime | None) -> Segment:
        paths = [self._folder / name for name in files]
        video = next((path for path in paths if path.suffix in VIDEO), paths[0])
        start = _start(video.name)
        return Segment(video, video.with_suffix(INDEX), start, end or start, sum(map(_size, paths)))

    def _overlapping(self, start: datetime, end: datetime) -> list[Path]:
        indexes = [self._folder / name for name in self._listing.names(INDEX)]
        found = []
        for number, index in enumerate(indexes):
            begun = stamped(index.name)
            following = stamped(indexes[number + 1].name) if number + 1 < len(indexes) else None
            if begun is not None and begun <= end and (following is None or following >= start):
                found.append(index)
        return found

    def _part(self, index: Path, start: datetime, end: datetime) -> _Part | None:
        read = _read(index)
        if read is None:
            return None
        header, lines = read
        wanted = [number for number, line in enumerate(lines) if start <= line.at <= end]
        if not wanted:
            return None
        first = max(
            (
                number
                for number, line in enumerate(lines)
                if line.keyframe and line.at <= max(start, lines[0].at)
            ),
            default=0,
        )
        time_base = Fraction(*header["time_base"])
        path = index.with_name(header["file"])
        return _Part(path, header["recording"], time_base, lines, first, wanted[-1] + 1)


def _start(name: str) -> datetime:
    return stamped(name) or datetime.now(UTC)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _read(index: Path) -> tuple[dict[str, str], list[_Line]] | None:
    """The header and lines of an index; a line that a crash has torn is left out."""
    try:
        head, *rest = index.read_text(encoding="utf-8").splitlines()
        header = json.loads(head)
    except (FileNotFoundError, ValueError):
        return None
    lines = [line for line in map(_line, rest) if line is not None]
    return header, lines


def _line(text: str) -> _Line | None:
    try:
        time, at, pts, dts, keyframe = json.loads(text)
        return _Line(time, datetime.fromtimestamp(at, UTC), pts, dts, bool(keyframe))
    except (ValueError, TypeError):
        return None


def _last_line(index: Path) -> _Line | None:
    try:
        with index.open("rb") as file:
            file.seek(max(0, index.stat().st_size - _TAIL))
            tail = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return None
    found = (_line(text) for text in reversed(tail))
    return next((line for line in found if line is not None), None)


def _stream(part: _Part) -> EncodedStream | None:
    import av

    try:
        with av.open(f"file:{part.path}") as container:
            return replace(describe(container.streams.video[0]), time_base=part.time_base)
    except (av.FFmpegError, IndexError):
        return None


def _packets(parts: Sequence[_Part]) -> Iterator[EncodedPacket]:
    """The packets with the times that the camera gave them; what is damaged or gone is left out."""
    import av

    for part in parts:
        try:
            with av.open(f"file:{part.path}") as container:
                packets = (p for p in container.demux(video=0) if p.size)
                for number, (line, packet) in enumerate(zip(part.lines, packets, strict=False)):
                    if number >= part.last:
                        break
                    if number >= part.first:
                        yield EncodedPacket(
                            data=bytes(packet),
                            pts=line.pts,
                            dts=line.dts,
                            duration=None,
                            keyframe=line.keyframe,
                            time=line.time,
                            captured_at=line.at,
                        )
        except av.FFmpegError:
            continue
