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

from pipeline.clips.naming import INDEX, TRACKS, VIDEO, Begun, Listing, begun
from pipeline.clips.piece import Piece
from pipeline.clips.tracklog import read_looks
from pipeline.clock import HostClock
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
    """A packet as the index has it; `monotonic` is None in those of earlier versions."""

    time: float
    at: datetime
    pts: int
    dts: int
    keyframe: bool
    monotonic: float | None


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
    """Reads one camera's folder while another process writes it and a third one makes room.

    Moments are those of a setting of the host's `clock`: where it was set to another time since,
    or before, what was filmed then has the time that this setting would have given it. Without
    one, all has the time that was shown.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listing = Listing(folder)
        self._whole: dict[str, Segment] = {}

    def until(self, clock: HostClock | None = None) -> datetime | None:
        """When the newest picture that can be read was taken; None if there is none."""
        for _, index in reversed(self._indexes(clock)):
            line = _last_line(index)
            if line is not None:
                return _shown(line, clock)
        return None

    def pieces(self, start: datetime, end: datetime, clock: HostClock | None = None) -> list[Piece]:
        """All video between two moments, in order; each piece begins at the keyframe at or before
        `start`, where there is one."""
        overlapping = self._overlapping(start, end, clock)
        parts = [
            part
            for part in (self._part(index, start, end, clock) for index in overlapping)
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
            looks = read_looks(self._folder, min(ats), max(ats), clock)
            pieces.append(Piece(stream, partial(_packets, members), looks))
        return pieces

    def segments(self, clock: HostClock | None = None) -> list[Segment]:
        """All segments, the oldest first; also what a crash has left of one."""
        files: dict[str, list[str]] = {}
        for name in self._listing.names(INDEX, *VIDEO):
            files.setdefault(name.rpartition(".")[0], []).append(name)
        begins = {stem: _begun(stem) for stem in files}
        stems = sorted(files, key=partial(_order, clock=clock))
        before, self._whole = self._whole, {}
        for stem, following in pairwise(stems):
            # Only the newest still grows.
            known = before.get(stem) or self._segment(files[stem])
            start, end = begins[stem].on(clock), begins[following].on(clock)
            self._whole[stem] = replace(known, start=start, end=max(start, end))
        newest = []
        for stem in stems[-1:]:
            start = begins[stem].on(clock)
            end = self.until(clock) or start
            newest.append(replace(self._segment(files[stem]), start=start, end=end))
        return [*self._whole.values(), *newest]

    def track_logs(self, clock: HostClock | None = None) -> list[Path]:
        """The files of the track log, the oldest first."""
        names = self._listing.names(TRACKS)
        return [self._folder / name for name in sorted(names, key=partial(_order, clock=clock))]

    def remove(self, segment: Segment) -> None:
        """Remove a segment; who is reading it goes on."""
        # In this order: an index without its video would promise what is not there.
        segment.index.unlink(missing_ok=True)
        segment.path.unlink(missing_ok=True)

    def _segment(self, files: list[str]) -> Segment:
        paths = [self._folder / name for name in files]
        video = next((path for path in paths if path.suffix in VIDEO), paths[0])
        at = _begun(video.name).at
        return Segment(video, video.with_suffix(INDEX), at, at, sum(map(_size, paths)))

    def _indexes(self, clock: HostClock | None) -> list[tuple[datetime, Path]]:
        """The indexes of video that the clock has a time for, with when it begins, in order."""
        found = [(_begun(name), self._folder / name) for name in self._listing.names(INDEX)]
        timed = [(first.on(clock), index) for first, index in found if not first.elsewhere(clock)]
        return sorted(timed)

    def _overlapping(self, start: datetime, end: datetime, clock: HostClock | None) -> list[Path]:
        indexes = self._indexes(clock)
        following = [*(first for first, _ in indexes), None][1:]
        return [
            index
            for (first, index), after in zip(indexes, following, strict=True)
            if first <= end and (after is None or after >= start)
        ]

    def _part(
        self, index: Path, start: datetime, end: datetime, clock: HostClock | None
    ) -> _Part | None:
        read = _read(index, clock)
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


def _begun(name: str) -> Begun:
    found = begun(name)
    assert found is not None  # since `Listing` lists none but these files
    return found


def _order(name: str, clock: HostClock | None) -> tuple[bool, datetime]:
    """Sorts names: those of earlier boots first, since what is being written is of this one."""
    first = _begun(name)
    return not first.elsewhere(clock), first.on(clock)


def _shown(line: _Line, clock: HostClock | None) -> datetime:
    """When a packet was taken, as the clock calls it."""
    return line.at if clock is None or line.monotonic is None else clock.at(line.monotonic)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _read(index: Path, clock: HostClock | None) -> tuple[dict[str, str], list[_Line]] | None:
    """The header and lines of an index; a line that a crash has torn is left out."""
    try:
        head, *rest = index.read_text(encoding="utf-8").splitlines()
        header = json.loads(head)
    except (FileNotFoundError, ValueError):
        return None
    lines = [line for line in map(_line, rest) if line is not None]
    return header, [line._replace(at=_shown(line, clock)) for line in lines]


def _line(text: str) -> _Line | None:
    try:
        time, at, pts, dts, keyframe, *since = json.loads(text)
        moment = datetime.fromtimestamp(at, UTC)
        return _Line(time, moment, pts, dts, bool(keyframe), since[0] if since else None)
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
                            monotonic=line.monotonic or 0.0,
                        )
        except av.FFmpegError:
            continue
