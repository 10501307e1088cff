"""How long pictures are on their way."""

from __future__ import annotations

import threading

DRIFT = 0.001
"""A clock that runs slower than ours is followed by so many seconds per second; real ones differ
by less than a tenth of that."""
LONGEST_S = 10.0
"""What comes later than this behind the quickest has not waited: that clock runs wrong."""


class Delay:
    """The smallest difference of late between when something came and what a clock said of it.

    That clock is the stream's own (presentation times), or the camera's (sender reports), and then
    shared by the threads that read the camera's streams. The smallest difference is that of what
    waited nowhere; it may grow by `DRIFT`, because clocks differ, and is never `LONGEST_S` behind.
    A clock that `may_be_set` was set then.
    """

    def __init__(self, *, may_be_set: bool = False) -> None:
        self._may_be_set = may_be_set
        self._lock = threading.Lock()
        self._least: float | None = None
        self._at = 0.0

    def least(self, own: float, arrival: float) -> float:
        """The smallest difference after something of `own` time has come at `arrival`."""
        with self._lock:
            now = arrival - own
            if self._least is None:
                self._least = now
            else:
                grown = self._least + DRIFT * max(arrival - self._at, 0.0)
                behind = now - LONGEST_S
                if grown < behind:
                    grown = now if self._may_be_set else behind
                self._least = min(now, grown)
            self._at = max(self._at, arrival)
            return self._least
