"""One camera's stages joined: a frame goes in, what it changes comes out. No threads, no store."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.config import Config
from pipeline.incidents import Action, Incidents, Reason
from pipeline.protocols import Detector
from pipeline.rules import make_rule
from pipeline.tracking import Tracking
from pipeline.types import Finding, Frame, View

ANSWER_S = 30.0
"""A detector that takes longer for one frame is broken."""
EARLY = 0.1
"""A frame that comes this share of a period early is still the one that is due."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one frame came to; `actions` belong to `view`, `frame` is the one it was made from."""

    frame: Frame
    view: View
    detections: int
    actions: Sequence[Action]
    detect_s: float = 0.0


class Pace:
    """Chooses the frames that are looked at: at most `fps` a second of the frames' own time."""

    def __init__(self, fps: float) -> None:
        self._period = 1.0 / fps
        self._next = float("-inf")

    def due(self, frame: Frame) -> bool:
        """Whether this frame is looked at."""
        now = frame.monotonic
        if now < self._next - EARLY * self._period and not frame.discontinuity:
            return False
        behind = now - self._next > self._period
        self._next = now + self._period if behind else self._next + self._period
        return True


class Analysis:
    """Detects, tracks and rules for one camera; frames come in order from one thread."""

    def __init__(self, config: Config, key: str, detector: Detector) -> None:
        camera = config.cameras[key]
        self._key, self._name, self._tz = key, config.camera_name(key), config.tz()
        self._zones = camera.named_zones()
        self._detector = detector
        self._tracking = Tracking(fps=camera.detect.fps, confidence=camera.detect.confidence)
        self._rules = {
            name: make_rule(name, rule, self._zones) for name, rule in camera.rules.items()
        }
        self._incidents = Incidents()
        self._begun = False

    def look(self, frame: Frame) -> Look:
        """Look at a frame.

        Raises:
            DetectorError: the detector could not; nothing has changed then.
        """
        began = time.monotonic()
        found = self._detector.submit(frame).result(ANSWER_S)
        detect_s = time.monotonic() - began
        actions: list[Action] = []
        # The first frame of all breaks nothing off: what was resumed may go on with it.
        if frame.discontinuity and self._begun:
            actions += self.interrupt("discontinuity")
        self._begun = True
        seen, lost = self._tracking.update(frame, found)
        view = View(
            camera=self._key,
            camera_name=self._name,
            size=frame.size,
            captured_at=frame.captured_at.astimezone(self._tz),
            monotonic=frame.monotonic,
            pts=frame.pts,
            tracks=seen,
            lost=lost,
            zones=self._zones,
        )
        findings: list[Finding] = []
        for rule in self._rules.values():
            findings += rule.update(view)
        actions += self._incidents.update(view, findings)
        return Look(frame, view, len(found), actions, detect_s)

    def interrupt(self, reason: Reason) -> list[Action]:
        """Give up what is tracked and close what is open."""
        self._tracking.reset()
        return self._incidents.close_all(reason)

    def state(self) -> dict[str, Any]:
        """What a successor needs to go on, as JSON; see `resume`."""
        return {
            "tracking": self._tracking.state(),
            "rules": {name: rule.state() for name, rule in self._rules.items()},
            "incidents": self._incidents.state(),
        }

    def resume(self, state: Mapping[str, Any], age_s: float) -> None:
        """Go on where a predecessor was `age_s` seconds ago; before the first look."""
        self._tracking.restore(state["tracking"], age_s)
        self._incidents.restore(state["incidents"])
        for name, rule in self._rules.items():
            if name in state["rules"]:
                rule.restore(state["rules"][name])


@dataclass
class Latencies:
    """The newest seconds between a frame's arrival and its findings."""

    kept: int = 32
    values: list[float] = field(default_factory=list)

    def add(self, seconds: float) -> None:
        self.values = [*self.values[-self.kept + 1 :], seconds]

    def median_ms(self) -> float | None:
        if not self.values:
            return None
        return round(sorted(self.values)[len(self.values) // 2] * 1000, 1)
