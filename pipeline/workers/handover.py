"""What a camera's watch leaves for a successor, and for the writer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import AwareDatetime

from pipeline.clock import HostClock
from pipeline.incidents import Action
from pipeline.types import Wire
from pipeline.workers.look import Look


class Handover(Wire):
    """What a camera's watch leaves for a successor: `analysis` is `Analysis.state`, `film_pts` how
    far a film was looked at (None for a live source), `run` names the run of the installation.
    `format` rises when a successor could not read it."""

    format: Literal[2] = 2
    saved_at: AwareDatetime
    clock: HostClock | None = None
    run: str
    film_pts: float | None
    analysis: dict[str, Any]

    def age_s(self) -> float:
        """How long ago it was saved, also if the host's clock was set since."""
        now, monotonic = datetime.now(UTC), time.monotonic()
        clock = HostClock.of(now, monotonic)
        saved_at = self.saved_at if clock is None else clock.told(self.saved_at, by=self.clock)
        return (now - saved_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Resume:
    """What a camera's watch goes on with; see `Handover`. The state is `age_s` old."""

    analysis: dict[str, Any]
    age_s: float
    film_pts: float | None


def open_ids(analysis: dict[str, Any]) -> set[str]:
    """The events that are open in a saved analysis. Raises: KeyError, TypeError: it is none."""
    return {saved["id"] for saved in analysis["incidents"]["open"]}


@dataclass(frozen=True, slots=True)
class Report:
    """What a camera hands to the writer: actions, the look they come from, and what a successor
    would need right after them; `memory` is what was learned over days, where it is time to keep
    that."""

    camera: str
    actions: tuple[Action, ...]
    look: Look
    state: Handover
    memory: dict[str, Any] | None = None
