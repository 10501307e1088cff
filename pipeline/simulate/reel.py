"""A film as an RTSP camera needs it: H.264, picture by picture, with times."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import FilmError
from pipeline.simulate.encoding import OPTIONS, opened, transcode
from pipeline.simulate.rtp import CLOCK_HZ, nal_units, parameter_sets

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

Progress = Callable[[str], None]

_BEGINNINGS = (5, 7)
"""Kinds of NAL units: a picture that needs no other, and a sequence parameter set."""
_DEFAULT_RATE = 25.0
_LOOKED_AT = 500
"""So many packets of a film must be good H.264 for it to be taken as it is."""


class AccessUnit(NamedTuple):
    """One encoded picture. `due_s` is when it is to be sent and `pts` (in 1/90000 s) when it is
    to be shown, both from the film's first picture."""

    due_s: float
    pts: int
    units: tuple[bytes, ...]

    @property
    def keyframe(self) -> bool:
        """Whether a decoder can begin here."""
        return any(unit[0] & 0x1F in _BEGINNINGS for unit in self.units)


@dataclass(frozen=True, slots=True)
class Reel:
    """An H.264 film that is ready to be sent as it is."""

    path: Path
    parameter_sets: tuple[bytes, ...]
    rate: float | None
    duration_s: float

    @property
    def period_s(self) -> float:
        """Seconds between two pictures."""
        return 1 / (self.rate or _DEFAULT_RATE)

    def access_units(self, start_s: float = 0.0) -> Iterator[AccessUnit]:
        """The film's pictures in the order of sending, from the last keyframe at or before
        `start_s` on; each call reads the file anew.

        Raises:
            FilmError: the file has become unreadable.
        """
        import av

        with closing(opened(self.path)) as container:
            stream = container.streams.video[0]
            try:
                wind(container, stream, start_s)
                yield from _access_units(container, stream)
            except av.FFmpegError as error:
                raise FilmError(
                    f"The film {self.path} cannot be read on: {error.strerror}."
                ) from None


def wind(container: InputContainer, stream: VideoStream, start_s: float) -> None:
    """Wind a film on to the last keyframe at or before a time; raises as PyAV does."""
    if start_s > 0:
        origin = stream.start_time or 0
        assert stream.time_base is not None
        container.seek(origin + round(start_s / stream.time_base), stream=stream)


def _access_units(container: InputContainer, stream: VideoStream) -> Iterator[AccessUnit]:
    from av.bitstream import BitStreamFilterContext

    # puts start codes and, before each keyframe, the parameter sets; no work where they are there
    to_annex_b = BitStreamFilterContext("h264_mp4toannexb", stream)
    first_dts: float | None = None
    first_pts = 0.0
    for packet in container.demux(stream):
        if packet.dts is None or packet.pts is None:
            continue
        dts = float(packet.dts * packet.time_base)
        pts = float(packet.pts * packet.time_base)
        if first_dts is None:
            first_dts, first_pts = dts, pts
        for filtered in to_annex_b.filter(packet):
            units = tuple(nal_units(bytes(filtered)))
            yield AccessUnit(dts - first_dts, round((pts - first_pts) * CLOCK_HZ), units)


def load(film: Path, cache: Path, progress: Progress = lambda _: None) -> Reel:
    """A film made ready to be sent.

    H.264 with times is taken as it is; anything else is turned to H.264 once, with a keyframe
    each second and no B-frames, and kept in the folder `cache` under the hash of its content.

    Raises:
        FilmError: the film is missing or cannot be read, or the cache cannot be written.
    """
    as_it_is = _reel(film)
    if as_it_is is not None:
        return as_it_is
    ready = prepared(film, cache)
    if not ready.exists():
        progress(f"Turning {film.name} to H.264, once; it is kept as {ready}.")
        transcode(film, ready)
    reel = _reel(ready)
    if reel is None:
        raise FilmError(f"{ready} is damaged; delete it, and it will be made again.")
    return reel


def prepared(film: Path, cache: Path) -> Path:
    """Where `load` keeps what it made of a film."""
    try:
        with film.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise FilmError(f"The film {film} cannot be read: {error.strerror}.") from error
    return prepared_by_hash(digest, cache)


def prepared_by_hash(digest: str, cache: Path) -> Path:
    """Where `load` keeps what it made of the film with this SHA-256."""
    options = hashlib.sha256(repr(sorted(OPTIONS.items())).encode()).hexdigest()
    return cache / f"{digest[:16]}-{options[:8]}.mp4"


def _reel(film: Path) -> Reel | None:
    """The film as it is, or None where it must be transcoded first."""
    with closing(opened(film)) as container:
        stream = container.streams.video[0]
        if stream.codec_context.codec.canonical_name != "h264":
            return None
        rate = stream.average_rate or stream.guessed_rate
        duration_s = (container.duration or 0) / 1_000_000
        if not _decodes_upright(container, stream):
            return None
    reel = Reel(film, (), float(rate) if rate else None, duration_s)
    try:
        first = list(islice(reel.access_units(), _LOOKED_AT))
    except FilmError:  # in another form of H.264, or damaged
        return None
    sets = parameter_sets(first[0].units) if first else ()
    return replace(reel, parameter_sets=sets) if sets else None


def _decodes_upright(container: InputContainer, stream: VideoStream) -> bool:
    """Whether the first picture can be decoded and need not be turned."""
    import av

    try:
        first = next(container.decode(stream), None)
    except av.FFmpegError:
        return False
    return first is not None and first.rotation == 0


def copies(reels: Mapping[str, Reel], count: int) -> dict[str, Reel]:
    """Each film under so many names: name-1, name-2, ...; under its own where one is wanted."""
    if count == 1:
        return dict(reels)
    return {f"{name}-{n}": reel for name, reel in reels.items() for n in range(1, count + 1)}


def names_of(films: list[Path]) -> Mapping[str, Path]:
    """A name for each film, for its address: its file's name without suffix, made unique."""
    named: dict[str, Path] = {}
    for film in films:
        stem = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in film.stem)
        name, number = stem or "film", 2
        while name in named:
            name, number = f"{stem or 'film'}-{number}", number + 1
        named[name] = film
    return named
