"""Worker: watches a group of cameras with one shared detector."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from typing import Any

import platformdirs

from pipeline.detectors import load_detector
from pipeline.health import Heartbeat
from pipeline.media import LocalMedia
from pipeline.store import Store
from pipeline.types import EventEnded
from pipeline.workers.camera import CameraWatch
from pipeline.workers.link import Link
from pipeline.workers.writer import Writer

logger = logging.getLogger(__name__)

RESUME_WITHIN_S = 15.0
"""After a longer pause nothing is taken to go on."""
STOP_S = 1.2
"""So long the cameras, and then the writer, have for ending in order."""


def run(link: Link) -> None:
    """Watch until stopped, or until all cameras were films and have ended.

    Raises:
        StoreError: the data folder cannot be used.
        WeightsError: the detector's weights are missing or altered.
        ConfigError: a camera wants a label that the detector does not know.
    """
    config = link.order.config
    assert config is not None
    keys = tuple(link.order.options["cameras"])
    detector = load_detector("openvino", platformdirs.user_cache_path("vigil") / "models")
    with Store.open(config.data) as store:
        writer = Writer(config, store, LocalMedia(config.data / "media"))
        writer.start()
        cameras = [
            CameraWatch(
                config,
                key,
                detector.for_camera(key, config.cameras[key]),
                writer.report,
                _resumed(store, key, datetime.now(UTC)),
            )
            for key in keys
        ]
        for camera in cameras:
            camera.start()
        link.ready()
        ended = False
        while not ended:
            ended = all(camera.ended for camera in cameras)
            _beat(link, cameras, writer)
            if link.stopping.wait(0.2 if ended else 0.5):
                break
        for camera in cameras:
            camera.stop()
        for camera in cameras:
            if not camera.join(STOP_S):
                logger.warning("Camera %s did not stop in time.", camera.key)
        if not writer.finish(STOP_S):
            logger.error("What the cameras found last could not be committed.")
        _beat(link, cameras, writer)
        if ended:
            link.finished()


def _beat(link: Link, cameras: list[CameraWatch], writer: Writer) -> None:
    link.beat(
        Heartbeat(
            pid=os.getpid(),
            cameras={camera.key: camera.status() for camera in cameras},
            counters=dict(writer.counters),
            message=writer.problem,
        )
    )


def _resumed(store: Store, key: str, now: datetime) -> tuple[dict[str, Any], float] | None:
    """What the predecessor left, if it left it just now; its open events that cannot go on are
    ended."""
    state = store.load_camera_state(key)
    saved_at = datetime.fromisoformat(state["saved_at"]) if state else now
    age_s = (now - saved_at).total_seconds()
    resume = bool(state) and 0 <= age_s <= RESUME_WITHIN_S
    going_on = {saved["id"] for saved in state["incidents"]["open"]} if resume else set()
    for event in store.open_events(key):
        if event.id not in going_on:
            last = min(max(saved_at, event.started), now)
            store.amend(event.id, EventEnded(ended=last, reason="restarted"), now=now)
    return (state, age_s) if resume else None
