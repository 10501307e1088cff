"""Which cameras are moved to a process of their own, since they keep ending the one they share."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence

LIMIT = 2
"""So many offences within the window are too many."""
WINDOW_S = 600.0


class Offenders:
    """Counts offences by member of a group. Time comes in with the calls, in seconds of one clock.

    An offence whose author is not known counts for all who are under suspicion, and those who
    come to be counted too often together are parted into halves: the next offence tells which
    half it was, until one is alone.
    """

    def __init__(self, limit: int = LIMIT, window_s: float = WINDOW_S) -> None:
        self._limit, self._window_s = limit, window_s
        self._offences: dict[str, deque[float]] = defaultdict(deque)

    def part(
        self, group: Sequence[str], suspects: Sequence[str], now: float
    ) -> tuple[tuple[str, ...], ...]:
        """The groups that `group` shall go on as after an offence; one, as it was, if it may stay.

        Else the first are those who may stay where they were, or the second half of the suspects.
        """
        whole = tuple(group)
        for member in whole:
            if member in suspects:
                self._offences[member].append(now)
        often = [member for member in whole if member in suspects and self.too_often(member, now)]
        if not often or len(whole) == 1:
            return (whole,)
        moved = often[: (len(often) + 1) // 2]
        return tuple(member for member in whole if member not in moved), tuple(moved)

    def too_often(self, member: str, now: float) -> bool:
        """Whether its offences within the window are too many."""
        return self._count(member, now) >= self._limit

    def _count(self, member: str, now: float) -> int:
        offences = self._offences[member]
        while offences and now - offences[0] > self._window_s:
            offences.popleft()
        return len(offences)
