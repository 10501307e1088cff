"""One camera's stages joined: a frame goes in, what it changes comes out. No threads, no store."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, nullcontext
from statistics import median
from typing import Any

from pipeline.clock import local_time
from pipeline.config import Config
from pipeline.errors import DetectorError
from pipeline.incidents import Action, Incidents, Reason
from pipeline.looking import Attention, Choice, Kept
from pipeline.motion import MotionGate
from pipeline.protocols import Detector, Remembering, Rule
from pipeline.rules import make_rules
from pipeline.rules.own import Own
from pipeline.schedule_config import within
from pipeline.tracking import Settled, Tracking
from pipeline.types import Detection, Finding, Frame, Size, Track, View
from pipeline.workers.look import Begun, Look
from pipeline.workers.remembering import gathered, given_back, restored

ANSWER_S = 30.0
"""A detector that takes longer for one frame is broken."""
GAPS = 5
"""How many gaps between looks tell how often a camera is looked at."""
LAG_S = 0.7
"""Frames under way reach back so far at most: a live camera's are answered sooner, and a film is
watched as that would be."""
PATIENCE_S = 5.0
PATIENCE_LOOKS = 4
"""A camera without a frame for `PATIENCE_S`, or for so many looks, has broken off."""

Calling = Callable[[str], AbstractContextManager[None]]
"""Entered around a call that may hang, with a word for it, as `blackbox.Trail.call`."""


class Analysis:
    """Detects, tracks and rules for one camera; frames come in order from one thread.

    Several may be under way: `begin` them in order, and `finish` them in the same order. `look`
    does both.

    Tracks and incidents are in pixels: a picture of another size breaks them off like a jump in
    time, since a camera that changes its resolution often changes what it shows too.

    `new_id` gives each event its id; ids that sort by the time they are given, if there is none.
    `calling("rule")` is entered around each call of a rule of the user's own, which may hang.
    """

    def __init__(
        self,
        config: Config,
        key: str,
        detector: Detector,
        *,
        new_id: Callable[[], str] | None = None,
        calling: Calling | None = None,
    ) -> None:
        camera = config.cameras[key]
        detect = camera.detect
        self._key, self._name, self._tz = key, config.camera_name(key), config.tz()
        self._zones = camera.named_zones()
        self._detector, self._calling = detector, calling
        self._gate = MotionGate(detect.sensitivity) if detect.motion_gate else None
        self.attention = Attention(
            fps=detect.fps,
            full_look_s=detect.full_look_s,
            posture=any(rule.posture for rule in camera.rules.values()),
        )
        self._kept = Kept()
        self._tracking = Tracking(self._zones)
        self._settled = Settled(camera.rules.values())
        self._rules = make_rules(key, camera)
        self._settings = {name: rule.model_dump(mode="json") for name, rule in camera.rules.items()}
        self._schedules = {
            name: rule.schedule for name, rule in camera.rules.items() if rule.schedule is not None
        }
        self._incidents = Incidents(
            camera.rules, max_events_per_hour=camera.max_events_per_hour, new_id=new_id
        )
        self._begun = self._broken_off = self._interrupted = False
        self._size: Size | None = None
        self._begun_size: Size | None = None
        self._looked_at: float | None = None
        self._gaps = deque([1.0 / detect.fps], maxlen=GAPS)

    @property
    def depth(self) -> int:
        """How many frames are worth having under way at once: as many as the detector works on, and
        no more than come within `LAG_S`, for what they show decides which frame is looked at next.
        """
        return max(1, min(self._detector.depth, int(LAG_S / max(self.period_s, 1e-3))))

    @property
    def period_s(self) -> float:
        """Seconds between two looks lately, whatever was meant."""
        return median(self._gaps)

    @property
    def patience_s(self) -> float:
        """Seconds without a frame after which the camera has broken off."""
        return max(PATIENCE_S, PATIENCE_LOOKS * self.period_s)

    @property
    def idle_s(self) -> float:
        """For how long nothing has moved, nothing was tracked and no event was open."""
        return 0.0 if self._incidents.any_open else self.attention.idle_s

    @property
    def rule_failures(self) -> dict[str, int]:
        """How many looks had to do without a rule of the user's own, by rule."""
        own = {name: rule for name, rule in self._rules.items() if isinstance(rule, Own)}
        return {name: rule.failures for name, rule in own.items() if rule.failures}

    def look(self, frame: Frame) -> Look:
        """Look at a frame, whatever other cameras want; raises what `finish` raises."""
        return self.finish(self.begin(frame))

    def begin(self, frame: Frame) -> Begun:
        """Choose what becomes of a frame, and begin detecting on it if that is chosen.

        What is passed over (`Choice.PASS`) must not be finished.
        """
        began = time.perf_counter()
        fresh = frame.discontinuity or self._begun_size != frame.size
        self._begun_size = frame.size
        motion = None if self._gate is None else self._gate.look(frame)
        choice = self.attention.choose(frame.monotonic, motion, fresh=fresh)
        gate_s = time.perf_counter() - began
        future = self._detector.submit(frame) if choice is Choice.DETECT else None
        return Begun(frame, choice, motion, future, gate_s)

    def finish(self, begun: Begun) -> Look:
        """Wait for what was detected; track, and apply the rules.

        Raises:
            DetectorError: the detector could not. Nothing is tracked then, but what this frame
                breaks off does not go on in the next one.
        """
        frame = begun.frame
        # The first frame of all breaks nothing off: what was resumed may go on with it.
        self._broken_off |= frame.discontinuity and self._begun
        self._begun = True
        spent: dict[str, float] = {"gate": begun.gate_s}
        with _timed(spent, "detect"):
            try:
                found = None if begun.future is None else _answer(begun.future)
            except DetectorError:
                self.attention.failed()
                raise
        actions: list[Action] = []
        if self._broken_off or self._size not in (None, frame.size):
            actions += self.interrupt("discontinuity")
        else:
            self._count_gap(frame)
        self._size, self._looked_at = frame.size, frame.monotonic
        with _timed(spent, "track"):
            seen, lost = self._settled.update(frame, *self._track(frame, found))
        view = View(
            camera=self._key,
            camera_name=self._name,
            size=frame.size,
            captured_at=local_time(frame.captured_at, self._tz),
            monotonic=frame.monotonic,
            period_s=self.period_s,
            tracks=seen,
            lost=lost,
            zones=self._zones,
            turns=frame.turns,
            motion=begun.motion,
            broken_off=self._interrupted,
        )
        self._interrupted = False
        with _timed(spent, "rules"):
            findings: list[Finding] = []
            for name, rule in self._rules.items():
                # Out of its hours, too, a rule goes on seeing who came when.
                with self._asking(rule):
                    found_now = rule.update(view)
                schedule = self._schedules.get(name)
                if schedule is None or within(schedule, view.captured_at):
                    findings += found_now
            actions += self._incidents.update(view, findings)
        detections = None if found is None else len(found)
        return Look(frame, view, detections, actions, spent, frame.pts)

    def _track(
        self, frame: Frame, found: list[Detection] | None
    ) -> tuple[tuple[Track, ...], tuple[Track, ...]]:
        """Tracks seen and lost; where nothing was detected on, those that are taken to stay."""
        if found is None:
            return self._tracking.update(frame, self._kept.detections, self.period_s)
        seen, lost = self._tracking.update(frame, found, self.period_s)
        self._kept.saw(seen)
        self.attention.saw(frame.monotonic, seen, len(found))
        return seen, lost

    def _asking(self, *rules: Rule) -> AbstractContextManager[None]:
        own = any(isinstance(rule, Own) for rule in rules)
        return nullcontext() if self._calling is None or not own else self._calling("rule")

    def _count_gap(self, frame: Frame) -> None:
        if self._looked_at is not None:
            self._gaps.append(frame.monotonic - self._looked_at)

    def interrupt(self, reason: Reason) -> list[Action]:
        """Give up what is tracked and close what is open."""
        self._broken_off, self._interrupted = False, True
        self._tracking.reset()
        self._kept.clear()
        return self._incidents.close_all(reason)

    def state(self) -> dict[str, Any]:
        """What a successor needs to go on, as JSON; see `resume`."""
        with self._asking(*self._rules.values()):
            rules = {name: rule.state() for name, rule in self._rules.items()}
        return {
            "size": self._size,
            "tracking": self._tracking.state(),
            "settled": self._settled.state(),
            "rules": rules,
            "settings": self._settings,
            "incidents": self._incidents.state(),
        }

    def memory(self) -> dict[str, Any]:
        """What was learned over days and must outlive any stop, as JSON; see `recall`."""
        with self._asking(*self._rules.values()):
            return gathered(self._remembering)

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Take over what `memory` gave, however long ago; before `resume` and the first look.

        What cannot be read is begun anew, and that is said in the log.
        """
        given_back(self._key, self._remembering, memory)

    @property
    def _remembering(self) -> dict[str, Remembering]:
        rules = {f"rules.{name}": rule for name, rule in self._rules.items()}
        learned = {name: rule for name, rule in rules.items() if isinstance(rule, Remembering)}
        return {"incidents": self._incidents, "settled": self._settled, **learned}

    def resume(self, state: Mapping[str, Any], age_s: float) -> None:
        """Go on where a predecessor was `age_s` seconds ago; before the first look.

        A rule whose settings have changed since begins anew: it may not even be of the same type.
        So does one whose state cannot be read, and that is said in the log.
        """
        self._size = None if state["size"] is None else tuple(state["size"])
        self._tracking.restore(state["tracking"], age_s)
        if "settled" in state:
            self._settled.restore(state["settled"])
        self._incidents.restore(state["incidents"])
        settings = state.get("settings", {})
        going_on = {
            name: rule
            for name, rule in self._rules.items()
            if settings.get(name) == self._settings[name]
        }
        restored(self._key, going_on, state["rules"])


def looks(analysis: Analysis, frames: Iterable[Frame], depth: int | None = None) -> Iterator[Look]:
    """What each frame comes to, in order; `depth` are under way at once, by default as many as are
    worth it.

    Raises:
        DetectorError: as `Analysis.finish`.
    """
    under_way: deque[Begun] = deque()
    for frame in frames:
        under_way.append(analysis.begin(frame))
        if len(under_way) >= (depth or analysis.depth):
            yield analysis.finish(under_way.popleft())
    while under_way:
        yield analysis.finish(under_way.popleft())


def _answer(future: Future[list[Detection]]) -> list[Detection]:
    try:
        return future.result(ANSWER_S)
    except TimeoutError as error:
        raise DetectorError(
            f"The detector had no answer for a frame within {ANSWER_S:g} s; "
            "see whether the machine is overloaded."
        ) from error


@contextmanager
def _timed(spent: dict[str, float], stage: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    spent[stage] = time.perf_counter() - began
