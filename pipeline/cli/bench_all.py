"""All of `vigil bench`, whose measurements are in several files."""

from __future__ import annotations

from pipeline.cli import (
    bench,
    bench_detect,
    bench_falls,
    bench_idling,
    bench_motion,
    bench_novelty,
    bench_rules,
    bench_tracking,
)

__all__ = [
    "bench",
    "bench_detect",
    "bench_falls",
    "bench_idling",
    "bench_motion",
    "bench_novelty",
    "bench_rules",
    "bench_tracking",
]
