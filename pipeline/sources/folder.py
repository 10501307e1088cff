"""A folder of films, played as one."""

from __future__ import annotations

import logging
import mimetypes
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from pipeline.errors import SourceError, SourceUnreadable
from pipeline.protocols import PacketSink
from pipeline.sources.address import file_path
from pipeline.sources.ffmpeg import open_stream
from pipeline.sources.options import SourceOptions
from pipeline.sources.stream import StreamSource
from pipeline.sources.timing import DEFAULT_PERIOD_S, Clock
from pipeline.types import EncodedPacket, EncodedStream, Frame

logger = logging.getLogger(__name__)

_NAMED_IN_A_NOTE = 5
# Not the system's table, which takes .ts for a translation
_types = mimetypes.MimeTypes()
_types.add_type("video/3gpp", ".3gp")


def open_folder(
    camera: str,
    address: str,
    *,
    options: SourceOptions,
    clock: Clock,
    packets: PacketSink | None = None,
) -> FolderSource:
    """Open the first film of a folder that can be read; `packets` gets those of all of them.

    Raises:
        SourceUnreadable: there is none.
    """
    folder = Path(file_path(address)).expanduser()
    failure: SourceUnreadable | None = None
    try:
        films = films_of(folder)
    except OSError:
        failure = SourceUnreadable(
            f"Camera {camera}: the folder {folder} may not be read; check its permissions."
        )
    if failure is not None:
        raise failure
    return FolderSource(camera, folder, films, options, clock, packets)


def films_of(folder: Path) -> list[Path]:
    """The files of a folder that may be films, in natural order: film 2 comes before film 10."""
    return sorted((path for path in folder.iterdir() if _may_be_film(path)), key=_natural)


def _may_be_film(path: Path) -> bool:
    kind = _types.guess_type(path.name)[0] or "video/unknown"
    return not path.name.startswith(".") and kind.startswith("video/") and path.is_file()


def _natural(path: Path) -> list[tuple[int, int, str]]:
    parts = re.findall(r"\d+|\D+", path.name.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


class FolderSource:
    """The films of a folder one after the other, with one running index and one time; the first
    frame of each is a discontinuity. Files that cannot be read are left out and told of.

    Raises:
        SourceUnreadable: there is no film that can be read.
    """

    live = False

    def __init__(
        self,
        camera: str,
        folder: Path,
        films: list[Path],
        options: SourceOptions,
        clock: Clock,
        packets: PacketSink | None,
    ) -> None:
        self._camera, self._folder, self._options, self._packets = camera, folder, options, packets
        self._films = iter(films)
        self._count = len(films)
        self._opened = clock.monotonic()
        self._opened_at = clock.wall.at(self._opened)
        self._unreadable: list[str] = []
        self._dropped: Counter[str] = Counter()
        self._stop = threading.Event()
        self._idle = False
        self._wishes = threading.Lock()
        self._elapsed = self._pts = 0.0
        """Where the next film begins: seconds since the first began, and presentation time."""
        film = self._next()
        if film is None:
            raise self._nothing()
        self._film: StreamSource = film
        self.codec, self.rate, self.decoder = film.codec, film.rate, film.decoder

    @property
    def notes(self) -> tuple[str, ...]:
        """As of each source, with one sentence about the files that were left out."""
        if not self._unreadable:
            return self._film.notes
        names = ", ".join(self._unreadable[:_NAMED_IN_A_NOTE])
        more = len(self._unreadable) - _NAMED_IN_A_NOTE
        return (
            *self._film.notes,
            f"Camera {self._camera}: {len(self._unreadable)} of {self._count} files in "
            f"{self._folder} cannot be read as films: {names}"
            f"{f' and {more} more' if more > 0 else ''}.",
        )

    @property
    def dropped(self) -> Mapping[str, int]:
        """Cause -> frames or packets not handed over, of all films so far."""
        return Counter(dict(self._dropped)) + Counter(dict(self._film.dropped))

    def idle(self, idle: bool) -> None:
        """As that of each film, also of those that follow."""
        with self._wishes:
            self._idle = idle
            self._film.idle(idle)

    def frames(self) -> Iterator[Frame]:
        """Frames of all films in order until the last ends or `close` is called.

        Raises:
            SourceUnreadable: not one picture could be decoded.
        """
        index = 0
        film: StreamSource | None = self._film
        while film is not None:
            with self._wishes:
                self._film = film
                film.idle(self._idle)
            if self._stop.is_set():  # while this one was opened
                film.close()
                return
            try:
                for frame in self._of_one(film):
                    yield replace(frame, index=index)
                    index += 1
            except SourceError as error:
                self._leave_out(error)
            finally:
                film.close()
            self._dropped.update(dict(film.dropped))
            film.dropped.clear()
            film = None if self._stop.is_set() else self._next()
        if index == 0 and not self._stop.is_set():
            raise self._nothing()

    def close(self) -> None:
        """Release the film that is being read; `frames` ends soon after."""
        self._stop.set()
        self._film.close()

    def _of_one(self, film: StreamSource) -> Iterator[Frame]:
        period = 1 / film.rate if film.rate else DEFAULT_PERIOD_S
        shift = self._pts
        for frame in film.frames():
            # where the next film begins, if this is the last frame
            self._elapsed = max(self._elapsed, frame.monotonic - self._opened + period)
            self._pts = max(self._pts, frame.pts + shift + period)
            yield replace(frame, pts=frame.pts + shift)

    def _next(self) -> StreamSource | None:
        """The next film that can be opened; its time goes on from where the last one ended."""
        elapsed, at = self._elapsed, self._opened_at + timedelta(seconds=self._elapsed)
        clock = Clock(monotonic=lambda: self._opened + elapsed, now=lambda: at)
        packets = None if self._packets is None else _Shifted(self._packets, self._pts)
        for path in self._films:
            self._name = path.name
            try:
                return open_stream(
                    self._camera,
                    str(path),
                    options=self._options,
                    clock=clock,
                    packets=packets,
                )
            except SourceError as error:
                self._leave_out(error)
        return None

    def _leave_out(self, error: SourceError) -> None:
        self._unreadable.append(self._name)
        logger.warning("%s", error)

    def _nothing(self) -> SourceUnreadable:
        return SourceUnreadable(
            f"Camera {self._camera}: there is no film that can be read in the folder "
            f"{self._folder}; name a folder of video files."
        )


class _Shifted:
    """Hands packets on with the presentation times that their pictures have in the whole folder."""

    def __init__(self, sink: PacketSink, shift_s: float) -> None:
        self._sink, self._shift_s = sink, shift_s

    def take(self, stream: EncodedStream, packet: EncodedPacket) -> None:
        ticks = round(self._shift_s / stream.time_base)
        moved = replace(
            packet,
            pts=None if packet.pts is None else packet.pts + ticks,
            dts=None if packet.dts is None else packet.dts + ticks,
            time=packet.time + self._shift_s,
        )
        self._sink.take(stream, moved)
