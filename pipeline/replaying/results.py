"""What a replay comes to: events in order, and figures."""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count

from pipeline.types import Event


@dataclass(frozen=True, slots=True)
class Replayed:
    """An event of a film, as it was when it was over. Times are seconds from the film's beginning:
    its rule fired at `time_s`, what it is about began at `started_s`, and was last seen at
    `ended_s`. `type` is that of its rule, which is the most severe of those that took part."""

    film: str
    type: str
    time_s: float
    started_s: float
    ended_s: float
    event: Event
    fired: Mapping[str, float] = field(default_factory=dict)
    """When each rule that took part fired."""


@dataclass(slots=True)
class Seen:
    """What a film came to."""

    begins: datetime
    dated: bool
    """Whether it was known when the film was begun."""
    length_s: float = 0.0
    """Of the film."""
    took_s: float = 0.0
    """Seconds that went by meanwhile, among them those that whoever takes the events needs."""
    pictures: int = 0
    looks: int = 0
    detected: int = 0
    """Looks for which the detector was needed."""
    events: Counter[str] = field(default_factory=Counter)
    """By rule."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Pictures or packets of the film that could not be used, by cause."""
    notes: tuple[str, ...] = ()


class InOrder:
    """Events in the order in which they began: one that is over waits for those before it."""

    def __init__(self) -> None:
        self._waiting: dict[str, Replayed] = {}

    def take(self, found: Replayed) -> None:
        """A version of an event; the first one that has a rule says when that fired."""
        before = self._waiting.get(found.event.id)
        fired = {part.rule: found.time_s for part in found.event.rules}
        fired |= {} if before is None else before.fired
        time_s = fired.get(found.event.rule, found.time_s)
        self._waiting[found.event.id] = replace(found, time_s=time_s, fired=fired)

    def over(self) -> Iterator[Replayed]:
        """Those that are, up to the first one that is not."""
        while self._waiting:
            oldest = next(iter(self._waiting.values()))
            if oldest.event.ended is None:
                return
            yield self._waiting.pop(oldest.event.id)


def ids(camera: str, film: str, number: int, begins: datetime) -> Callable[[], str]:
    """Ids of version 7 (RFC 9562) that are the same in each replay: the film's beginning, and what
    is random elsewhere made of the film's name and the events' number."""
    numbers = count()
    milliseconds = max(0, round(begins.timestamp() * 1000))

    def new_id() -> str:
        n = next(numbers)
        digest = hashlib.sha256(f"{camera}\0{film}\0{number}\0{n}".encode()).digest()
        rest = int.from_bytes(digest[:8]) >> 2
        at = milliseconds + (n >> 12)
        return str(uuid.UUID(int=at << 80 | 7 << 76 | (n & 0xFFF) << 64 | 2 << 62 | rest))

    return new_id
