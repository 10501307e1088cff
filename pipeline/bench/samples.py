"""Which of many pictures of a camera say most about its detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import TypeVar

from pipeline.types import Frame

BANDS = 3
EMPTY = 0.25
"""The share of pictures in which nothing is found."""

Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture; `found` is how much the reference finds in it, `light` its mean brightness
    0..255, `moved` whether something moves in it."""

    frame: Frame
    found: int
    light: float
    moved: bool


@dataclass(frozen=True, slots=True)
class Pictures:
    """Of one camera, for calibration and for comparing; none is in both."""

    calibration: Sequence[Sample]
    compared: Sequence[Sample]


def divided(samples: Sequence[Sample], count: int, needed: int) -> Pictures:
    """`count` of the samples, every second one for calibration. To the others, to compare on, come
    further ones with something in them until there are `needed` detections."""
    chosen = choose(samples, count)
    calibration, compared = chosen[::2], chosen[1::2]
    known = set(map(id, chosen))
    spare = [sample for sample in samples if sample.found and id(sample) not in known]
    detections = sum(sample.found for sample in compared)
    for sample in spread(spare, len(spare)):
        if detections >= needed:
            break
        compared.append(sample)
        detections += sample.found
    return Pictures(calibration, compared)


def choose(samples: Sequence[Sample], count: int) -> list[Sample]:
    """So many samples, in their order: alike many of the dark, the middling and the bright ones,
    as far as there are; three of four with something found in them, or else with motion.

    What is found in nothing, and must not be, is seen in the others.
    """
    if len(samples) <= count:
        return list(samples)
    limits = quantiles((sample.light for sample in samples), n=BANDS)
    bands: list[list[Sample]] = [[] for _ in range(BANDS)]
    for sample in samples:
        bands[sum(sample.light > limit for limit in limits)].append(sample)
    chosen: set[int] = set()
    left = count
    for share, band in enumerate(sorted(bands, key=len)):
        part = _of_band(band, min(len(band), round(left / (BANDS - share))))
        left -= len(part)
        chosen.update(map(id, part))
    return [sample for sample in samples if id(sample) in chosen]


def _of_band(band: Sequence[Sample], count: int) -> list[Sample]:
    found = [sample for sample in band if sample.found]
    moved = [sample for sample in band if sample.moved and not sample.found]
    still = [sample for sample in band if not sample.moved and not sample.found]
    others = min(len(moved) + len(still), max(round(count * EMPTY), count - len(found)))
    part = spread(found, count - others)
    part += spread(moved, others if not still else max(others // 2, others - len(still)))
    return part + spread(still, count - len(part))


def spread(things: Sequence[Thing], count: int) -> list[Thing]:
    """So many of them at most, evenly, in their order."""
    if len(things) <= count:
        return list(things)
    return [things[int((number + 0.5) * len(things) / count)] for number in range(count)]
