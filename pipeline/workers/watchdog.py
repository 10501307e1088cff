"""Notices a native call that does not return although all its time-outs are over, and a rule of the
user's own that does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.blackbox import Crumb
from pipeline.config import Camera
from pipeline.sources import is_film

MARGIN_S = 5.0
"""A call bounded by a time-out may take twice as long, as where it tries something else, and on a
busy machine a little more."""
FILM_S = 300.0
"""A film that is damaged for long is read until there is a picture again, in one call."""
RULE_S = 30.0
"""A rule of the user's own looks at a few numbers; its camera is blind meanwhile."""
LONGEST_STEP_S = 1.0
"""A watchdog that was not run for longer cannot tell what went on meanwhile: a machine that slept,
or had no time for it, had none for the call either."""


@dataclass(frozen=True, slots=True)
class Overdue:
    """A call that should have returned long ago; `seconds` are those it was watched for."""

    camera: str
    what: str
    seconds: float


def limits(camera: Camera) -> dict[str, float]:
    """Call -> seconds after which it counts as wedged."""
    opening = 2 * camera.health.open_timeout_s + MARGIN_S
    reading = 2 * camera.health.read_timeout_s + MARGIN_S
    if is_film(camera.source.get_secret_value()):
        reading = max(reading, FILM_S)
    return {"open": opening, "read": reading, "close": max(opening, reading), "rule": RULE_S}


class Watchdog:
    """Compares native calls with the limits of their cameras (camera -> call -> seconds). Time
    comes in with the calls, in seconds."""

    def __init__(self, limits: Mapping[str, Mapping[str, float]]) -> None:
        self._limits = limits
        self._watched: dict[Crumb, float] = {}
        self._at: float | None = None

    def overdue(self, crumbs: Sequence[Crumb], now: float) -> Overdue | None:
        """The first call that is over its limit; to be asked about twice a second."""
        step = 0.0 if self._at is None else min(now - self._at, LONGEST_STEP_S)
        self._at = now
        # A crumb holds when its call began: the same one again is the same call.
        self._watched = {
            crumb: self._watched[crumb] + step if crumb in self._watched else 0.0
            for crumb in crumbs
            if crumb.call
        }
        for crumb, seconds in self._watched.items():
            limit = self._limits.get(crumb.subject, {}).get(crumb.call)
            if limit is not None and seconds > limit:
                return Overdue(crumb.subject, crumb.call, seconds)
        return None
