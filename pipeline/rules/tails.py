"""How often a figure is how large, kept in little room, and a limit that it seldom exceeds."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64]

BASE = 0.05
"""The largest twentieth of what was seen is the tail that a limit is told from."""
CERTAIN = 3.0
"""From so many values beyond it on, a quantile is counted rather than extrapolated."""


def quantile(counts: Counts, share: float, width: float) -> float:
    """Below which a share 0..1 of the values lies; values are counted in bins of `width` from 0.

    Within a bin they are taken to be spread evenly. 0 where nothing was counted.
    """
    total = float(counts.sum())
    if total <= 0:
        return 0.0
    summed = np.cumsum(counts)
    wanted = share * total
    index = min(int(np.searchsorted(summed, wanted)), len(counts) - 1)
    below = float(summed[index]) - float(counts[index])
    within = (wanted - below) / float(counts[index]) if counts[index] > 0 else 1.0
    return (index + min(max(within, 0.0), 1.0)) * width


def limit(counts: Counts, share: float, width: float) -> float:
    """What a share of the values, such as 0.001, exceeds.

    Where enough values lie beyond, they are counted. Else the tail is taken to fall exponentially
    from its largest twentieth on, as in peaks over threshold (Siffer et al., Anomaly Detection in
    Streams with Extreme Value Theory, KDD 2017). Its scale is told from medians, which a few
    anomalies among the values do not move, and is larger the fewer values there are.
    """
    total = float(counts.sum())
    if total <= 0:
        return math.inf
    share = min(share, BASE)
    if share * total >= CERTAIN:
        return quantile(counts, 1 - share, width)
    base = quantile(counts, 1 - BASE, width)
    half = quantile(counts, 1 - BASE / 2, width) - base
    few = 1 + 2 / math.sqrt(max(BASE * total, 1.0))
    scale = max(half / math.log(2), 2 * width)
    return base + scale * few * math.log(BASE / share)
