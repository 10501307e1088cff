"""One camera of a `watch` worker: a thread that reads, and one that analyses."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import AwareDatetime

from pipeline.blackbox import Recorder
from pipeline.clock import HostClock
from pipeline.config import Config
from pipeline.errors import DetectorBusy, DetectorError
from pipeline.health import CameraState, CameraStatus
from pipeline.incidents import Action, Open
from pipeline.outages import Outages, Place
from pipeline.protocols import Detector
from pipeline.queues import Slot, SlotClosed, newest_frame
from pipeline.sources import Clock, FrozenPictures, Reconnecting, SourceOptions
from pipeline.types import Event, Frame, Wire
from pipeline.workers.analysis import Analysis, Latencies, Look
from pipeline.workers.choosing import Pace, Policy, choose
from pipeline.workers.guard import guarded_thread
from pipeline.workers.recording import Recording
from pipeline.workers.standing import News, Standing

logger = logging.getLogger(__name__)

SAVE_EVERY_S = 1.0
"""What a successor needs is handed over at least so often while something is tracked."""
RATE_OVER_S = 5.0
KEEP_S = 0.6
"""So long what was read last has for reaching the disk."""


class Handover(Wire):
    """What a camera's watch leaves for a successor: `analysis` is `Analysis.state`, `film_pts` how
    far a film was looked at (None for a live source), `run` names the run of the installation.
    `format` rises when a successor could not read it."""

    format: Literal[1] = 1
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
    would need right after them."""

    camera: str
    actions: tuple[Action, ...]
    look: Look
    state: Handover


@dataclass(frozen=True, slots=True)
class _Arrived:
    frame: Frame
    at: float


def _newest(old: _Arrived, new: _Arrived) -> _Arrived:
    return _Arrived(newest_frame(old.frame, new.frame), new.at)


class CameraWatch:
    """Watches one camera from `start` until `stop`, or until its film has ended.

    `report` is called from its threads and must not wait. `outage` is the event of its being away
    that a predecessor left open, `away` since when, and why, nobody has watched it.
    """

    def __init__(
        self,
        config: Config,
        key: str,
        detector: Detector,
        report: Callable[[Report | News], None],
        resume: Resume | None,
        run: str,
        recorder: Recorder,
        outage: Event | None = None,
        away: tuple[datetime, str] | None = None,
    ) -> None:
        camera = config.cameras[key]
        self.key = key
        self._report = report
        self._config, self._detector, self._resume, self._run = config, detector, resume, run
        self._stop = threading.Event()
        self._slot: Slot[_Arrived] = Slot(merge=_newest)
        film_pts = None if resume is None else resume.film_pts
        clock = Clock()
        self._keeping = (
            Recording(config, key, film_pts, clock, recorder) if camera.record.wanted else None
        )
        reading = recorder.trail(key)
        self._source = Reconnecting(
            key,
            camera.address(),
            stop=self._stop,
            on_state=self._changed,
            packets=None if self._keeping is None else self._keeping.packets,
            clock=clock,
            options=SourceOptions.of(camera),
            call=reading.call,
        )
        place = Place(key, config.camera_name(key), config.site, config.tz())
        self._standing = Standing(
            key,
            Outages(
                place,
                camera.health,
                (clock.now(), clock.monotonic()),
                open_event=outage,
                away=away,
            ),
            report,
            live=lambda: self._source.live,
        )
        self._frozen = FrozenPictures(camera.health.frozen_after_s)
        self._pace = Pace(1.0 / camera.detect.fps, seen_until=film_pts)
        self._live_since: datetime | None = None
        self._size: tuple[int, int] | None = None
        self._counts: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._looked_at: deque[float] = deque(maxlen=512)
        self._latencies = Latencies()
        self._saved_at = 0.0
        self._done = threading.Event()
        self._threads = [
            guarded_thread(f"{key}-read", reading.followed(self._read)),
            guarded_thread(f"{key}-analyse", recorder.trail(key).followed(self._analyse)),
        ]

    def start(self) -> None:
        if self._keeping is not None:
            self._keeping.start()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ask it to stop; see `join`."""
        self._stop.set()
        self._source.close()
        self._slot.close(discard=True)

    def join(self, timeout_s: float) -> bool:
        """Wait for the analysing thread, which reports last; False if it takes longer.

        The reading thread may wait in a native call; the end of the process ends it.
        """
        return self._done.wait(timeout_s)

    @property
    def ended(self) -> bool:
        """Whether its film has ended and all of it was analysed."""
        return self._done.is_set()

    def status(self) -> CameraStatus:
        """How it is now."""
        now = time.monotonic()
        # Copies: other threads go on counting.
        dropped = Counter(dict(self._dropped))
        dropped += Counter(dict(self._source.dropped)) + Counter(self._slot.dropped)
        recording = None
        if self._keeping is not None:
            dropped += self._keeping.dropped
            recording = self._keeping.problem
        recent = sum(1 for at in tuple(self._looked_at) if now - at <= RATE_OVER_S)
        state, message, since = self._standing.now
        return CameraStatus(
            state=state,
            since=since,
            message=message,
            live_since=self._live_since,
            size=self._size,
            frames=self._counts["frames"],
            detections=self._counts["detections"],
            looks=self._counts["looks"],
            looks_per_s=round(recent / RATE_OVER_S, 1),
            latency_ms=self._latencies.median_ms(),
            events=self._counts["events"],
            dropped=dict(dropped),
            breaks=self._counts["breaks"],
            changes=self._standing.changes,
            notes=self._source.notes,
            recording=recording,
        )

    def tick(self) -> None:
        """Time has passed; called about once a second."""
        self._standing.tick()

    def _changed(self, state: CameraState, message: str | None) -> None:
        if state is CameraState.LIVE:
            self._live_since = datetime.now(UTC)
        self._standing.changed(state, message)

    def _read(self) -> None:
        try:
            for frame in self._source.frames():
                arrived = time.monotonic()
                self._counts["frames"] += 1
                self._counts["breaks"] += frame.discontinuity
                self._size = frame.size
                policy = Policy.NEWEST if self._source.live else Policy.EVERY
                skipped, self._pace = choose(
                    self._pace,
                    frame.monotonic,
                    frame.pts,
                    discontinuity=frame.discontinuity,
                    frozen=policy is Policy.NEWEST and self._is_frozen(frame),
                )
                if skipped is not None:
                    self._dropped[skipped] += 1
                elif not self._slot.put(
                    _Arrived(frame, arrived), replaceable=policy is Policy.NEWEST
                ):
                    break
        finally:
            self._slot.close()

    def _is_frozen(self, frame: Frame) -> bool:
        frozen = self._frozen.look(frame)
        state, _, _ = self._standing.now
        if frozen and state is CameraState.LIVE:
            self._changed(CameraState.FROZEN, f"Camera {self.key}: it sends the same pictures.")
        elif not frozen and state is CameraState.FROZEN:
            self._changed(CameraState.LIVE, None)
        return frozen

    def _analyse(self) -> None:
        # Tracking imports what takes seconds to import; the camera opens meanwhile.
        self._analysis = Analysis(self._config, self.key, self._detector)
        if self._resume is not None:
            self._analysis.resume(self._resume.analysis, self._resume.age_s)
        last: Look | None = None
        dark = True
        while True:
            try:
                arrived = self._slot.get(timeout_s=self._analysis.patience_s)
            except TimeoutError:
                if last is not None and not dark:
                    self._break_off(last)
                    dark = True
                continue
            except SlotClosed:
                break
            dark = False
            try:
                last = self._look(arrived)
            except DetectorBusy:
                self._dropped["detector_busy"] += 1
            except DetectorError as error:
                self._dropped["detector_failed"] += 1
                logger.warning("Camera %s: %s", self.key, error)
        if last is not None:
            actions = tuple(self._analysis.interrupt("stopped"))
            self._report(Report(self.key, actions, last, self._left(last)))
        if self._keeping is not None:
            self._keeping.close(KEEP_S)
        self._done.set()

    def _look(self, arrived: _Arrived) -> Look:
        look = self._analysis.look(arrived.frame)
        if self._keeping is not None:
            self._keeping.log(look)
        now = time.monotonic()
        self._latencies.add(now - arrived.at)
        self._looked_at.append(now)
        self._counts["looks"] += 1
        self._counts["detections"] += look.detections
        self._counts["events"] += sum(isinstance(action, Open) for action in look.actions)
        if look.actions or now - self._saved_at >= SAVE_EVERY_S:
            self._saved_at = now
            self._report(Report(self.key, tuple(look.actions), look, self._left(look)))
        return look

    def _left(self, last: Look) -> Handover:
        """What a successor would need right after this look."""
        now = datetime.now(UTC)
        return Handover(
            saved_at=now,
            clock=HostClock.of(now, time.monotonic()),
            run=self._run,
            film_pts=None if self._source.live else last.pts,
            analysis=self._analysis.state(),
        )

    def _break_off(self, last: Look) -> None:
        actions = tuple(self._analysis.interrupt("discontinuity"))
        if actions:
            self._report(Report(self.key, actions, last, self._left(last)))
