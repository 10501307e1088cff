"""How a camera is doing: its state, what is told of it, and what the store keeps of it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pipeline.health import CameraState
from pipeline.outages import Outages, Told
from pipeline.sources import Clock


@dataclass(frozen=True, slots=True)
class News:
    """States that a camera went through, each with its cause and beginning, and what is told."""

    camera: str
    states: tuple[tuple[CameraState, str | None, datetime], ...]
    told: tuple[Told, ...]


class Standing:
    """Follows one camera from any thread. `report` gets what is new and must not wait.

    A film's end is no outage: what is told, is told of cameras that are `live`.
    """

    def __init__(
        self,
        camera: str,
        outages: Outages,
        report: Callable[[News], None],
        *,
        live: Callable[[], bool],
        clock: Clock | None = None,
    ) -> None:
        self._camera, self._outages, self._report, self._live = camera, outages, report, live
        self._clock = clock or Clock()
        self._lock = threading.Lock()
        self._state = CameraState.CONNECTING
        self._message: str | None = None
        self._since = self._clock.now()
        self._changes: Counter[str] = Counter()
        self._outages.changed(self._state, None, self._since, self._clock.monotonic())

    @property
    def now(self) -> tuple[CameraState, str | None, datetime]:
        """The state, why, and since when."""
        with self._lock:
            return self._state, self._message, self._since

    @property
    def changes(self) -> dict[str, int]:
        """State -> how often it was entered."""
        with self._lock:
            return dict(self._changes)

    def changed(self, state: CameraState, message: str | None) -> None:
        """The camera is in this state now."""
        at = self._clock.now()
        with self._lock:
            if state is not self._state:
                self._since = at
                self._changes[state.value] += 1
            self._state, self._message = state, message
            told = self._outages.changed(state, message, at, self._clock.monotonic())
            self._report(News(self._camera, ((state, message, at),), self._of_live(told)))

    def tick(self) -> None:
        """Time has passed; called about once a second."""
        with self._lock:
            told = self._outages.tick(self._clock.now(), self._clock.monotonic())
            if told and self._live():
                self._report(News(self._camera, (), tuple(told)))

    def _of_live(self, told: list[Told]) -> tuple[Told, ...]:
        return tuple(told) if self._live() else ()
