"""Made scenes before the product's own stages: as detections through all of them, or as tracks that
are known exactly, for rules alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import tzinfo

from pipeline.bench.scenes.noise import CLEAN, Noise, looks
from pipeline.bench.scenes.scene import CAMERA, CLOCK_S, FPS, Scene
from pipeline.bench.scenes.truth import in_zone
from pipeline.config import Camera, Config
from pipeline.stubs import StubDetector
from pipeline.tracking import LOST_AFTER_S, PATH_POINTS
from pipeline.types import Detection, Frame, PathPoint, Track, View
from pipeline.workers.analysis import Analysis
from pipeline.workers.look import Look

STILL_AFTER_S = 2.0
"""Who keeps to one place for so long is stationary, as in tracking."""
VELOCITY_S = 1.0
"""A velocity is the mean over so long."""
STILL_SPEED = 0.02
"""Own heights a second below which somebody stands."""


def analysed(
    scene: Scene, config: Config, *, noise: Noise = CLEAN, seed: int = 0, fps: float = FPS
) -> Iterator[Look]:
    """What each look comes to: detections through tracking, rules and incidents."""
    found: list[Detection] = []

    def answer(_: Frame) -> list[Detection]:
        return found

    with closing(StubDetector(answer)) as shared:
        detector = shared.for_camera(CAMERA, config.cameras[CAMERA])
        analysis = Analysis(config, CAMERA, detector)
        for look in looks(scene, noise, seed=seed, fps=fps):
            found = look.detections
            yield analysis.look(scene.frame(look.at, look.index))


def perfect_views(
    scene: Scene, camera: Camera, *, fps: float = FPS, tz: tzinfo | None = None
) -> Iterator[View]:
    """What a rule would see if detection and tracking never erred.

    Who is hidden has no track meanwhile, and the old number afterwards; who has gone is reported
    lost as late as by `Tracking`. Numbers go by the order of appearance, from 1.
    """
    numbers: dict[str, int] = {}
    lives: dict[str, _Life] = {}
    for look in scene.looks(fps):
        seen = []
        for made in look.made:
            name = made.who or ""
            number = numbers.setdefault(name, len(numbers) + 1)
            life = lives.setdefault(name, _Life(scene, name, number, look.at))
            seen.append(life.see(made.detection, look.at))
        over = [name for name, life in lives.items() if look.at - life.last > LOST_AFTER_S]
        frame = scene.frame(look.at, look.index)
        yield View(
            camera=CAMERA,
            camera_name="the scene",
            size=scene.size,
            captured_at=frame.captured_at.astimezone(tz) if tz else frame.captured_at,
            monotonic=frame.monotonic,
            period_s=1.0 / fps,
            tracks=tuple(sorted(seen, key=lambda track: track.id)),
            lost=tuple(lives.pop(name).lost() for name in over),
            zones=camera.named_zones(),
        )


class _Life:
    """One actor's track."""

    def __init__(self, scene: Scene, name: str, number: int, at: float) -> None:
        self._scene, self._actor, self._number = scene, scene.named[name], number
        self._first = self.last = at
        self._path: deque[PathPoint] = deque(maxlen=PATH_POINTS)
        self._still_since: float | None = None
        self._dwell = dict.fromkeys(scene.zones, 0.0)
        self._track: Track | None = None

    def see(self, detection: Detection, at: float) -> Track:
        actor = self._actor
        since = max(at - VELOCITY_S, self._first)
        (x1, y1), (x2, y2) = actor.foot(since), actor.foot(at)
        tall = actor.tall(at) * max(at - since, 1e-9)
        velocity = ((x2 - x1) / tall, (y2 - y1) / tall) if at > since else (0.0, 0.0)
        for zone in self._scene.zones:
            if in_zone(self._scene, actor, zone, at):
                self._dwell[zone] += at - self.last
        if max(map(abs, actor.speed(at))) > STILL_SPEED:
            self._still_since = None
        elif self._still_since is None:
            self._still_since = at
        still = self._still_since is not None and at - self._still_since >= STILL_AFTER_S
        self.last = at
        foot = detection.box.foot
        self._path.append(PathPoint(CLOCK_S + at, *foot))
        self._track = Track(
            id=self._number,
            label=actor.label,
            detection=detection,
            first_seen=CLOCK_S + self._first,
            last_seen=CLOCK_S + at,
            path=tuple(self._path),
            stationary_since=CLOCK_S + (self._still_since or 0.0) if still else None,
            velocity=velocity,
            dwell=dict(self._dwell),
        )
        return self._track

    def lost(self) -> Track:
        assert self._track is not None
        return replace(self._track, lost=True)
