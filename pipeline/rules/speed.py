"""Something runs, or goes the wrong way."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pipeline.config import SpeedRule
from pipeline.continuity import RESUME_WITHIN_S, patient
from pipeline.geometry import PICTURE_EDGE, near_edge
from pipeline.protocols import JsonObject
from pipeline.rules.outline import height_cut
from pipeline.rules.stays import Stay, Stays
from pipeline.types import Finding, Size, Track, View, Zone
from pipeline.wording import article, clock, duration, place, sentence

ABOVE = 1.4
"""Own heights a second, where nothing is configured: people walk at 0.8 and run at 1.5 to 3."""
GOES = 0.3
"""What is slower, in own heights a second, goes no way at all."""
AGAINST = 60.0
"""Degrees within which something goes against a way."""
STRIDE_S = 0.35
"""When it began and stopped being fast is told by the way over so long: a track's velocity, which
must be as fast besides, comes half a second late."""
GAP_S = 0.5
"""Who is slower, or not found, for less than this goes on."""
CUT_S = 1.0
"""A velocity is that over the last second: where a box was cut off at its head or foot, its height
is wrong for so long afterwards."""
FULL_STRENGTH = 5.0
"""So many times the configured time."""


@dataclass(slots=True)
class _Runner:
    """Times are `monotonic` seconds."""

    cut: float
    """When the picture's edge last cut off its head or foot."""
    seen: float
    since: float | None = None
    """Since when it is too fast or goes against the way, if it does..."""
    last: float = 0.0
    """...and did when last seen."""
    fastest: float = 0.0
    until: float = 0.0
    """Not forgotten before."""


class Speed:
    """Holds for each track in the zone, or in the picture, that is too fast, or goes against the
    way, since the configured time; both, where both are configured.

    Speed is measured in a track's own heights. It is not judged where the picture's edge may cut
    the box off, since the height by which it is measured is wrong there.

    Strength: of what is too fast 0.5 at the limit, rising evenly to 1 at twice the limit; of what
    only goes the wrong way 0.5 at the configured time, rising evenly to 1 at five times as long.
    """

    def __init__(self, key: str, config: SpeedRule, zone: Zone | None) -> None:
        self._key = key
        self._limit_s = config.seconds
        self._way = config.way
        self._above = ABOVE if config.above is None and config.way is None else config.above
        self._question = config.question
        self._zone = zone
        self._stays = Stays(config.labels, zone)
        self._runners: dict[int, _Runner] = {}
        self._now = 0.0
        self._restored: JsonObject | None = None

    def update(self, view: View) -> list[Finding]:
        """One finding for each track that it holds for in this view."""
        self._now = now = view.monotonic
        if self._restored is not None:
            self._resume(self._restored)
        for track in view.tracks:
            self._see(track, view.size)
        found = []
        gap_s = patient(GAP_S, view.period_s)
        for track, stay in self._stays.update(view):
            runner = self._runners[track.id]
            whole = now - runner.cut >= CUT_S and not near_edge(track.detection.box, view.size)
            if whole and self._holds(track, now):
                runner.since = now if runner.since is None else runner.since
                runner.last = now
                runner.fastest = max(runner.fastest, track.speed)
                if now - runner.since >= self._limit_s and self._is_fast(track.speed):
                    found.append(self._finding(view, track, stay, runner, runner.since))
            elif now - runner.last >= gap_s and now >= runner.until:
                runner.since, runner.fastest = None, 0.0
        kept_s = patient(CUT_S, view.period_s)
        self._runners = {
            number: runner
            for number, runner in self._runners.items()
            if now - runner.seen < kept_s or now < runner.until
        }
        return found

    def state(self) -> JsonObject:
        """As JSON; times as seconds before the last view."""
        now = self._now
        return {
            "stays": self._stays.state(),
            "runners": {
                str(number): {
                    "cut_s": round(min(now - runner.cut, CUT_S), 3),
                    "seen_s": round(now - runner.seen, 3),
                    "since_s": None if runner.since is None else round(now - runner.since, 3),
                    "last_s": round(now - runner.last, 3),
                    "fastest": round(runner.fastest, 3),
                }
                for number, runner in self._runners.items()
            },
        }

    def restore(self, state: JsonObject) -> None:
        """Take over what `state` gave; the time between the runs counts as no time."""
        self._stays.restore(state["stays"])
        self._restored = state["runners"]

    def _resume(self, state: JsonObject) -> None:
        self._restored = None
        for number, saved in state.items():
            since_s = saved["since_s"]
            self._runners[int(number)] = _Runner(
                cut=self._now - saved["cut_s"],
                seen=self._now - saved["seen_s"],
                since=None if since_s is None else self._now - since_s,
                last=self._now - saved["last_s"],
                fastest=saved["fastest"],
                until=self._now + RESUME_WITHIN_S,
            )

    def _see(self, track: Track, size: Size) -> None:
        runner = self._runners.get(track.id)
        if runner is None:
            first = track.path[0] if track.path else None
            # Of its first look, which rules do not see, the foot is known.
            below = first is not None and first.y >= (1 - PICTURE_EDGE) * size[1]
            cut = track.first_seen if below else -math.inf
            runner = self._runners[track.id] = _Runner(cut, self._now)
        runner.seen = self._now
        if height_cut(track.detection.box, size):
            runner.cut = self._now

    def _holds(self, track: Track, now: float) -> bool:
        if not self._is_fast(_lately(track, now)):
            return False
        return self._way is None or self._goes_against(self._way, track)

    def _is_fast(self, speed: float) -> bool:
        return self._above is None or speed > self._above

    @staticmethod
    def _goes_against(way: float, track: Track) -> bool:
        direction = track.direction
        if direction is None or track.speed < GOES:
            return False
        return abs((direction - way) % 360 - 180) <= AGAINST

    def _finding(
        self, view: View, track: Track, stay: Stay, runner: _Runner, since: float
    ) -> Finding:
        where = place(self._zone.name if self._zone else view.camera_name)
        who, lasted_s = article(track.label), self._now - since
        fast = "runs" if track.label == "person" else "goes fast"
        doing = f"{fast} {where}" if self._way is None else f"goes the wrong way {where}"
        limit = "" if self._above is None else f" (limit {self._above:g})"
        own = "their" if track.label == "person" else "its"
        speed = f"at {track.speed:.1f} times {own} height a second{limit}"
        evidence = {
            "speed": track.speed,
            "fastest": runner.fastest,
            "lasted_s": lasted_s,
            "limit_s": self._limit_s,
            "confidence": stay.confidence,
        }
        if self._above is not None:
            strength = min(0.5 * runner.fastest / self._above, 1.0)
            evidence["limit"] = self._above
        else:
            beyond = (lasted_s / self._limit_s - 1) / (FULL_STRENGTH - 1)
            strength = 0.5 + 0.5 * min(beyond, 1.0)
        asked = "running" if track.label == "person" else "going fast"
        if self._way is not None:
            asked = "going the wrong way"
            evidence["direction"] = track.direction or 0.0
        told = f"{who} {doing} {speed} for {duration(lasted_s)}"
        return Finding(
            rule=self._key,
            tracks=(track,),
            zone=self._zone.key if self._zone else None,
            started=since,
            rule_reason=sentence(f"{told}, {clock(view.captured_at)}"),
            strength=strength,
            evidence=evidence,
            question=self._question or f"Is {who} {asked} {where}?",
        )


def _lately(track: Track, now: float) -> float:
    """Own heights a second over the last `STRIDE_S`, by the foot; 0 of what is newer."""
    before = next((p for p in reversed(track.path) if now - p.monotonic >= STRIDE_S), None)
    if before is None:
        return 0.0
    box = track.detection.box
    way = math.dist((before.x, before.y), box.foot) / max(box.height, 1.0)
    return way / (now - before.monotonic)
