"""Figures from latencies that were counted by size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

from pipeline.health import LATENCY_BOUNDS_MS, CameraStatus


def counted(before: CameraStatus, after: CameraStatus) -> tuple[int, ...]:
    """How many latencies of each size came between two moments."""
    # A worker that has counted none yet tells of no bucket.
    earlier = before.latencies or (0,) * len(after.latencies)
    return tuple(late - early for early, late in zip(earlier, after.latencies, strict=True))


def pooled(counts: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """The counts of all cameras together."""
    empty = (0,) * (len(LATENCY_BOUNDS_MS) + 1)
    return tuple(map(sum, zip(empty, *(count or empty for count in counts), strict=True)))


def quantile_ms(counts: Sequence[int], share: float) -> int | None:
    """The upper bound of the bucket that holds the quantile `share` (0..1), by nearest rank.

    None where nothing was counted, or it is above all of `LATENCY_BOUNDS_MS`.
    """
    wanted = share * sum(counts)
    for bound, below in zip((*LATENCY_BOUNDS_MS, None), accumulate(counts), strict=True):
        if below and below >= wanted:
            return bound
    return None


def figures(counts: Sequence[int], sum_s: float) -> dict[str, Any]:
    """Count, mean, and upper bounds of median, 95th percentile and maximum, in milliseconds."""
    looks = sum(counts)
    return {
        "looks": looks,
        "mean": round(sum_s / looks * 1000, 1) if looks else None,
        "p50": quantile_ms(counts, 0.5),
        "p95": quantile_ms(counts, 0.95),
        "max": quantile_ms(counts, 1.0),
    }
