"""Times of the week, as users write them in streams.yaml."""

from __future__ import annotations

import re
import zoneinfo
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from pipeline.section import Section, TimeZone

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(
    r"^([01]?\d|2[0-3]):([0-5]\d)\s*-\s*(([01]?\d|2[0-3]):([0-5]\d)|24:00)$", re.ASCII
)


def _each(value: Any) -> Any:
    """`mon-fri`, `sat, sun`, or a list of such, as single days."""
    parts = re.split(r"\s*,\s*", value.strip()) if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        return value
    days: list[Any] = []
    for part in parts:
        text = part.lower() if isinstance(part, str) else ""
        first, dash, last = (piece.strip() for piece in text.partition("-"))
        if dash and first in DAYS and last in DAYS:
            begin, end = DAYS.index(first), DAYS.index(last)
            days += [DAYS[(begin + n) % 7] for n in range((end - begin) % 7 + 1)]
        elif not dash and first in DAYS:
            days.append(first)
        else:
            raise ValueError("write days as mon, tue, wed, thu, fri, sat, sun, or mon-fri")
    return tuple(dict.fromkeys(days))


class Window(Section):
    """Hours of some days of the week; those that pass midnight belong to the day they begin on."""

    days: Annotated[tuple[Day, ...], BeforeValidator(_each), Field(min_length=1)] = DAYS
    """Such as mon-fri, or [sat, sun]; every day if not given."""
    hours: str = "00:00-24:00"
    """Such as 08:00-18:30, or 22:00-06:00; the whole day if not given."""
    timezone: TimeZone | None = None
    """An IANA name such as Europe/Lisbon; the installation's own if not given."""

    @field_validator("hours")
    @classmethod
    def _hours_known(cls, value: str) -> str:
        if not _HOURS.match(value):
            raise ValueError('write hours in quotes, such as "08:00-18:30"')
        return value

    def holds(self, moment: datetime) -> bool:
        """Whether a moment lies in it; one that has a time zone."""
        zone: tzinfo | None = zoneinfo.ZoneInfo(self.timezone) if self.timezone else moment.tzinfo
        local = moment.astimezone(zone)
        begin, end = self._bounds()
        now = local.hour * 60 + local.minute
        today, yesterday = self._is_day(local.date()), self._is_day(local.date() - timedelta(1))
        if begin < end:
            return today and begin <= now < end
        return (today and now >= begin) or (yesterday and now < end)

    def _bounds(self) -> tuple[int, int]:
        """Minutes of the day."""
        begin, end = (_minutes(part.strip()) for part in self.hours.split("-"))
        return begin, end

    def _is_day(self, day: date) -> bool:
        return DAYS[day.weekday()] in self.days


def _minutes(text: str) -> int:
    if text == "24:00":
        return 24 * 60
    moment = time.fromisoformat(text.zfill(5))
    return moment.hour * 60 + moment.minute


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


Schedule = Annotated[tuple[Window, ...], BeforeValidator(_listed), Field(min_length=1)]
"""One window, or a list of them: with none there would be no such time."""


def within(schedule: tuple[Window, ...], moment: datetime) -> bool:
    """Whether a moment lies in one of the windows; one that has a time zone."""
    return any(window.holds(moment) for window in schedule)
