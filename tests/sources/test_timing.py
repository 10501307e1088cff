"""Frame times and jumps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reordering import decoding_times

from pipeline.sources import open_source
from pipeline.sources.timing import Clock, Stamp, Timeline

START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
CLOCK = Clock(monotonic=lambda: 1000.0, now=lambda: START)


def stamps(
    times: list[float | None], *, live: bool, arrivals: list[float] | None = None, rate: float = 10
) -> list[Stamp]:
    timeline = Timeline(live=live, rate=rate, clock=CLOCK)
    arrivals = arrivals or [1000 + i / rate for i in range(len(times))]
    return [timeline.stamp(pts, arrival) for pts, arrival in zip(times, arrivals, strict=True)]


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


def test_live_frames_were_captured_at_even_distances_however_they_arrive() -> None:
    late = [0.0, 0.21, 0.02, 0.3, 0.05, 0.0, 0.13]
    arrivals = [1003 + number / 10 + delay for number, delay in enumerate(late)]
    found = stamps([number / 10 for number in range(7)], live=True, arrivals=arrivals)
    assert [stamp.monotonic for stamp in found] == pytest.approx(
        [1003 + number / 10 for number in range(7)], abs=0.002
    )
    assert found[6].captured_at - START == timedelta(seconds=found[6].monotonic - 1000)


def test_a_burst_after_a_stall_was_captured_when_it_should_have_come() -> None:
    arrivals = [1000.0, 1000.1, *[1004.0] * 39, 1004.1]
    found = stamps([number / 10 for number in range(42)], live=True, arrivals=arrivals)
    assert [stamp.monotonic - 1000 for stamp in found] == pytest.approx(
        [number / 10 for number in range(42)], abs=0.01
    )


def test_what_a_camera_had_ready_from_before_is_in_order_and_the_rest_in_time() -> None:
    arrivals = [1000.0] * 20 + [1000 + number / 10 for number in range(1, 20)]
    found = stamps([number / 10 for number in range(39)], live=True, arrivals=arrivals)
    moments = [stamp.monotonic for stamp in found]
    assert all(a < b for a, b in pairwise(moments))
    assert [moment - 1000 for moment in moments[25:]] == pytest.approx(
        [number / 10 for number in range(6, 20)], abs=0.05
    )


def test_a_camera_whose_clock_runs_slow_is_followed() -> None:
    arrivals = [1000 + number * 0.1 * 1.0005 for number in range(36_000)]
    found = stamps([number / 10 for number in range(36_000)], live=True, arrivals=arrivals)
    assert found[-1].monotonic == pytest.approx(arrivals[-1], abs=0.05)


def test_a_camera_that_counts_its_pictures_and_sends_fewer_than_it_says_stays_in_time() -> None:
    arrivals = [1000 + number / 24.75 for number in range(25 * 900)]
    found = stamps([number / 25 for number in range(25 * 900)], live=True, arrivals=arrivals)
    late = [arrival - stamp.monotonic for arrival, stamp in zip(arrivals, found, strict=True)]
    assert max(late) < 0.7


def test_a_camera_s_clock_that_was_set_back_while_it_was_away_holds_up_nothing() -> None:
    clock = Clock(CLOCK.monotonic, CLOCK.now)
    seen = []
    for offset, begin in ((0.0, 1000.0), (-8.0, 1020.0)):
        timeline = Timeline(live=True, rate=10, clock=clock)
        for number in range(100):
            arrival = begin + number / 10
            seen.append(
                arrival
                - timeline.sent(
                    number / 10, arrival, dts=number / 10, taken=5e8 + offset + arrival
                ).monotonic
            )
    assert max(seen) < 0.5


@pytest.mark.parametrize(("rate", "bframes"), [(25, 3), (5, 3), (3, 3), (2, 3), (1, 3), (15, 16)])
def test_pictures_that_refer_to_later_ones_are_no_jumps_at_any_rate(
    tmp_path: Path, rate: int, bframes: int
) -> None:
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as output:
        options = {"bf": str(bframes), "b-pyramid": "normal", "b-adapt": "0"}
        stream = output.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.gop_size = 60
        for number in range(60):
            image = np.full((64, 64, 3), 4 * number, np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        output.mux(stream.encode(None))
    frames = list(open_source("door", str(path)).frames())
    assert [frame.discontinuity for frame in frames] == [True] + [False] * 59
    assert [b.pts - a.pts for a, b in pairwise(frames)] == pytest.approx([1 / rate] * 59, abs=1e-4)


def test_two_streams_of_one_camera_agree_by_its_reports_whatever_their_delay() -> None:
    clock = Clock(CLOCK.monotonic, CLOCK.now)
    streams = [Timeline(live=True, rate=10, clock=clock) for _ in ("small", "full")]
    camera = 77_000.0  # its clock has nothing to do with ours
    for number in range(50):
        at = number / 10
        stamps_ = [
            stream.sent(origin + at, 1000 + at + delay, taken=camera + at)
            for stream, origin, delay in zip(streams, (0.0, 512.25), (0.05, 0.55), strict=True)
        ]
    assert stamps_[0].monotonic == pytest.approx(stamps_[1].monotonic, abs=0.002)
    assert stamps_[0].monotonic == pytest.approx(1000 + at + 0.05, abs=0.01)


@pytest.mark.parametrize("set_to", [0.0, 1e9, 77_000.0 - 3600])
def test_a_camera_that_sets_its_clock_moves_nothing(set_to: float) -> None:
    stream = Timeline(live=True, rate=10, clock=Clock(CLOCK.monotonic, CLOCK.now))
    found = [
        stream.sent(n / 10, 1000 + n / 10, taken=(77_000 if n < 20 else set_to) + n / 10)
        for n in range(40)
    ]
    assert [stamp.monotonic - 1000 for stamp in found] == pytest.approx(
        [n / 10 for n in range(40)], abs=0.01
    )


def test_reports_without_a_time_are_not_believed() -> None:
    stream = Timeline(live=True, rate=10, clock=Clock(CLOCK.monotonic, CLOCK.now))
    # every five seconds it says that it is no time at all
    found = [stream.sent(n / 10, 1000 + n / 10, taken=(n % 50) / 10) for n in range(400)]
    assert [stamp.monotonic - 1000 for stamp in found] == pytest.approx(
        [n / 10 for n in range(400)], abs=0.02
    )


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


# What cameras and films do to their times, in seconds from the picture before: go on as they
# should, repeat, step back, leap, or give none.
STEPS = st.one_of(
    st.just(0.1),
    st.just(0.1),
    st.just(0.0),
    st.just(None),
    st.floats(-0.5, 0.4),
    st.floats(-1e6, 1e6),
    st.sampled_from([-47721.85, 47721.85, 2.0**33 / 90_000, -3600.0, 3600.0]),
)


def given_times(steps: list[float | None]) -> list[float | None]:
    times: list[float | None] = []
    now = 0.0
    for step in steps:
        now += step or 0.0
        times.append(None if step is None else now)
    return times


@settings(deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=60), st.booleans())
def test_no_two_frames_have_one_time_and_none_comes_before_its_predecessor(
    steps: list[float | None], live: bool
) -> None:
    found = stamps(given_times(steps), live=live)
    assert len(found) == len(steps)
    for before, after in pairwise(found):
        assert before.pts < after.pts
        assert before.monotonic < after.monotonic
        assert before.captured_at <= after.captured_at


@settings(deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=60), st.data())
def test_live_times_stay_near_their_arrival_whatever_the_camera_says(
    steps: list[float | None], data: st.DataObject
) -> None:
    late = [data.draw(st.floats(0.0, 0.5)) for _ in steps]
    ready = [1000 + number / 10 + delay for number, delay in enumerate(late)]
    arrivals = list(accumulate(ready, max))
    found = stamps(given_times(steps), live=True, arrivals=arrivals)
    for stamp, arrival in zip(found, arrivals, strict=True):
        assert arrival - 11 <= stamp.monotonic <= arrival + 0.1


@settings(deadline=None)
@given(st.lists(STEPS, min_size=20, max_size=60), st.booleans(), st.integers(1, 10))
def test_where_the_times_are_plausible_their_distances_stay(
    steps: list[float | None], live: bool, cut: int
) -> None:
    steady = [0.1] * 10
    found = stamps(given_times([*steps[:-cut], *steady]), live=live)
    for before, after in pairwise(found[-8:]):
        # the first ones may still be set against what was odd before them
        assert after.pts - before.pts == pytest.approx(0.1, abs=1e-3)


@settings(deadline=None)
@given(st.lists(STEPS, max_size=30), st.booleans(), st.integers(2, 4))
def test_pictures_sent_out_of_order_have_their_times_and_those_of_their_packets(
    odd: list[float | None], live: bool, between: int
) -> None:
    timeline = Timeline(live=live, rate=10, clock=CLOCK)
    arrival = 1000.0
    for pts in given_times(odd):
        arrival += 0.1
        timeline.stamp(timeline.sent(pts, arrival).pts if pts is None else pts, arrival)
    base = 5e6
    sent: dict[float, Stamp] = {}
    shown: list[Stamp] = []
    for group in range(6):
        # a keyframe, then the last of a group before those between
        start = group * (between + 1)
        for place in [start, start + between, *range(start + 1, start + between)]:
            arrival += 0.1
            pts = base + place / 10
            sent[pts] = timeline.sent(pts, arrival, dts=base + len(sent) / 10 - 0.5)
        shown += [
            timeline.stamp(base + place / 10, arrival)
            for place in range(start, start + between + 1)
        ]
    for (pts, packet), frame in zip(sorted(sent.items()), shown, strict=True):
        assert frame[:3] == packet[:3], pts
    for before, after in pairwise(shown):
        assert after.pts - before.pts == pytest.approx(0.1, abs=1e-6)
        assert before.monotonic < after.monotonic


@pytest.mark.parametrize("leap_s", [10.0, -10.0])
def test_a_leap_of_a_stream_with_b_frames_is_one_and_moves_no_picture_among_the_others(
    leap_s: float,
) -> None:
    timeline = Timeline(live=True, rate=10, clock=CLOCK)
    film = [0, *(begin + n for begin in range(0, 32, 8) for n in (8, 4, 2, 1, 3, 6, 5, 7))]
    given = [begin + place / 10 for begin in (20.0, 23.3 + leap_s) for place in film]
    sent = [
        timeline.sent(pts, 1000 + n / 10, dts=dts)
        for n, (pts, dts) in enumerate(zip(given, decoding_times(given, levels=3), strict=True))
    ]
    shown = [
        stamp
        for half in (sent[:33], sent[33:])
        for _, stamp in sorted(zip(film, half, strict=True))
    ]
    assert jumps(shown) == [0, 33]
    for before, after in pairwise(shown):
        assert after.pts - before.pts == pytest.approx(0.1)


def test_packets_whose_pictures_are_never_shown_give_their_times_to_no_other_picture() -> None:
    timeline = Timeline(live=True, rate=10, clock=CLOCK)
    # the camera's clock is set back among what is passed over, and tells the same times again
    given = [0.0, 0.1, 0.2, 0.3, -5.0, -4.9, 0.1, 0.2]
    sent = [timeline.sent(pts, 1000 + n / 10, dts=pts) for n, pts in enumerate(given)]
    assert timeline.stamp(0.0, 1000.0) == sent[0]
    timeline.never_shown(sent[1:6])
    assert timeline.stamp(0.1, 1000.6) == sent[6]._replace(discontinuity=True)
    assert timeline.stamp(0.2, 1000.7) == sent[7]
    assert not sent[7].discontinuity


def test_a_jump_of_what_is_never_shown_is_one_of_the_next_picture() -> None:
    timeline = Timeline(live=True, rate=10, clock=CLOCK)
    sent = [timeline.sent(n / 10, 1000 + n / 10) for n in range(3)]
    timeline.stamp(0.0, 1000.0)
    jumped = timeline.sent(50.0, 1000.3)
    after = timeline.sent(50.1, 1000.4)
    assert (jumped.discontinuity, after.discontinuity) == (True, False)
    timeline.never_shown([*sent[1:], jumped])
    assert timeline.stamp(50.1, 1000.4) == after._replace(discontinuity=True)
