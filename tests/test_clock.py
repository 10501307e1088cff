"""The time of day goes on evenly while the host's clock is set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from pipeline.clock import STEP_S, HostClock, WallClock, local_time

START = datetime(2026, 10, 25, 0, 59, 30, tzinfo=UTC)


class Host:
    """A machine whose clock is set by somebody."""

    def __init__(self) -> None:
        self.monotonic = 5000.0
        self.set_by_s = 0.0
        self.wall = WallClock(lambda: self.monotonic, self.now)

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic - 5000 + self.set_by_s)

    def shown(self, seconds: float) -> list[datetime]:
        """What is shown ten times a second for so long."""
        times = []
        for _ in range(round(seconds * 10)):
            self.monotonic += 0.1
            times.append(self.wall.at(self.monotonic))
        return times


@pytest.mark.parametrize("set_by_s", [-0.2, -0.05, 0.05, 0.2])
def test_a_small_correction_is_followed_slowly_and_no_moment_comes_twice(set_by_s: float) -> None:
    host = Host()
    host.shown(1)
    host.set_by_s = set_by_s
    times = host.shown(30)
    for before, after in pairwise(times):
        assert (after - before).total_seconds() == pytest.approx(0.1, abs=0.005)
    assert times[-1] == pytest.approx(host.now(), abs=timedelta(milliseconds=2))


@pytest.mark.parametrize("set_by_s", [-7200.0, -1.0, 1.0, 7200.0])
def test_a_clock_that_is_set_is_followed_at_once(set_by_s: float) -> None:
    assert abs(set_by_s) > STEP_S
    host = Host()
    host.shown(1)
    host.set_by_s = set_by_s
    times = host.shown(2)
    assert times[-1] == pytest.approx(host.now(), abs=timedelta(milliseconds=2))
    steps = [(after - before).total_seconds() for before, after in pairwise(times)]
    assert sum(abs(step - 0.1) > 0.01 for step in steps) <= 1


def test_a_moment_is_told_by_another_setting_of_the_same_boot_alone() -> None:
    before, after = HostClock(boot="b", offset_s=100), HostClock(boot="b", offset_s=3700)
    assert after.told(START, by=before) == START + timedelta(hours=1)
    assert after.at(20) == before.at(20) + timedelta(hours=1)
    assert after.told(START, by=HostClock(boot="other", offset_s=100)) == START
    assert after.told(START, by=None) == START


@pytest.mark.parametrize("zone", [ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), None])
def test_local_time_shows_what_the_clocks_show_and_adds_seconds_rightly(zone: ZoneInfo | None):
    for hour in range(24):
        moment = datetime(2026, 10, 25, hour, 59, 30, tzinfo=UTC)
        local = local_time(moment, zone)
        assert local == moment
        assert local.replace(tzinfo=None) == moment.astimezone(zone).replace(tzinfo=None)
        assert local + timedelta(hours=3) == moment + timedelta(hours=3)
