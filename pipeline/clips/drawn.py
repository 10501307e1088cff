"""Films of drawn pictures."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.clips.output import new_output
from pipeline.errors import ClipError
from pipeline.types import ClipReason, Image, Size

if TYPE_CHECKING:
    from av.container import OutputContainer

_TIME_BASE = Fraction(1, 90_000)
_ENCODING = {"preset": "superfast", "crf": "25"}


class DrawnFilm:
    """An H.264 film to which pictures are added; it has the very times that they are given.

    One thread, as it is made beside detection, and so the same pictures give the same file.
    """

    def __init__(self, target: OutputContainer, size: Size) -> None:
        self._target = target
        self._stream = target.add_stream("libx264", rate=25, options=_ENCODING)
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = _TIME_BASE
        self._stream.codec_context.thread_count = 1
        self._last = -1

    @property
    def empty(self) -> bool:
        return self._last < 0

    def add(self, image: Image, t: float) -> None:
        """The next picture, uint8 height x width x 3 BGR, shown `t` seconds into the film."""
        import av

        encoded = av.VideoFrame.from_ndarray(image, format="bgr24")
        self._last = max(round(t / _TIME_BASE), self._last + 1)
        encoded.pts, encoded.time_base = self._last, _TIME_BASE
        self._target.mux(self._stream.encode(encoded))

    def end(self) -> None:
        """No more pictures come."""
        self._target.mux(self._stream.encode(None))


@contextmanager
def drawn_film(out: Path, size: Size, what: str) -> Iterator[DrawnFilm]:
    """A film to be written at `out`, with sides of `size` (width, height) that are even; `what` is
    how messages call it. There is no file where its making raises.

    Raises:
        ClipError: the disk takes no file, or what was decoded for it cannot be.
    """
    import av

    try:
        with new_output(out) as target:
            film = DrawnFilm(target, size)
            yield film
            film.end()
    except (av.FFmpegError, OSError) as error:
        out.unlink(missing_ok=True)
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        why = "the disk is full; free some space on it" if full else str(error.strerror)
    except BaseException:
        out.unlink(missing_ok=True)
        raise
    else:
        return
    raise ClipError(
        f"The {what} cannot be made: {why}.",
        ClipReason.DISK_FULL if full else ClipReason.UNPLAYABLE,
        passing=full,
    )
