"""Live streams that come in pieces of several seconds, as HLS does, made even again."""

from __future__ import annotations

LATE_S = 3.0
"""Something that much behind its time has been held up: the count begins anew with it."""
LONGEST_WAIT_S = 10.0
"""A time that far ahead is a jump, not a picture that came early."""


class Pacing:
    """Says how long what has come is to be held back, so that it passes on at the pace of its own
    times and not all at once: whoever looks at the newest picture only would see one of each piece.
    """

    def __init__(self) -> None:
        self._origin: float | None = None

    def wait_s(self, own: float, now: float) -> float:
        """Seconds to hold back what has its `own` time in the stream, at the time `now`."""
        if self._origin is None:
            self._origin = now - own
        wait = self._origin + own - now
        if not -LATE_S <= wait <= LONGEST_WAIT_S:
            self._origin, wait = now - own, 0.0
        return max(wait, 0.0)
