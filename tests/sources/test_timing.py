"""Frame times and jumps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.sources.timing import Clock, Stamp, Timeline

START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
CLOCK = Clock(monotonic=lambda: 1000.0, now=lambda: START)


def stamps(
    times: list[float | None], *, live: bool, arrivals: list[float] | None = None, rate: float = 10
) -> list[Stamp]:
    timeline = Timeline(live=live, rate=rate, clock=CLOCK)
    arrivals = arrivals or [1000 + i / rate for i in range(len(times))]
    return [
        timeline.stamp(pts, arrival, START + timedelta(seconds=arrival - 1000))
        for pts, arrival in zip(times, arrivals, strict=True)
    ]


def jumps(found: list[Stamp]) -> list[int]:
    return [index for index, stamp in enumerate(found) if stamp.discontinuity]


@pytest.mark.parametrize("live", [True, False])
def test_the_first_frame_is_a_discontinuity_and_steady_frames_are_none(live: bool) -> None:
    assert jumps(stamps([5.0, 5.1, 5.2, 5.3], live=live)) == [0]


@pytest.mark.parametrize("live", [True, False])
def test_a_missing_first_time_is_filled_in(live: bool) -> None:
    found = stamps([None, 0.1, 0.2], live=live)
    assert [stamp.pts for stamp in found] == [0.0, 0.1, 0.2]
    assert jumps(found) == [0]


def test_a_film_without_times_goes_on_at_its_rate() -> None:
    found = stamps([None] * 4, live=False)
    assert [stamp.pts for stamp in found] == pytest.approx([0, 0.1, 0.2, 0.3])
    assert found[3].monotonic - found[0].monotonic == pytest.approx(0.3)


def test_a_film_is_timed_by_itself_however_fast_it_is_read() -> None:
    found = stamps([7.0, 17.0, 27.0], live=False, arrivals=[1000.0, 1000.0, 1000.0], rate=0.1)
    assert [stamp.monotonic for stamp in found] == [1000, 1010, 1020]
    assert found[2].captured_at - found[0].captured_at == timedelta(seconds=20)
    assert jumps(found) == [0]  # one frame in ten seconds is this film's rate


@pytest.mark.parametrize("rate", [10, 6e-12])
def test_a_leap_of_a_film_that_no_film_is_long_enough_for_is_a_seam(rate: float) -> None:
    found = stamps([0.0, 0.04, 3e11, 3e11 + 0.04], live=False, rate=rate, arrivals=[1000.0] * 4)
    assert jumps(found) == [0, 2]
    assert found[2].monotonic - found[1].monotonic <= 0.1 + 1e-9
    assert found[3].monotonic - found[2].monotonic == pytest.approx(0.04, abs=1e-3)
    assert found[3].captured_at - START < timedelta(seconds=1)


def test_a_films_gap_of_half_an_hour_is_believed() -> None:
    found = stamps([0.0, 0.1, 1800.0], live=False)
    assert jumps(found) == [0, 2]
    assert found[2].monotonic - found[0].monotonic == pytest.approx(1800)


def test_live_frames_are_timed_by_their_arrival() -> None:
    found = stamps([0.0, 0.1], live=True, arrivals=[1003.0, 1003.4])
    assert [stamp.monotonic for stamp in found] == [1003.0, 1003.4]
    assert found[1].captured_at == START + timedelta(seconds=3.4)


def test_a_gap_in_a_film_is_a_jump_of_which_the_time_is_kept() -> None:
    found = stamps([0.0, 0.1, 9.0, 9.1], live=False)
    assert jumps(found) == [0, 2]
    assert found[2].monotonic - found[1].monotonic == pytest.approx(8.9)


def test_a_step_back_in_a_film_is_a_jump_and_time_goes_on() -> None:
    found = stamps([0.0, 0.1, 0.2, 0.0, 0.1], live=False)
    assert jumps(found) == [0]  # a fifth of a second: frames out of order
    found = stamps([5.0, 5.1, 0.0, 0.1], live=False)
    assert jumps(found) == [0, 2]
    assert [stamp.monotonic - 1000 for stamp in found] == pytest.approx([0, 0.1, 0.2, 0.3])


def test_a_live_gap_that_the_clock_on_the_wall_shows_too_is_no_jump() -> None:
    assert jumps(stamps([0.0, 0.1, 8.1], live=True, arrivals=[1000, 1000.1, 1008.1])) == [0]


def test_a_live_leap_of_the_presentation_time_alone_is_a_jump() -> None:
    assert jumps(stamps([0.0, 0.1, 10.2, 10.3], live=True)) == [0, 2]
    assert jumps(stamps([9.0, 9.1, 0.0, 0.1], live=True)) == [0, 2]


def test_a_late_burst_is_no_jump() -> None:
    arrivals = [1000.0, 1006.0, 1006.0, 1006.0]
    assert jumps(stamps([0.0, 0.1, 0.2, 0.3], live=True, arrivals=arrivals)) == [0]


@pytest.mark.parametrize("live", [True, False])
def test_monotonic_never_runs_backwards(live: bool) -> None:
    times = [0.0, 3.0, 2.9, 2.95, 0.0, 50.0, 1.0, None, 1.2]
    arrivals = [1000.0, 1001.0, 1000.5, 1002.0, 1002.0, 1003.0, 1004.0, 1005.0, 1006.0]
    found = [stamp.monotonic for stamp in stamps(times, live=live, arrivals=arrivals)]
    assert found == sorted(found)
