"""How a camera is doing: its state, what is told of it, and what the store keeps of it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pipeline.amendment import CameraLost
from pipeline.health import CameraState
from pipeline.outages import Outages, Told
from pipeline.sources import Clock

States = tuple[tuple[CameraState, str | None, datetime], ...]
"""States that a camera went through, each with its cause and beginning."""


@dataclass(frozen=True, slots=True)
class News:
    """States that a camera went through, and what is told."""

    camera: str
    states: States
    told: tuple[Told, ...]


class Standing:
    """Follows one camera from any thread. `report` gets what is new and must not wait.

    That a camera is lost is told of those that are `live`: a film that cannot be had is no outage.
    That vigil itself stops is not the camera's news, and told by who stops it.
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
            states = () if state is CameraState.STOPPED else ((state, message, at),)
            self._tell(states, told)

    def tick(self) -> None:
        """Time has passed; called about once a second."""
        with self._lock:
            told = self._outages.tick(self._clock.now(), self._clock.monotonic())
            self._tell((), told)

    def _tell(self, states: States, told: list[Told]) -> None:
        worth = tuple(
            (event_id, amendment)
            for event_id, amendment in told
            if self._live() or not isinstance(amendment, CameraLost)
        )
        if states or worth:
            self._report(News(self._camera, states, worth))
