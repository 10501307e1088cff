"""How long it takes from a frame's arrival to what was found in it."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from statistics import median

from pipeline.health import LATENCY_BOUNDS_MS


class Latencies:
    """Counts all of them by size, and knows the newest."""

    def __init__(self, kept: int = 32) -> None:
        self._newest: deque[float] = deque(maxlen=kept)
        self._counts = [0] * (len(LATENCY_BOUNDS_MS) + 1)
        self._sum_s = 0.0

    def add(self, seconds: float) -> None:
        self._newest.append(seconds)
        self._counts[bisect_left(LATENCY_BOUNDS_MS, seconds * 1000)] += 1
        self._sum_s += seconds

    @property
    def counts(self) -> tuple[int, ...]:
        """How many there were up to each of `LATENCY_BOUNDS_MS`, and above the last one."""
        return tuple(self._counts)

    @property
    def sum_s(self) -> float:
        return self._sum_s

    def median_ms(self) -> float | None:
        """Of the newest."""
        # A copy: another thread may be adding.
        values = tuple(self._newest)
        return round(median(values) * 1000, 1) if values else None
