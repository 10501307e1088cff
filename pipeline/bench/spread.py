"""Figures that were measured several times: each of them, their median, and how far they spread."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any


def spread(values: Sequence[float], digits: int = 3) -> dict[str, Any]:
    """Each of at least one value, in order, their median, least and most."""
    each = [round(value, digits) for value in values]
    return {
        "each": each,
        "median": round(median(values), digits),
        "min": min(each),
        "max": max(each),
    }


def ratios(over: Sequence[float], under: Sequence[float]) -> dict[str, Any]:
    """The spread of the ratios of what was measured in the same rounds."""
    return spread([a / b for a, b in zip(over, under, strict=True)])
