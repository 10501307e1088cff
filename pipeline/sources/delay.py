"""How long pictures are on their way."""

from __future__ import annotations

import threading

WINDOW_S = 30.0
"""The smallest difference of the last one to two of these counts: long enough for a picture that
waited nowhere, and short enough for clocks that run apart or are set."""


class Delay:
    """The smallest difference of late between when something came and what a clock said of it.

    That clock is the stream's own (presentation times), or the camera's (sender reports), and then
    shared by the threads that read the camera's streams. The smallest difference is that of what
    waited nowhere.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._before: float | None = None
        self._now: float | None = None
        self._since = 0.0

    def least(self, own: float, arrival: float) -> float:
        """The smallest difference after something of `own` time has come at `arrival`."""
        late = arrival - own
        with self._lock:
            age_s = arrival - self._since
            if self._now is None or age_s >= WINDOW_S:
                self._before = self._now if age_s < 2 * WINDOW_S else None
                self._now, self._since = late, arrival
            self._now = min(self._now, late)
            return self._now if self._before is None else min(self._now, self._before)

    def forget(self) -> None:
        """The clock was set: what it said before does not count."""
        with self._lock:
            self._before = self._now = None
