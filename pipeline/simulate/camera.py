"""One simulated camera: what it shows, what is wrong with it, and what it has sent."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pipeline.simulate.faults import Fault, FaultPlan
from pipeline.simulate.feed import Material


@dataclass(slots=True)
class Sent:
    """What a camera has sent to all of its clients so far. `pictures` counts those of which a
    packet was lost on purpose too. `film_s` is where in the film the newest one is, in seconds."""

    streams: int = 0
    pictures: int = 0
    packets: int = 0
    packets_lost: int = 0
    film_s: float = 0.0


class Camera:
    """Its fault may be changed from any thread; all else is the event loop's."""

    def __init__(
        self, name: str, material: Material, plan: FaultPlan | None, ahead_s: float = 0.0
    ) -> None:
        self.name = name
        self.material = material
        self.ahead_s = ahead_s
        self.sent = Sent()
        self._plan = plan
        self._chosen: Fault | None = None
        at_once = plan is not None and plan.after_s <= 0
        self._played_at = time.monotonic() if at_once else None

    def plays(self, now: float) -> None:
        """It is played, at a moment of `time.monotonic`."""
        self.sent.streams += 1
        if self._played_at is None:
            self._played_at = now

    def choose(self, fault: Fault | None) -> None:
        """Set what is wrong from now on, whatever was planned."""
        self._chosen = fault
        self._plan = None

    def fault_at(self, now: float) -> Fault | None:
        """What is wrong at a moment of `time.monotonic`."""
        plan, played_at = self._plan, self._played_at
        if plan is None:
            return self._chosen
        return None if played_at is None else plan.active(now - played_at)
