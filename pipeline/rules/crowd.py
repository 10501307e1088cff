"""Many are in a zone at once."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Sequence
from statistics import fmean

from pipeline.config import CrowdRule
from pipeline.continuity import FOUND_AGAIN_WITHIN_S, RESUME_WITHIN_S, patient
from pipeline.protocols import JsonObject
from pipeline.rules.stays import GAP_S, Stay, Stays
from pipeline.types import Finding, Track, View, Zone
from pipeline.wording import clock, counted, duration, listed, place, plural, sentence

REPLACED_REACH = 1.0
"""Who is missing is not counted beside a newer track within so many box heights: it may be the
same."""
BREAK_S = 10.0
"""What was before a time without looks of this length says nothing about growth."""


class Crowd:
    """Holds while as many as configured are in the zone, or in the picture, since the configured
    time; growing, if that is asked for, must have been seen once meanwhile.

    Whoever is not found for less than `stays.GAP_S` still counts, and a crowd that is too small for
    less than that goes on; one that was found goes on for less than `FOUND_AGAIN_WITHIN_S`, since
    whoever is lost may be found again until then. Growth is counted from the least number within
    the time, and nothing counts as growth that was there when the camera began.

    Strength is 0.5 at the configured number and rises evenly to 1 at twice as many.
    """

    def __init__(self, key: str, config: CrowdRule, zone: Zone | None) -> None:
        self._key = key
        self._config = config
        self._zone = zone
        self._stays = Stays(config.labels, zone)
        self._numbers: deque[tuple[float, int]] = deque()
        """Times and numbers, both rising: the first is the least within `growing_s`."""
        self._begun: float | None = None
        self._since: float | None = None
        self._full = 0.0
        """When it was last large enough; times are `monotonic` seconds."""
        self._grown_from: int | None = None
        self._found = False
        self._until = -math.inf
        self._now = 0.0
        self._restored: JsonObject | None = None

    def update(self, view: View) -> list[Finding]:
        """One finding for all, while it holds."""
        before, self._now = self._now, view.monotonic
        seen = self._stays.update(view)
        if self._restored is not None:
            self._resume(self._restored)
        self._begin_where_due(view, before)
        hidden = [stay for stay in self._stays.hidden(view) if not _replaced(stay, seen)]
        number = len(seen) + len(hidden)
        if number >= self._config.count:
            self._since = self._now if self._since is None else self._since
            self._full = self._now
        elif self._now >= self._until and self._now - self._full >= self._patience_s(view.period_s):
            self._since = self._grown_from = None
            self._found = False
        least = self._least(number, view.period_s)
        if self._since is None or number < self._config.count:
            return []
        due = self._since + self._config.seconds
        # Who was seen before that only may have left since.
        there = sum(stay.last >= due for stay in [*(stay for _, stay in seen), *hidden])
        if not self._found and there < self._config.count:
            return []
        if self._grown_from is None and least is not None:
            grown = number - least
            if self._config.growing_by is not None and grown >= self._config.growing_by:
                self._grown_from = least
        if self._config.growing_by is not None and self._grown_from is None:
            return []
        self._found = True
        return [self._finding(view, seen, hidden, self._since)]

    def state(self) -> JsonObject:
        """As JSON; times as seconds before the last view."""
        return {
            "stays": self._stays.state(),
            "since_s": None if self._since is None else round(self._now - self._since, 3),
            "full_s": round(self._now - self._full, 3),
            "grown_from": self._grown_from,
            "found": self._found,
        }

    def restore(self, state: JsonObject) -> None:
        """Take over what `state` gave; the time between the runs counts as no time."""
        self._stays.restore(state["stays"])
        self._restored = state

    def _resume(self, state: JsonObject) -> None:
        self._restored = None
        if state["since_s"] is not None:
            self._since = self._now - state["since_s"]
            self._full = self._now - state["full_s"]
            self._grown_from, self._found = state["grown_from"], state["found"]
            self._until = self._now + RESUME_WITHIN_S

    def _begin_where_due(self, view: View, before: float) -> None:
        """Count anew after a long time without looks, the last of which was `before`. Where the
        stream broke off, a crowd that was told of has ended; one that was not may last on, or where
        streams break off every minute none would ever have lasted."""
        if view.broken_off:
            self._begun = self._grown_from = None
            self._since = None if self._found else self._since
            self._found = False
        if self._begun is None or self._now - before > max(BREAK_S, patient(GAP_S, view.period_s)):
            self._begun = self._now
            self._numbers.clear()

    def _patience_s(self, period_s: float) -> float:
        return patient(FOUND_AGAIN_WITHIN_S if self._found else GAP_S, period_s)

    def _least(self, number: int, period_s: float) -> int | None:
        """The least number within `growing_s`; None while nobody knows who was there before."""
        assert self._begun is not None
        # Who is there from the beginning has been found by then.
        if self._now - self._begun < patient(GAP_S, period_s):
            return None
        while self._numbers and self._numbers[-1][1] >= number:
            self._numbers.pop()
        self._numbers.append((self._now, number))
        while self._numbers[0][0] < self._now - self._config.growing_s:
            self._numbers.popleft()
        return self._numbers[0][1]

    def _finding(
        self,
        view: View,
        seen: Sequence[tuple[Track, Stay]],
        hidden: Sequence[Stay],
        since: float,
    ) -> Finding:
        config = self._config
        labels = [track.label for track, _ in seen]
        labels += [stay.track.label for stay in hidden if stay.track is not None]
        number, lasted_s = len(labels), self._now - since
        who = listed([counted(count, label) for label, count in Counter(labels).most_common()])
        where = place(self._zone.name if self._zone else view.camera_name)
        told = f"{who} are {where}"
        evidence = {
            "count": float(number),
            "limit": float(config.count),
            "lasted_s": lasted_s,
            "confidence": fmean(stay.confidence for stay in [*(s for _, s in seen), *hidden]),
        }
        if self._grown_from is not None:
            told += f", up from {self._grown_from} within {duration(config.growing_s)}"
            evidence["grown_from"] = float(self._grown_from)
        told += f", {config.count} or more for {duration(lasted_s)}"
        kinds = listed([plural(label) for label in config.labels], "or")
        return Finding(
            rule=self._key,
            tracks=tuple(track for track, _ in seen),
            zone=self._zone.key if self._zone else None,
            started=since,
            rule_reason=sentence(f"{told}, {clock(view.captured_at)}"),
            strength=min(0.5 * number / config.count, 1.0),
            evidence=evidence,
            question=config.question or f"Are {config.count} or more {kinds} {where}?",
            group=True,
        )


def _replaced(stay: Stay, seen: Sequence[tuple[Track, Stay]]) -> bool:
    """Whether a track that began after this one was last seen stands where it stood."""
    assert stay.track is not None
    box = stay.track.detection.box
    return any(
        track.first_seen > stay.last
        and math.dist(track.detection.box.foot, box.foot) <= REPLACED_REACH * box.height
        for track, _ in seen
    )
