"""How probable it is that a figure is so large or larger, also beyond all that was ever counted.

Figures are counted by place, in bins of equal width. Told is the chance that one which reaches a
bin reaches the next one, too (a discrete hazard, as in Kaplan and Meier, 1958): where many reached
a bin, as they did; where few did, as from there on in all places, each seen from its own middle;
and beyond all, the same from bin to bin. So the tail falls geometrically, as peaks over a threshold
do whose excess is exponential (Siffer et al., Anomaly Detection in Streams with Extreme Value
Theory, KDD 2017), and what lies far beyond all is less probable than what lies just beyond.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.rules.probabilities import Counts

KNOWN_FROM = 20.0
"""Of fewer nothing is told; a place with fewer is told from all places."""
PULL = 2.0
"""The chance to go on is told from all places as if it had been told of so many more."""
TAIL = 0.1
"""The largest tenth is the tail..."""
STRAY = 3.0
"""...but for what fewer than so many reached: it may be one stray."""
TAIL_PRIOR = 4.0
"""Of the tail so many more are counted, half of which went on..."""
LEAST_ON = 0.5
"""...and in no tail fewer than this share go on."""


def of_larger(counts: Counts) -> Counts:
    """That a figure at a place is so large or larger.

    Args:
        counts: place x bin.

    Returns:
        Of the same shape; 1 everywhere where less than `KNOWN_FROM` was counted in all.
    """
    places, bins = counts.shape
    if counts.sum() < KNOWN_FROM:
        return np.ones((places, bins))
    known = _known(counts)
    told = _told(counts)
    # On an axis that all share, each place's middle is at the same bin.
    shared = np.arange(bins) - _middles(told)[:, None] + bins
    common = np.zeros(2 * bins)
    np.add.at(common, shared, np.where(known, counts, 0.0))
    if not known.any():
        np.add.at(common, shared[0], told[0])
    reached = _reached(common)
    going_on = _pulled(reached, np.full(2 * bins - 1, _tail(reached)))
    here = _pulled(_reached(told), going_on[shared[:, :-1]])
    return np.concatenate([np.ones((places, 1)), np.cumprod(here, axis=1)], axis=1)


def of_farther(counts: Counts) -> Counts:
    """That a figure at a place is so far from the middle, or farther, on either side; shapes as of
    `of_larger`."""
    smaller = of_larger(counts[:, ::-1])[:, ::-1]
    return np.asarray(np.minimum(2 * np.minimum(of_larger(counts), smaller), 1.0))


def middles(counts: Counts) -> NDArray[np.intp]:
    """The bin of the median at each place; where too few were counted, of all places."""
    return _middles(_told(counts))


def _known(counts: Counts) -> NDArray[np.bool_]:
    return np.asarray(counts.sum(axis=1, keepdims=True) >= KNOWN_FROM)


def _told(counts: Counts) -> Counts:
    """What each place is told from."""
    return np.where(_known(counts), counts, counts.sum(axis=0))


def _middles(counts: Counts) -> NDArray[np.intp]:
    summed = np.cumsum(counts, axis=1)
    return np.asarray(np.argmax(summed >= summed[:, -1:] / 2, axis=1))


def _reached(counts: Counts) -> Counts:
    return np.asarray(np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1])


def _pulled(reached: Counts, going_on: Counts) -> Counts:
    """The chances to reach the next bin, as counted; where little was, `going_on`."""
    return np.asarray((reached[..., 1:] + PULL * going_on) / (reached[..., :-1] + PULL))


def _tail(reached: Counts) -> float:
    """The chance to go on that the bins of the tail share."""
    inside = (reached[:-1] <= TAIL * reached[0]) & (reached[:-1] >= STRAY)
    on = float(reached[1:][inside].sum()) + TAIL_PRIOR / 2
    return max(on / (float(reached[:-1][inside].sum()) + TAIL_PRIOR), LEAST_ON)
