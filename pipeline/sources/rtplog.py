"""RTP packets that FFmpeg missed: it tells of them nowhere but in its log."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_MISSED = re.compile(r"RTP: missed (\d+) packets")

Line = tuple[int, str, str]
"""Level, component, message."""

_lock = threading.Lock()
_listeners = 0


@contextmanager
def listening() -> Iterator[Sequence[Line]]:
    """What FFmpeg logs of warnings in this thread, for as long as the context lasts.

    PyAV hands every thread's log to Python meanwhile, which a decoder's own threads must wait for:
    not to be used while a film is decoded, whose decoder has such threads when it is closed.
    """
    import av.logging

    with _lock:
        _listen(+1)
    try:
        with av.logging.Capture() as lines:
            yield lines
    finally:
        with _lock:
            _listen(-1)


def _listen(more: int) -> None:
    import av.logging

    global _listeners
    _listeners += more
    listens = _listeners > 0
    # lines of other threads hold addresses, and belong nowhere
    logging.getLogger("libav").setLevel(logging.CRITICAL + 1 if listens else logging.WARNING)
    av.logging.set_skip_repeated(not listens)
    av.logging.set_level(av.logging.WARNING if listens else None)


def missed(lines: Sequence[Line]) -> int:
    """How many RTP packets the log says were missed."""
    return sum(int(found[1]) for _, _, text in lines if (found := _MISSED.search(text)))
