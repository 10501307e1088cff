"""From pieces of footage to a clip that any browser plays."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import AwareDatetime

from pipeline.clips.decoding import first_turns, ticks, upright
from pipeline.clips.output import new_output
from pipeline.clips.piece import Piece
from pipeline.encoded import add_stream, opened
from pipeline.errors import ClipError
from pipeline.turning import turned_size
from pipeline.types import (
    ClipReason,
    EncodedPacket,
    EncodedStream,
    LoggedTrack,
    Polygon,
    Size,
    Wire,
)

if TYPE_CHECKING:
    from av.container import OutputContainer

_PLAYED = {("h264", "yuv420p"), ("h264", "yuvj420p")}
"""What browsers play and MP4 holds; H.264 of unknown pixels is mostly this too."""
_TIME_BASE = Fraction(1, 90_000)
_LAST_S = 1 / 25
"""The last picture of a clip is shown so long, and a break in the recording is."""
_ENCODING = {"preset": "veryfast", "crf": "23"}


class CutLook(Wire):
    """What was tracked `t` seconds into a clip."""

    t: float
    at: AwareDatetime
    tracks: tuple[LoggedTrack, ...]


class Stretch(Wire):
    """A part of a clip without a break: it begins `t` seconds into it, taken `at` that moment."""

    t: float
    at: AwareDatetime


class Cut(Wire):
    """A raw clip; stored beside it, since its segments and track log are soon gone.

    `size` in pixels, of upright pictures; the first was turned by `turns` quarter turns,
    counter-clockwise, to be upright, or is by whoever plays it. `start` and `end` are when the
    first and last pictures were taken. `transcoded` is true where the camera's packets could not be
    used as they were. What lies in `masks` is in its pictures, and nobody may see it.
    """

    codec: str
    size: Size
    duration_s: float
    start: AwareDatetime
    end: AwareDatetime
    transcoded: bool
    looks: tuple[CutLook, ...]
    stretches: tuple[Stretch, ...] = ()
    """What it is made of; breaks in a recording are shortened."""
    masks: tuple[Polygon, ...] = ()
    turns: int = 0

    def seconds(self, at: datetime) -> float:
        """Where in the clip a moment is, within its length."""
        begun = [stretch for stretch in self._stretches() if stretch.at <= at]
        if not begun:
            return 0.0
        following = [stretch.t for stretch in self._stretches()[len(begun) :]]
        t = begun[-1].t + (at - begun[-1].at).total_seconds()
        return min([t, self.duration_s, *following])

    def moment(self, t: float) -> datetime:
        """When the picture was taken that is shown `t` seconds into the clip."""
        begun = [stretch for stretch in self._stretches() if stretch.t <= t]
        last = begun[-1] if begun else self._stretches()[0]
        return last.at + timedelta(seconds=t - last.t)

    def _stretches(self) -> tuple[Stretch, ...]:
        return self.stretches or (Stretch(t=0.0, at=self.start),)


def cut(
    pieces: Sequence[Piece], out: Path, should_stop: Callable[[], bool] = lambda: False
) -> Cut | None:
    """Write the pieces one after the other into an MP4 file.

    Packets are taken as they are where browsers play them and all pieces are alike; else the whole
    is encoded anew, in H.264, which can take minutes. `should_stop` is asked at every packet;
    None, and no file, is what remains when it says so.

    Raises:
        ClipError: there are no pictures, they cannot be decoded, or the disk takes no file.
    """
    if not pieces:
        raise ClipError(
            "No video of that time was kept; was the camera away?", ClipReason.NOT_RECORDED
        )
    pieces = [replace(one, read=partial(_watched, one.read, should_stop)) for one in pieces]
    try:
        turns = [first_turns(piece) for piece in pieces]
        copied = copyable(pieces) and len(set(turns)) == 1
        with _writing(out) as container:
            make = _copy if copied else _transcode
            made = make(container, pieces, turns[0])
    except _Stopped:
        out.unlink(missing_ok=True)
        return None
    except BaseException:
        out.unlink(missing_ok=True)
        raise
    if made.first is None or made.last is None:
        out.unlink(missing_ok=True)
        raise ClipError("The video of that time cannot be decoded.", ClipReason.UNPLAYABLE)
    return Cut(
        codec="h264",
        size=made.size,
        duration_s=round(made.end, 3),
        start=made.first,
        end=made.last,
        transcoded=not copied,
        looks=tuple(made.looks),
        stretches=tuple(made.stretches),
        turns=made.turns,
    )


def copyable(pieces: Sequence[Piece]) -> bool:
    """Whether a clip of these takes their packets as they are, and no time."""
    first = pieces[0].stream
    alike = all(_alike(piece.stream, first) for piece in pieces)
    return alike and (first.codec, first.pixel_format or "yuv420p") in _PLAYED


class _Stopped(Exception):
    """Whoever wanted the clip wants it no longer."""


def _watched(
    read: Callable[[], Iterator[EncodedPacket]], should_stop: Callable[[], bool]
) -> Iterator[EncodedPacket]:
    for packet in read():
        if should_stop():
            raise _Stopped
        yield packet


@contextmanager
def _writing(out: Path) -> Iterator[OutputContainer]:
    """An MP4 file to be written. Raises: ClipError: see `cut`."""
    import av

    try:
        with new_output(out) as container:
            yield container
    except (av.FFmpegError, OSError) as error:
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        why = "the disk is full; free some space on it" if full else str(error.strerror)
    else:
        return
    raise ClipError(
        f"The clip cannot be written to {out.parent}: {why}.",
        ClipReason.DISK_FULL if full else ClipReason.UNPLAYABLE,
        passing=full,
    )


def _alike(one: EncodedStream, other: EncodedStream) -> bool:
    """Whether a player can go on from one to the other without noticing."""
    with opened(one) as a, opened(other) as b:
        same = a.codec_context.extradata == b.codec_context.extradata
    return same and (one.codec, one.size, one.time_base, one.turns) == (
        other.codec,
        other.size,
        other.time_base,
        other.turns,
    )


@dataclass
class _Made:
    """What was written so far; `end` in seconds of the clip."""

    size: Size
    turns: int
    looks: list[CutLook] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)
    end: float = 0.0
    first: datetime | None = None
    last: datetime | None = None

    def saw(self, at: datetime) -> None:
        self.first = at if self.first is None else self.first
        self.last = at if self.last is None else max(self.last, at)

    def place(self, piece: Piece, shown: list[tuple[float, float]]) -> None:
        """Take over the looks of a piece, in whose pictures, captured at the first of each of
        `shown`, the clip is at the second.

        By when pictures were captured, and not by their presentation times: those of the camera's
        other stream, which was looked at, are another clock's.
        """
        if not shown:
            return
        moments, seconds = (np.array(column) for column in zip(*sorted(shown), strict=True))
        for look in piece.looks:
            at = look.captured_at.timestamp()
            # Before the first and after the last one time goes on as it does.
            outside = min(at - moments[0], 0.0) + max(at - moments[-1], 0.0)
            t = float(np.interp(at, moments, seconds)) + outside
            if -1e-3 <= t <= self.end + _LAST_S:
                self.looks.append(
                    CutLook(t=round(max(0.0, t), 4), at=look.captured_at, tracks=look.tracks)
                )


def _copy(container: OutputContainer, pieces: Sequence[Piece], turns: int) -> _Made:
    import av

    stream = pieces[0].stream
    # Cameras say it within their packets, where few players look.
    out = add_stream(container, replace(stream, turns=turns))
    made = _Made(turned_size(stream.size, turns), turns)
    last_dts: int | None = None
    for piece in pieces:
        base: int | None = None
        offset = made.end
        shift = round(offset / stream.time_base)
        shown: list[tuple[float, float]] = []
        for packet in piece.read():
            pts, dts = ticks(packet)
            if base is None:
                base = pts
                made.stretches.append(Stretch(t=round(offset, 4), at=packet.captured_at))
            muxed = av.Packet(packet.data)
            muxed.pts, muxed.dts = pts - base + shift, dts - base + shift
            if last_dts is not None and muxed.dts <= last_dts:
                muxed.dts = last_dts + 1
                muxed.pts = max(muxed.pts, muxed.dts)
            last_dts = muxed.dts
            # Only the last one's counts: players leave out a picture that is shown for no time.
            muxed.duration = round(_LAST_S / stream.time_base)
            muxed.time_base, muxed.stream = stream.time_base, out
            muxed.is_keyframe = packet.keyframe
            t = float(muxed.pts * stream.time_base)
            shown.append((packet.captured_at.timestamp(), t))
            made.end = max(made.end, t + _LAST_S)
            made.saw(packet.captured_at)
            container.mux(muxed)
        made.place(piece, shown)
    return made


def _transcode(container: OutputContainer, pieces: Sequence[Piece], turns: int) -> _Made:
    size = turned_size(pieces[0].stream.size, turns)
    width, height = (max(2, side // 2 * 2) for side in size)
    out = container.add_stream("libx264", rate=25, options=_ENCODING)
    out.width, out.height, out.pix_fmt = width, height, "yuv420p"
    out.codec_context.time_base = _TIME_BASE
    out.codec_context.thread_count = 1
    made = _Made((width, height), turns)
    last = -1
    for piece in pieces:
        offset, origin = made.end, None
        shown: list[tuple[float, float]] = []
        for frame, seconds, at in upright(piece):
            if origin is None:
                origin = seconds
                made.stretches.append(Stretch(t=round(offset, 4), at=at))
            pts = max(round((seconds - origin + offset) / _TIME_BASE), last + 1)
            last = pts
            picture = frame.reformat(width=width, height=height, format="yuv420p")
            picture.pts, picture.time_base = pts, _TIME_BASE
            t = float(pts * _TIME_BASE)
            shown.append((at.timestamp(), t))
            made.end = t + _LAST_S
            made.saw(at)
            container.mux(out.encode(picture))
        made.place(piece, shown)
    container.mux(out.encode(None))
    return made
