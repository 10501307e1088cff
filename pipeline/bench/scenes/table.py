"""All cases by which rules are scored."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from pipeline.bench.scenes.case import Case
from pipeline.bench.scenes.days import novelty_cases
from pipeline.bench.scenes.gatherings import gathering_cases
from pipeline.bench.scenes.movement import movement_cases
from pipeline.bench.scenes.places import place_cases


@cache
def cases() -> Sequence[Case]:
    """Each rule's scenes: those in which it is to find something, and those that come near it."""
    return [*place_cases(), *movement_cases(), *gathering_cases(), *novelty_cases()]
