"""One camera of a `watch` worker: a thread that reads, and one that analyses."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from pipeline.blackbox import Recorder
from pipeline.config import Config
from pipeline.health import CameraState, CameraStatus
from pipeline.looking import Demand
from pipeline.outages import Outages, Place
from pipeline.protocols import Detector
from pipeline.queues import Slot
from pipeline.sources import Clock, FrozenPictures, Reconnecting, SourceOptions
from pipeline.types import Event, Frame
from pipeline.workers.analyst import Analyst, Arrived, newest
from pipeline.workers.choosing import Pace, Policy, choose
from pipeline.workers.guard import guarded_thread
from pipeline.workers.handover import Report, Resume
from pipeline.workers.look import Look
from pipeline.workers.recording import Recording
from pipeline.workers.standing import News, Standing

KEEP_S = 0.6
"""So long what was read last has for reaching the disk."""


class CameraWatch:
    """Watches one camera from `start` until `stop`, or until its film has ended.

    `detector` is closed when nothing is left to be looked at. `report` is called from its threads
    and must not wait. `outage` is the event of its being away that a predecessor left open, `away`
    since when, and why, nobody has watched it; `memory` is what was learned of it.
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
        memory: Mapping[str, Any] | None = None,
    ) -> None:
        camera = config.cameras[key]
        self.key = key
        self._stop = threading.Event()
        self._slot: Slot[Arrived] = Slot(merge=newest)
        film_pts = None if resume is None else resume.film_pts
        clock = Clock()
        self._keeping = (
            Recording(config, key, film_pts, clock, recorder) if camera.record.wanted else None
        )
        reading, analysing = recorder.trail(key), recorder.trail(key)
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
        self._detector = detector
        self._analyst = Analyst(
            config,
            key,
            detector,
            self._slot,
            report,
            logged=self._log,
            idling=self._source.idle if camera.detect.idle_decoding == "keyframes" else _ignored,
            live=lambda: self._source.live,
            resume=resume,
            run=run,
            calling=analysing.call,
            memory=memory,
        )
        self._done = threading.Event()
        self._threads = [
            guarded_thread(f"{key}-read", reading.followed(self._read)),
            guarded_thread(f"{key}-analyse", analysing.followed(self._analyse)),
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
        # Copies: other threads go on counting.
        counts = Counter(dict(self._analyst.counts))
        dropped = Counter(dict(self._dropped)) + Counter(dict(self._analyst.dropped))
        dropped += Counter(dict(self._source.dropped)) + Counter(self._slot.dropped)
        recording = None
        if self._keeping is not None:
            dropped += self._keeping.dropped
            recording = self._keeping.problem
        state, message, since = self._standing.now
        demand, allowed_fps = self._analyst.demand, self._analyst.allowed_fps
        return CameraStatus(
            state=state,
            since=since,
            message=message,
            live_since=self._live_since,
            size=self._size,
            frames=self._counts["frames"],
            detections=counts["detections"],
            looks=counts["looks"],
            looks_per_s=self._analyst.looks_per_s,
            latency_ms=self._analyst.latencies.median_ms(),
            latencies=self._analyst.latencies.counts,
            latencies_s=round(self._analyst.latencies.sum_s, 3),
            activity=self._analyst.activity,
            wanted_per_s=None if demand is None else round(demand.fps, 2),
            allowed_per_s=None if allowed_fps is None else round(allowed_fps, 2),
            events=counts["events"],
            dropped=dict(dropped),
            silenced=dict(self._analyst.silenced),
            rule_failures=self._analyst.rule_failures,
            breaks=self._counts["breaks"],
            changes=self._standing.changes,
            notes=self._source.notes,
            recording=recording,
        )

    @property
    def demand(self) -> Demand | None:
        """What it wants of the detector, once that is known."""
        return None if self.ended else self._analyst.demand

    def allow(self, fps: float | None) -> None:
        """It may have so many looks a second from now on; None for any number."""
        self._analyst.allow(fps)

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
                    Arrived(frame, arrived), replaceable=policy is Policy.NEWEST
                ):
                    self._dropped["closed"] += 1
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

    def _log(self, look: Look) -> None:
        if self._keeping is not None:
            self._keeping.log(look)

    def _analyse(self) -> None:
        self._analyst.run()
        self._detector.close()
        if self._keeping is not None:
            self._keeping.close(KEEP_S)
        self._done.set()


def _ignored(idle: bool) -> None:
    """All pictures are wanted, whether something happens or not."""
