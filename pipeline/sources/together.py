"""What to do about what goes together: two streams of one camera, all cameras of one machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.sources.advice import Advice, duration
from pipeline.sources.measurement import Measurement
from pipeline.sources.thresholds import (
    ASPECT,
    DEAR_TOGETHER,
    PAIR_CLOCK_S,
)


def advise_pair(detect: Measurement, record: Measurement) -> tuple[Advice, ...]:
    """What to do about two streams of one camera that do not go together."""
    return tuple(_pair(detect, record))


def advise_machine(shares: Sequence[float], cores: int) -> tuple[Advice, ...]:
    """What to do where all cameras together are too much; `shares` are of one core each."""
    total = sum(shares)
    if total <= DEAR_TOGETHER * cores:
        return ()
    return (
        Advice(
            "machine",
            f"Decoding all cameras needs {total:.1f} of this machine's {cores} cores, which leaves "
            "little for detection: use small streams as `source`, or lower their rates.",
        ),
    )


def clock_difference(detect: Measurement, record: Measurement) -> float | None:
    """Seconds that the record stream's clock is ahead of the detect stream's; None where the
    camera does not tell both."""
    clocks = (detect.clock, record.clock)
    first, second = clocks
    if first is None or second is None or {first.source, second.source} != {"rtcp"}:
        return None
    return second.offset_s - first.offset_s


def _pair(detect: Measurement, record: Measurement) -> Iterator[Advice]:
    difference = clock_difference(detect, record)
    if difference is not None and abs(difference) > PAIR_CLOCK_S:
        yield Advice(
            "pair_clocks",
            f"The clocks of the two streams differ by {duration(abs(difference))}: boxes lie "
            "beside what they belong to in annotated clips; are both streams of one camera?",
        )
    (width, height), (full_width, full_height) = detect.video.size, record.video.size
    if width * height > full_width * full_height:
        yield Advice(
            "pair_swapped",
            f"`source` ({width}x{height}) is larger than `record.source` "
            f"({full_width}x{full_height}): exchange them.",
        )
    if abs(width / height / (full_width / full_height) - 1) > ASPECT:
        yield Advice(
            "pair_shapes",
            f"The streams have other shapes ({width}x{height} and {full_width}x{full_height}): "
            "choose sizes of one shape, or boxes lie beside what they belong to, and masks would "
            "hide the wrong part, so that the clips of a masked camera are shown black all over.",
        )
