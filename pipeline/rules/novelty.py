"""Something is there in a way that is unusual for this camera and hour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from pipeline.config import NoveltyRule
from pipeline.protocols import JsonObject
from pipeline.rules.ordinary import Ordinary, Surprise
from pipeline.rules.outline import Outline
from pipeline.rules.passages import Passage
from pipeline.types import Finding, Track, View, Zone
from pipeline.wording import article, clock, place, sentence

SAMPLE_S = 0.15
"""A track is looked at so often, or with each look of its camera where they are rarer..."""
SCORE_S = 1.0
"""...and judged so often..."""
SCORED_FROM_S = 1.5
"""...from so many seconds after its beginning on; a passage that is over sooner, at its end."""
AWAY_S = 30.0
"""A passage is over, and learned, once its track was not seen for so long: a track that is found
again goes on with it."""
LONGEST_GAP_S = 86_400.0
"""A time between two views that is longer was not watched, nor was one in which the stream broke
off."""

WORDS = {
    "label": "{who} is a rare sight {where}",
    "hour": "{who} is {where} at an unusual hour",
    "place": "{who} is where hardly any was before at this hour",
    "direction": "{who} moves in an unusual direction {where}",
    "size": "{who} is unusually {size} for that place",
    "speed": "{who} is unusually fast {where}",
    "stay": "{who} is {where} for unusually long",
}
"""What is said of each part that may be unusual."""

Passed = Callable[[int, Passage, float], None]
"""Is told of the track, its passage and the surprise, when one is over."""


@dataclass(slots=True)
class _Under:
    """A passage under way."""

    passage: Passage
    sampled: float
    scored: float
    peak: Surprise | None = None
    """The most unusual that it was so far."""
    novel: Finding | None = None
    """As it was found to be unusual."""


class Novelty:
    """Holds for each track of the rule's labels from when its passage is more surprising than the
    limit, until it ends.

    Passages are learned when they are over, unusual ones like others. It is silent as long as the
    rule's warm-up lasts; surprises are counted from its second half on, since all is new before.
    Strength is 0.5 at the limit and 1 at twice of it.

    Args:
        passed: is told of each passage that is over, for measurements.
    """

    def __init__(
        self, key: str, config: NoveltyRule, zone: Zone | None, passed: Passed | None = None
    ) -> None:
        self._key = key
        self._config = config
        self._zone = zone
        self._outline = Outline(zone)
        self._labels = frozenset(config.labels)
        self._ordinary = Ordinary(config.labels, config.forget_days)
        self._passed = passed
        self._under: dict[int, _Under] = {}
        self._limit: float | None = None
        self._now: float | None = None
        self._restored: JsonObject | None = None

    def update(self, view: View) -> list[Finding]:
        """One finding for each track in this view whose passage is unusual."""
        now = view.monotonic
        if self._restored is not None:
            self._resume(self._restored, now)
        if self._now is not None and not view.broken_off and 0 < now - self._now <= LONGEST_GAP_S:
            self._ordinary.watch(now - self._now, view.captured_at)
        self._now = now
        for number in [n for n, u in self._under.items() if now - u.passage.last > AWAY_S]:
            self._over(number)
        findings = []
        for track in view.tracks:
            if track.label in self._labels:
                under = self._follow(track, view)
                if under is not None and under.novel is not None:
                    findings.append(replace(under.novel, tracks=(track,)))
        for track in view.lost:
            under = self._under.get(track.id)
            if under is not None and under.peak is None:
                self._score(under, track, view)
                if under.novel is not None:
                    findings.append(under.novel)
        return findings

    def state(self) -> JsonObject:
        """The passages under way as JSON, by track id; times as seconds before the last view."""
        if self._restored is not None:
            return self._restored
        now = self._now or 0.0
        return {str(number): under.passage.state(now) for number, under in self._under.items()}

    def restore(self, state: JsonObject) -> None:
        """Take over what `state` gave, before the first view.

        Raises:
            AttributeError, KeyError, TypeError, ValueError: it cannot be read; no passage is under
                way then.
        """
        for number, saved in state.items():
            # What cannot be read is found out now, and not at the first view.
            int(number)
            if Passage.resumed(saved, 0.0).label not in self._labels:
                raise ValueError(f"{saved['label']} is none of the rule's labels")
        self._restored = state

    def memory(self) -> JsonObject:
        """What was learned; at most 4 kB, and 35 kB for each label."""
        return self._ordinary.memory()

    def recall(self, memory: JsonObject) -> None:
        """Take over what `memory` gave, before the first view.

        Raises:
            KeyError, TypeError, ValueError: it cannot be read; nothing is known then.
        """
        if memory:
            self._ordinary.recall(memory)

    @property
    def limit_bits(self) -> float:
        """What a passage must be more surprising than."""
        if self._limit is None:
            self._limit = self._ordinary.limit(self._config.per_day)
        return self._limit

    def _follow(self, track: Track, view: View) -> _Under | None:
        """The passage of a track, if it has one."""
        now, number = view.monotonic, track.id
        under = self._under.get(number)
        if track.settled:
            # It came, and is learned as such; that it is there is no news any more.
            if under is not None:
                self._over(number)
            return None
        if under is not None and now - under.sampled < SAMPLE_S:
            return under
        if not self._outline.holds(track.detection.box, view.size, stays=under is not None):
            return None
        if under is None:
            begun = Passage.begun(track, view.captured_at, now)
            under = self._under[number] = _Under(begun, now, now + SCORED_FROM_S - SCORE_S)
        under.sampled = now
        under.passage.see(track, view.size, now)
        if now - under.scored >= SCORE_S:
            under.scored = now
            self._score(under, track, view)
        return under

    def _score(self, under: _Under, track: Track, view: View) -> None:
        if not under.passage.known:
            return
        surprise = self._ordinary.surprise(under.passage)
        if under.peak is None or surprise.total > under.peak.total:
            under.peak = surprise
        if self._warm(1.0) and under.novel is None:
            limit = self.limit_bits
            if surprise.total > limit:
                under.novel = self._finding(view, track, under, surprise, limit)

    def _warm(self, share: float) -> bool:
        """Whether so much of the warm-up is over."""
        known, config = self._ordinary, self._config
        return (
            known.watched_s >= share * config.warm_up_hours * 3600
            and known.passages >= share * config.warm_up_passages
        )

    def _over(self, number: int) -> None:
        under = self._under.pop(number)
        if not under.passage.known:
            return
        if under.peak is None:
            under.peak = self._ordinary.surprise(under.passage)
        self._ordinary.learn(under.passage, under.peak if self._warm(0.5) else None)
        self._limit = None
        if self._passed is not None:
            self._passed(number, under.passage, under.peak.total)

    def _resume(self, state: JsonObject, now: float) -> None:
        self._restored = None
        for number, saved in state.items():
            passage = Passage.resumed(saved, now)
            self._under[int(number)] = _Under(passage, passage.last, passage.last)

    def _finding(
        self, view: View, track: Track, under: _Under, surprise: Surprise, limit: float
    ) -> Finding:
        where = place(self._zone.name if self._zone else view.camera_name)
        who = article(track.label)
        part = surprise.leading
        size = ""
        if part == "size":
            size = "large" if self._ordinary.is_large(under.passage) else "small"
        what = WORDS[part].format(who=who, where=where, size=size)
        reason = f"{what} ({surprise.told})"
        evidence = {f"{name}_bits": bits for name, bits in surprise.bits.items()}
        beyond = (surprise.total - limit) / max(limit, 1.0)
        return Finding(
            rule=self._key,
            tracks=(track,),
            zone=self._zone.key if self._zone else None,
            started=under.passage.began,
            rule_reason=sentence(f"{reason}, {clock(view.captured_at)}"),
            strength=0.5 + 0.5 * min(beyond, 1.0),
            evidence={"surprise_bits": surprise.total, "limit_bits": limit, **evidence},
            question=self._config.question or f"Is {who} doing anything unusual {where}?",
        )
