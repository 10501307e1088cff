"""Times of the week: hours and days as users write them, past midnight, and clocks that are set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter, ValidationError

from pipeline.schedule_config import Schedule, Window, within

LISBON = ZoneInfo("Europe/Lisbon")
SCHEDULE: TypeAdapter[tuple[Window, ...]] = TypeAdapter(Schedule)


def local(day: int, hour: int, minute: int = 0) -> datetime:
    """In November 2026, in Lisbon; the 23rd is a Monday."""
    return datetime(2026, 11, day, hour, minute, tzinfo=LISBON)


def holds(window: dict[str, Any], *moments: datetime) -> list[bool]:
    return [Window.model_validate(window).holds(moment) for moment in moments]


def test_hours_begin_at_the_first_moment_and_end_before_the_last() -> None:
    moments = [local(23, 7, 59), local(23, 8), local(23, 18, 29), local(23, 18, 30)]
    assert holds({"hours": "8:00 - 18:30"}, *moments) == [False, True, True, False]


def test_hours_past_midnight_belong_to_the_day_they_begin_on() -> None:
    friday_night = {"days": "fri", "hours": "22:00-06:00"}
    moments = [local(27, 5), local(27, 22), local(28, 5, 59), local(28, 6), local(28, 22)]
    assert holds(friday_night, *moments) == [False, True, True, False, False]
    sunday_night = {"days": "sun", "hours": "22:00-06:00"}
    assert holds(sunday_night, local(23, 1), local(30, 1)) == [True, True]
    assert holds({"hours": "22:00-00:00"}, local(23, 23, 59), local(24, 0)) == [True, False]


@pytest.mark.parametrize(
    ("days", "meant"),
    [
        ("mon-fri", "mon tue wed thu fri"),
        ("sat - mon", "mon sat sun"),
        ("Mon, wed-thu", "mon wed thu"),
        (["sat ", "sun"], "sat sun"),
    ],
)
def test_days_are_written_as_people_do(days: Any, meant: str) -> None:
    found = [local(23 + n, 12) for n in range(7)]
    names = [
        f"{moment:%a}".lower()
        for moment, inside in zip(found, holds({"days": days}, *found), strict=True)
        if inside
    ]
    assert " ".join(names) == meant


def test_a_window_may_have_a_time_zone_of_its_own() -> None:
    tokyo = {"hours": "00:00-01:00", "timezone": "Asia/Tokyo"}
    assert holds(tokyo, local(23, 15, 30), local(23, 0, 30)) == [True, False]


@pytest.mark.parametrize(
    ("midnight", "hours"),
    [(datetime(2026, 3, 29, tzinfo=UTC), 7), (datetime(2026, 10, 24, 23, tzinfo=UTC), 9)],
)
def test_a_night_lasts_to_its_hour_on_the_clock_when_clocks_are_set(
    midnight: datetime, hours: int
) -> None:
    """In Lisbon clocks go on by an hour at 01:00 UTC in March, and back at 01:00 UTC in October."""
    night = SCHEDULE.validate_python({"hours": "00:00-08:00"})
    inside = [
        within(night, (midnight + timedelta(minutes=n)).astimezone(LISBON)) for n in range(12 * 60)
    ]
    assert inside == [True] * (60 * hours) + [False] * (60 * (12 - hours))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"hours": "25:00-26:00"}, "write hours in quotes"),
        ({"hours": "0\u0668:00-18:00"}, "write hours in quotes"),
        ({"hours": "08:00"}, "write hours in quotes"),
        ({"days": "mon-"}, "write days as"),
        ({"days": "weekend"}, "write days as"),
        ({"days": []}, "at least 1 item"),
        ({"timezone": "Europe"}, "write an IANA name"),
        ({"timezone": "x" * 300}, "write an IANA name"),
        ({"timezone": "../../etc/passwd"}, "write an IANA name"),
        ([], "at least 1 item"),
    ],
)
def test_what_is_no_time_of_the_week_is_refused(written: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        SCHEDULE.validate_python(written)
