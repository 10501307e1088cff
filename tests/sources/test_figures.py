"""Figures from packets made up: what they mean, exactly."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from reordering import decoding_times

from pipeline.sources import figures
from pipeline.sources.figures import Arrival
from pipeline.sources.measurement import Times


def packets(count: int = 100, *, rate: float = 25.0, gop: int = 25) -> list[Arrival]:
    """A stream without fault, that began at 1000 s."""
    return [
        Arrival(1000 + n / rate, n / rate, n / rate, 1000, n % gop == 0, None) for n in range(count)
    ]


def test_a_good_stream_has_its_figures() -> None:
    stream = packets()
    steps = figures.steps(stream, live=True)
    assert figures.rate(steps) == pytest.approx(25)
    assert figures.bit_rate(stream, 25) == pytest.approx(200_000)
    assert figures.missing(steps) == 0
    assert figures.odd_times(stream, live=True) == Times()
    found = figures.keyframes(stream, live=True)
    assert found is not None
    assert (found.count, found.interval_frames, found.regular) == (4, 25, True)
    assert found.interval_s == pytest.approx(1.0)
    jitter = figures.jitter(stream)
    assert jitter is not None
    assert jitter.late_max_ms == pytest.approx(0, abs=0.01)
    assert jitter.pace == pytest.approx(1)


def test_pictures_left_out_are_counted_where_times_are_regular() -> None:
    stream = [p for n, p in enumerate(packets()) if n not in (30, 60, 61)]
    assert figures.missing(figures.steps(stream, live=True)) == 3
    # a camera that sends as it likes has no gaps
    free = [p for n, p in enumerate(packets()) if n % 7 not in (1, 2, 4)]
    assert figures.missing(figures.steps(free, live=True)) == 0


def test_times_that_are_rounded_are_regular() -> None:
    steps = [0.066, 0.067, 0.067, 0.07] * 10
    assert figures.missing(steps) == 0
    assert figures.missing([*steps, 0.134]) == 1


def test_the_interarrival_jitter_is_that_of_the_rfc() -> None:
    # every other picture 16 ms late: |D| is always 16 ms, and J goes towards it
    stream = [replace(p, at=p.at + 0.016 * (n % 2)) for n, p in enumerate(packets(400))]
    jitter = figures.jitter(stream)
    assert jitter is not None
    assert jitter.interarrival_ms == pytest.approx(16, rel=0.01)
    assert jitter.late_p95_ms == pytest.approx(16, rel=0.01)
    assert jitter.late_max_ms == pytest.approx(16, rel=0.01)


def test_the_pictures_held_back_while_a_stream_is_opened_are_not_late() -> None:
    stream = [replace(p, at=max(p.at, 1000.6)) for p in packets(200)]
    jitter = figures.jitter(stream)
    assert jitter is not None
    assert jitter.late_max_ms == pytest.approx(0, abs=0.01)


def test_a_stream_whose_times_are_too_quick_has_another_pace() -> None:
    stream = [replace(p, at=1000 + (p.at - 1000) * 1.25) for p in packets(300)]
    jitter = figures.jitter(stream)
    assert jitter is not None
    assert jitter.pace == pytest.approx(0.8, rel=0.01)


def test_too_few_pictures_have_no_jitter() -> None:
    assert figures.jitter(packets(20)) is None
    assert figures.jitter([]) is None


def test_keyframes_that_are_saved_are_irregular() -> None:
    stream = [replace(p, keyframe=n in (0, 25, 50, 200)) for n, p in enumerate(packets(250))]
    found = figures.keyframes(stream, live=True)
    assert found is not None
    assert found.regular is False
    assert found.longest_s == pytest.approx(6)
    assert found.interval_s == pytest.approx(1)


def test_an_interval_longer_than_was_measured_is_known_to_be_at_least_so_long() -> None:
    found = figures.keyframes(packets(200, gop=1000), live=True)
    assert found is not None
    assert (found.count, found.interval_s, found.regular) == (1, None, None)
    assert found.longest_s == pytest.approx(199 / 25)


def test_the_first_keyframe_counts_though_it_has_no_time() -> None:
    stream = packets(60)
    stream[0] = replace(stream[0], pts=None, dts=None)
    assert figures.odd_times(stream, live=True).without == 0
    stream = figures.with_first_time(stream)
    assert stream[0].pts == pytest.approx(0)
    found = figures.keyframes(stream, live=True)
    assert found is not None
    assert found.interval_s == pytest.approx(1)


def test_odd_times_are_counted_each_by_its_kind() -> None:
    stream = packets()
    stream[10] = replace(stream[10], pts=stream[9].pts)
    stream[20] = replace(stream[20], pts=None, dts=None)
    back = stream[30].dts
    assert back is not None
    stream[30] = replace(stream[30], dts=back - 0.06)
    for n in range(50, 100):
        p = stream[n]
        assert p.pts is not None
        stream[n] = replace(p, pts=p.pts + 10, dts=p.pts + 10)
    assert figures.odd_times(stream, live=True) == Times(1, 1, 1, 1)
    # neither the leap nor what is missing makes another rate
    assert figures.rate(figures.steps(stream, live=True)) == pytest.approx(25, rel=0.05)


def test_a_pause_of_the_camera_is_no_leap() -> None:
    stream = packets()
    for n in range(50, 100):
        p = stream[n]
        assert p.pts is not None
        stream[n] = replace(p, at=p.at + 5, pts=p.pts + 5, dts=p.pts + 5)
    assert figures.odd_times(stream, live=True).jumps == 0
    assert figures.odd_times(stream, live=False).jumps == 1  # a film has no pauses


def test_b_frames_are_neither_repeated_nor_backwards() -> None:
    order = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11]
    stream = [replace(p, pts=order[n] / 25) for n, p in enumerate(packets(len(order)))]
    assert figures.odd_times(stream, live=True) == Times()
    steps = figures.steps(stream, live=True)
    assert all(step == pytest.approx(0.04) for step in steps)


def film_with_b_frames(*, again_at_s: float) -> list[Arrival]:
    """A film shown twice, with two B-frames after each P-frame that are shown before it."""
    film = [n + {0: -1, 1: 2, 2: -1}[n % 3] if n else 0 for n in range(121)]
    times = [place / 25 + begin_s for begin_s in (0.0, again_at_s) for place in film]
    return [
        Arrival(1000 + n / 25, pts, dts, 1000, n % 121 in (0, 58))
        for n, (pts, dts) in enumerate(zip(times, decoding_times(times, levels=1), strict=True))
    ]


@pytest.mark.parametrize("more", [121, 1], ids=["", "just before the end"])
@pytest.mark.parametrize("leap_s", [10.0, -10.0])
def test_a_leap_of_a_stream_with_b_frames_is_one_leap_and_nothing_else(
    leap_s: float, more: int
) -> None:
    stream = film_with_b_frames(again_at_s=121 / 25 + leap_s)[: 121 + more]
    assert figures.odd_times(stream, live=True) == Times(jumps=1)
    steps = figures.steps(stream, live=True)
    assert figures.missing(steps) == 0
    assert figures.rate(steps) == pytest.approx(25)
    found = figures.keyframes(stream, live=True)
    assert found is not None
    assert found.longest_s == pytest.approx(2.4)
    late = figures.jitter(stream)
    assert late is not None
    assert late.late_max_ms < 200


@pytest.mark.parametrize("leap_s", [0.0, 10.0, -10.0, -3600.0])
@pytest.mark.parametrize(
    ("group", "levels"), [([3, 0, 1, 2], 1), ([3, 1, 0, 2], 2)], ids=["one level", "two levels"]
)
def test_of_a_stream_with_b_frames_and_few_pictures_a_leap_is_one_too(
    group: list[int], levels: int, leap_s: float
) -> None:
    film = [0, *(1 + begin + n for begin in range(0, 60, 4) for n in group)]
    times = [place / 5 + begin_s for begin_s in (0.0, 61 / 5 + leap_s) for place in film]
    stream = [
        Arrival(1000 + n / 5, pts, dts, 1000, n % 61 == 0)
        for n, (pts, dts) in enumerate(
            zip(times, decoding_times(times, levels=levels), strict=True)
        )
    ]
    assert figures.odd_times(stream, live=True) == Times(jumps=bool(leap_s))
    assert figures.missing(figures.steps(stream, live=True)) == 0


def test_a_film_with_b_frames_that_goes_on_where_it_ended_has_no_seam() -> None:
    stream = film_with_b_frames(again_at_s=121 / 25)
    assert figures.odd_times(stream, live=True) == Times()
    assert figures.missing(figures.steps(stream, live=True)) == 0


def test_the_clock_is_told_by_the_quickest_picture() -> None:
    stream = [
        replace(p, taken=50_000 + p.at - (0.5 if n % 3 else 0.1)) for n, p in enumerate(packets())
    ]
    assert figures.clock_offset(stream, 50_063.0) == pytest.approx(-63.1)
    assert figures.clock_offset(packets(), 0.0) is None


def test_steps_are_in_the_order_of_presentation() -> None:
    steps = figures.steps(packets(10), live=False)
    assert len(steps) == 9
    assert all(a == pytest.approx(b) for a, b in pairwise(steps))
