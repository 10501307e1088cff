"""Quantiles of latencies that were counted by size."""

from __future__ import annotations

from pipeline.bench.latency import counted, figures, pooled, quantile_ms
from pipeline.health import LATENCY_BOUNDS_MS, CameraState, CameraStatus
from pipeline.workers.latencies import Latencies

NONE = (0,) * (len(LATENCY_BOUNDS_MS) + 1)


def counts_of(*milliseconds: float) -> tuple[int, ...]:
    latencies = Latencies()
    for latency in milliseconds:
        latencies.add(latency / 1000)
    return latencies.counts


def test_a_quantile_is_the_upper_bound_of_the_bucket_that_holds_it() -> None:
    counts = counts_of(*[12] * 94, *[110] * 5, 1500)
    assert quantile_ms(counts, 0.5) == 20
    assert quantile_ms(counts, 0.94) == 20
    assert quantile_ms(counts, 0.95) == 125
    assert quantile_ms(counts, 0.99) == 125
    assert quantile_ms(counts, 1.0) == 2000


def test_nothing_counted_has_no_quantile_and_neither_has_what_is_above_all_bounds() -> None:
    assert quantile_ms(NONE, 0.95) is None
    assert quantile_ms(counts_of(3, 9000), 0.5) == 5
    assert quantile_ms(counts_of(3, 9000), 1.0) is None


def test_cameras_are_pooled_look_by_look_and_only_what_came_in_between_counts() -> None:
    before, idle = counts_of(4000, 4000), counts_of(30)
    busy = counts_of(4000, 4000, *[45] * 19, 240)
    statuses = [
        CameraStatus(state=CameraState.LIVE, latencies=latencies)
        for latencies in (before, busy, (), idle)
    ]
    pool = pooled([counted(*statuses[:2]), counted(*statuses[2:])])
    assert figures(pool, sum_s=1.125) == {
        "looks": 21,
        "mean": 53.6,
        "p50": 50,
        "p95": 50,
        "max": 250,
    }
    assert figures(pooled([]), 0.0)["mean"] is None


def test_a_worker_that_tells_no_latencies_yet_counts_as_none() -> None:
    connecting = CameraStatus(state=CameraState.CONNECTING)
    assert pooled([counted(connecting, connecting)]) == NONE
