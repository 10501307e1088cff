"""One camera's stages joined: a frame goes in, what it changes comes out. No threads, no store."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from pipeline.config import Config
from pipeline.errors import DetectorError
from pipeline.incidents import Action, Incidents, Reason
from pipeline.protocols import Detector
from pipeline.rules import make_rule
from pipeline.tracking import Tracking
from pipeline.types import Detection, Finding, Frame, Size, View

ANSWER_S = 30.0
"""A detector that takes longer for one frame is broken."""
GAPS = 5
"""How many gaps between looks tell how often a camera is looked at."""
PATIENCE_S = 5.0
PATIENCE_LOOKS = 4
"""A camera without a frame for `PATIENCE_S`, or for so many looks, has broken off."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one frame came to; `actions` belong to `view`, `frame` is the one it was made from, or
    None once it was let go.

    `spent` is how many seconds each stage took: detect, track, rules; `pts` is the frame's.
    """

    frame: Frame | None
    view: View
    detections: int
    actions: Sequence[Action]
    spent: Mapping[str, float] = field(default_factory=dict)
    pts: float = 0.0


class Analysis:
    """Detects, tracks and rules for one camera; frames come in order from one thread.

    Tracks and incidents are in pixels: a picture of another size breaks them off like a jump in
    time, since a camera that changes its resolution often changes what it shows too.
    """

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
        self._begun = self._broken_off = False
        self._size: Size | None = None
        self._looked_at: float | None = None
        self._gaps = deque([1.0 / camera.detect.fps], maxlen=GAPS)

    @property
    def period_s(self) -> float:
        """Seconds between two looks lately, whatever was meant."""
        return median(self._gaps)

    @property
    def patience_s(self) -> float:
        """Seconds without a frame after which the camera has broken off."""
        return max(PATIENCE_S, PATIENCE_LOOKS * self.period_s)

    def look(self, frame: Frame) -> Look:
        """Look at a frame.

        Raises:
            DetectorError: the detector could not. Nothing is tracked then, but what this frame
                breaks off does not go on in the next one.
        """
        # The first frame of all breaks nothing off: what was resumed may go on with it.
        self._broken_off |= frame.discontinuity and self._begun
        self._begun = True
        spent: dict[str, float] = {}
        with _timed(spent, "detect"):
            found = self._detect(frame)
        actions: list[Action] = []
        if self._broken_off or self._size not in (None, frame.size):
            actions += self.interrupt("discontinuity")
        else:
            self._count_gap(frame)
        self._size, self._looked_at = frame.size, frame.monotonic
        with _timed(spent, "track"):
            seen, lost = self._tracking.update(frame, found, self.period_s)
        view = View(
            camera=self._key,
            camera_name=self._name,
            size=frame.size,
            captured_at=frame.captured_at.astimezone(self._tz),
            monotonic=frame.monotonic,
            period_s=self.period_s,
            tracks=seen,
            lost=lost,
            zones=self._zones,
            turns=frame.turns,
        )
        with _timed(spent, "rules"):
            findings: list[Finding] = []
            for rule in self._rules.values():
                findings += rule.update(view)
            actions += self._incidents.update(view, findings)
        return Look(frame, view, len(found), actions, spent, frame.pts)

    def _detect(self, frame: Frame) -> list[Detection]:
        try:
            return self._detector.submit(frame).result(ANSWER_S)
        except TimeoutError as error:
            raise DetectorError(
                f"The detector had no answer for a frame within {ANSWER_S:g} s; "
                "see whether the machine is overloaded."
            ) from error

    def _count_gap(self, frame: Frame) -> None:
        if self._looked_at is not None:
            self._gaps.append(frame.monotonic - self._looked_at)

    def interrupt(self, reason: Reason) -> list[Action]:
        """Give up what is tracked and close what is open."""
        self._broken_off = False
        self._tracking.reset()
        return self._incidents.close_all(reason)

    def state(self) -> dict[str, Any]:
        """What a successor needs to go on, as JSON; see `resume`."""
        return {
            "size": self._size,
            "tracking": self._tracking.state(),
            "rules": {name: rule.state() for name, rule in self._rules.items()},
            "incidents": self._incidents.state(),
        }

    def resume(self, state: Mapping[str, Any], age_s: float) -> None:
        """Go on where a predecessor was `age_s` seconds ago; before the first look."""
        self._size = None if state["size"] is None else tuple(state["size"])
        self._tracking.restore(state["tracking"], age_s)
        self._incidents.restore(state["incidents"])
        for name, rule in self._rules.items():
            if name in state["rules"]:
                rule.restore(state["rules"][name])


@contextmanager
def _timed(spent: dict[str, float], stage: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    spent[stage] = time.perf_counter() - began


class Latencies:
    """The newest seconds between a frame's arrival and its findings."""

    def __init__(self, kept: int = 32) -> None:
        self._values: deque[float] = deque(maxlen=kept)

    def add(self, seconds: float) -> None:
        self._values.append(seconds)

    def median_ms(self) -> float | None:
        # A copy: another thread may be adding.
        values = tuple(self._values)
        return round(median(values) * 1000, 1) if values else None
