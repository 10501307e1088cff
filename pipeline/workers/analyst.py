"""The thread of a camera that detects, tracks and applies the rules."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipeline.clock import HostClock
from pipeline.config import Config
from pipeline.errors import DetectorBusy, DetectorError
from pipeline.incidents import Action, Open, Reason
from pipeline.looking import Choice, Demand
from pipeline.protocols import Detector
from pipeline.queues import Slot, SlotClosed, SlotWoken, newest_frame
from pipeline.types import Frame
from pipeline.workers.analysis import Analysis, Calling
from pipeline.workers.handover import Handover, Report, Resume
from pipeline.workers.latencies import Latencies
from pipeline.workers.look import Begun, Look

logger = logging.getLogger(__name__)

IDLE_S = 10.0
"""A camera in which nothing has moved and nobody was seen for so long is idle."""
SAVE_EVERY_S = 1.0
"""What a successor needs is handed over at least so often while something is tracked."""
REMEMBER_EVERY_S = 60.0
"""What was learned is handed over so often, and at the end: a crash costs as much of it."""
RATE_OVER_S = 5.0


@dataclass(frozen=True, slots=True)
class Arrived:
    """A frame, and when it came, in monotonic seconds."""

    frame: Frame
    at: float


def newest(old: Arrived, new: Arrived) -> Arrived:
    """For `Slot(merge=)`."""
    return Arrived(newest_frame(old.frame, new.frame), new.at)


class Analyst:
    """Takes a camera's frames out of `slot` and reports what they come to.

    As many frames are under way as the detector works on for one camera at once. `report` must not
    wait; `logged` gets each look, and `idling` is told whether nothing has happened for `IDLE_S`,
    whenever that changes. `live` tells whether the frames are of a live source. `memory` is what
    was learned before, however long ago; `resume` what a predecessor left just now. `calling` is as
    `Analysis` takes it.
    """

    def __init__(
        self,
        config: Config,
        key: str,
        detector: Detector,
        slot: Slot[Arrived],
        report: Callable[[Report], None],
        *,
        logged: Callable[[Look], None],
        idling: Callable[[bool], None],
        live: Callable[[], bool],
        resume: Resume | None,
        run: str,
        memory: Mapping[str, Any] | None = None,
        calling: Calling | None = None,
    ) -> None:
        self._config, self._key, self._detector, self._slot = config, key, detector, slot
        self._report, self._logged, self._live = report, logged, live
        self._idling, self._idle = idling, False
        self._resume, self._run, self._memory = resume, run, memory
        self._calling = calling
        self._analysis: Analysis | None = None
        self._last: Look | None = None
        self._under_way: deque[tuple[Arrived, Begun]] = deque()
        self._depth_of_film = 1
        self._dark = True
        self.counts: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.silenced: Counter[str] = Counter()
        self.latencies = Latencies()
        self._looked_at: deque[float] = deque(maxlen=512)
        self._saved_at = 0.0
        self._remembered_at = time.monotonic()

    @property
    def looks_per_s(self) -> float:
        """Lately."""
        now = time.monotonic()
        recent = sum(1 for at in tuple(self._looked_at) if now - at <= RATE_OVER_S)
        return round(recent / RATE_OVER_S, 1)

    @property
    def activity(self) -> str | None:
        """What happens; None before the first frame was looked at."""
        return None if self._analysis is None else self._analysis.attention.activity.value

    @property
    def demand(self) -> Demand | None:
        """What it wants of the detector, once that is known; None of a camera that sends nothing,
        and of a film, which waits for the detector as long as it takes."""
        cost_s = self._detector.cost_s
        if self._analysis is None or cost_s is None or self._dark or not self._live():
            return None
        return Demand(self._analysis.attention.demanded_fps, cost_s)

    @property
    def allowed_fps(self) -> float | None:
        """The most looks a second that it may have; None for any number."""
        return None if self._analysis is None else self._analysis.attention.allowed_fps

    @property
    def rule_failures(self) -> dict[str, int]:
        """As `Analysis.rule_failures`."""
        return {} if self._analysis is None else self._analysis.rule_failures

    def allow(self, fps: float | None) -> None:
        """It may have so many looks a second from now on; None for any number. A film has any
        number: nothing of it is passed over."""
        if self._analysis is not None:
            self._analysis.attention.allowed_fps = fps if self._live() else None

    def run(self) -> None:
        """Until the slot is closed and all that was in it is reported."""
        self._depth_of_film = self._detector.depth
        analysis = self._analysis = self._made()
        while True:
            if self._due(analysis):
                self._finish(analysis)
                continue
            try:
                arrived = self._slot.get(analysis.patience_s, unless=lambda: self._due(analysis))
            except SlotWoken:
                continue
            except TimeoutError:
                while self._under_way:
                    self._finish(analysis)
                if not self._dark:
                    self._break_off(analysis, "discontinuity")
                    self._dark = True
                continue
            except SlotClosed:
                break
            self._dark = False
            self._begin(analysis, arrived)
        while self._under_way:
            self._finish(analysis)
        self._break_off(analysis, "stopped")

    def _made(self) -> Analysis:
        """It goes on where others were."""
        # Tracking imports what takes seconds to import; the camera opens meanwhile.
        analysis = Analysis(self._config, self._key, self._detector, calling=self._calling)
        if self._memory is not None:
            analysis.recall(self._memory)
        if self._resume is not None:
            analysis.resume(self._resume.analysis, self._resume.age_s)
        return analysis

    def _due(self, analysis: Analysis) -> bool:
        """Whether the oldest frame under way is to be finished now. Of a film as many as can be
        are always under way, so that what is found depends neither on how quick the detector was
        nor on when another camera left it.
        """
        live = self._live()
        if len(self._under_way) >= (analysis.depth if live else self._depth_of_film):
            return True
        return bool(self._under_way) and live and self._under_way[0][1].ready

    def _begin(self, analysis: Analysis, arrived: Arrived) -> None:
        begun = analysis.begin(arrived.frame)
        idle = analysis.idle_s >= IDLE_S
        if idle is not self._idle:
            self._idle = idle
            self._idling(idle)
        if begun.choice is not Choice.DETECT:
            self.dropped[begun.choice.value] += 1
        if begun.choice is not Choice.PASS:
            self._under_way.append((arrived, begun))
        if begun.future is not None:
            begun.future.add_done_callback(lambda _: self._slot.wake())

    def _finish(self, analysis: Analysis) -> None:
        arrived, begun = self._under_way.popleft()
        try:
            look = analysis.finish(begun)
        except DetectorBusy:
            self.dropped["detector_busy"] += 1
            return
        except DetectorError as error:
            self.dropped["detector_failed"] += 1
            logger.warning("Camera %s: %s", self._key, error)
            return
        self._last = look
        self._logged(look)
        self._count(arrived, look)
        if look.actions or time.monotonic() - self._saved_at >= SAVE_EVERY_S:
            self._saved_at = time.monotonic()
            self._hand_over(analysis, tuple(look.actions), look)

    def _hand_over(
        self, analysis: Analysis, actions: tuple[Action, ...], look: Look, *, last: bool = False
    ) -> None:
        memory = None
        if last or time.monotonic() - self._remembered_at >= REMEMBER_EVERY_S:
            self._remembered_at = time.monotonic()
            memory = analysis.memory()
        self._report(Report(self._key, actions, look, self._left(analysis, look), memory))

    def _count(self, arrived: Arrived, look: Look) -> None:
        if look.detections is not None:
            now = time.monotonic()
            self.latencies.add(now - arrived.at)
            self._looked_at.append(now)
            self.counts["looks"] += 1
            self.counts["detections"] += look.detections
        opened = [action for action in look.actions if isinstance(action, Open)]
        self.counts["events"] += len(opened)
        self.silenced.update(action.silence.value for action in opened if action.silence)

    def _left(self, analysis: Analysis, last: Look) -> Handover:
        """What a successor would need right after this look."""
        now = datetime.now(UTC)
        return Handover(
            saved_at=now,
            clock=HostClock.of(now, time.monotonic()),
            run=self._run,
            film_pts=None if self._live() else last.pts,
            analysis=analysis.state(),
        )

    def _break_off(self, analysis: Analysis, reason: Reason) -> None:
        if self._last is None:
            return
        actions = tuple(analysis.interrupt(reason))
        if actions or reason == "stopped":
            self._hand_over(analysis, actions, self._last, last=reason == "stopped")
