"""Something is there out of hours."""

from __future__ import annotations

import math

from pipeline.config import PresenceRule
from pipeline.protocols import JsonObject
from pipeline.rules.stays import FULL_STRENGTH_S, Stay, Stays
from pipeline.schedule_config import DAYS, Window, within
from pipeline.types import Finding, Track, View, Zone
from pipeline.wording import article, day_and_clock, listed, place, sentence


class Presence:
    """Holds for each track that is in the zone, or in the picture, while that is not open.

    Strength is 0.5 as it begins and rises evenly to 1 at `stays.FULL_STRENGTH_S` of presence out of
    hours.
    """

    def __init__(self, key: str, config: PresenceRule, zone: Zone | None) -> None:
        self._key = key
        self._open = config.open
        self._question = config.question
        self._zone = zone
        self._stays = Stays(config.labels, zone)
        self._closed: float | None = None
        """Since when it is closed, `monotonic`; None while it is open."""
        self._begun = False
        """Whether there was a view before: if it is closed in the first one, it was before."""
        self._now = 0.0
        self._restored: JsonObject | None = None

    def update(self, view: View) -> list[Finding]:
        """One finding for each track that is there in this view, out of hours."""
        self._now = view.monotonic
        if self._restored is not None:
            self._resume(self._restored)
        # Who is there at closing time came before.
        present = self._stays.update(view)
        if within(self._open, view.captured_at):
            self._closed, self._begun = None, True
            return []
        if self._closed is None:
            self._closed = self._now if self._begun else -math.inf
        self._begun = True
        return [self._finding(view, *seen, self._closed) for seen in present]

    def state(self) -> JsonObject:
        """As JSON; times as seconds before the last view."""
        closed_s = None if self._closed is None else self._now - self._closed
        known = closed_s is not None and math.isfinite(closed_s)
        return {"stays": self._stays.state(), "closed_s": closed_s if known else None}

    def restore(self, state: JsonObject) -> None:
        """Take over what `state` gave; the time between the runs counts as no time."""
        self._stays.restore(state["stays"])
        self._restored = state

    def _resume(self, state: JsonObject) -> None:
        self._restored = None
        if state["closed_s"] is not None:
            self._closed = self._now - state["closed_s"]

    def _finding(self, view: View, track: Track, stay: Stay, closed: float) -> Finding:
        where = place(self._zone.name if self._zone else view.camera_name)
        who = article(track.label)
        began = max(stay.entered, closed)
        lasted_s = stay.last - began
        told = f"{who} is {where} out of hours (open {hours(self._open)})"
        return Finding(
            rule=self._key,
            tracks=(track,),
            zone=self._zone.key if self._zone else None,
            started=began,
            rule_reason=sentence(f"{told}, {day_and_clock(view.captured_at)}"),
            strength=0.5 + 0.5 * min(lasted_s / FULL_STRENGTH_S, 1.0),
            evidence={
                "out_of_hours_s": lasted_s,
                "inside_s": stay.dwell_s,
                "confidence": stay.confidence,
            },
            question=self._question or f"Is {who} {where}?",
        )


def hours(schedule: tuple[Window, ...]) -> str:
    """A schedule for people: `mon-fri 08:00-18:00 and sat 09:00-13:00`."""
    return listed([_window(window) for window in schedule])


def _window(window: Window) -> str:
    days = "daily" if len(window.days) == len(DAYS) else ", ".join(_runs(window))
    whole = window.hours.replace(" ", "") == "00:00-24:00"
    return " ".join(filter(None, (days, "" if whole else window.hours, window.timezone)))


def _runs(window: Window) -> list[str]:
    """Its days, those in a row joined; a week begins on Monday."""
    runs: list[list[int]] = []
    for index in (index for index, day in enumerate(DAYS) if day in window.days):
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return ["-".join(dict.fromkeys((DAYS[run[0]], DAYS[run[-1]]))) for run in runs]
