"""The page's days are those of the site, also where a clock shows an hour twice, or not at all."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pipeline.web.views import day_span

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 11, 5), 24)],
)
def test_a_day_has_as_many_hours_as_the_site_s_clock_goes_through(day: date, hours: int) -> None:
    begin, end = day_span(day, BERLIN)
    assert end - begin == timedelta(hours=hours)
    assert day_span(day + timedelta(days=1), BERLIN)[0] == end
    moment, found = begin, 0
    while moment < end:
        assert moment.astimezone(BERLIN).date() == day
        moment, found = moment + timedelta(minutes=30), found + 1
    assert found == 2 * hours


def test_both_hours_of_one_name_are_of_the_day() -> None:
    begin, end = day_span(date(2026, 10, 25), BERLIN)
    for utc_hour in (0, 1):  # 02:30 in summer time, and 02:30 in winter time
        at = datetime(2026, 10, 25, utc_hour, 30, tzinfo=UTC)
        assert f"{at.astimezone(BERLIN):%H:%M}" == "02:30"
        assert begin <= at < end


def test_a_day_whose_midnight_does_not_exist_begins_when_the_clock_goes_on() -> None:
    santiago = ZoneInfo("America/Santiago")
    day = date(2026, 9, 6)  # at 24:00 the clock goes to 01:00
    begin, end = day_span(day, santiago)
    assert end - begin == timedelta(hours=23)
    assert day_span(day - timedelta(days=1), santiago)[1] == begin
    assert begin.astimezone(santiago).hour == 1
