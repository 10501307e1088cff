"""Worker: watches a group of cameras with one shared detector."""

from __future__ import annotations

import logging
import os
import time
from datetime import UTC, datetime
from functools import partial

import platformdirs
from pydantic import ValidationError

from pipeline.amendment import EventEnded
from pipeline.continuity import RESUME_WITHIN_S
from pipeline.detectors import load_detector
from pipeline.health import Heartbeat
from pipeline.media import LocalMedia
from pipeline.store import Store
from pipeline.workers.camera import CameraWatch, Handover, Resume, open_ids
from pipeline.workers.guard import WEDGED
from pipeline.workers.link import Link
from pipeline.workers.patience import patiently
from pipeline.workers.watchdog import Watchdog, limits
from pipeline.workers.writer import Writer

logger = logging.getLogger(__name__)

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
    with patiently(link, lambda: Store.open(config.data)) as store:
        writer = Writer(config, store, LocalMedia(config.data / "media"))
        writer.start()
        cameras = [
            CameraWatch(
                config,
                key,
                detector.for_camera(key, config.cameras[key]),
                writer.report,
                patiently(link, partial(resumed, store, key, link.order.options["run"])),
                link.order.options["run"],
                link.recorder,
            )
            for key in keys
        ]
        watchdog = Watchdog({key: limits(config.cameras[key]) for key in keys})
        # From now on it is missed soon: a camera may hang this process from its first call on.
        link.ready()
        for camera in cameras:
            camera.start()
        ended = False
        while not ended:
            ended = all(camera.ended for camera in cameras)
            _beat(link, cameras, writer)
            _end_if_wedged(link, watchdog)
            if link.stopping.wait(0.2 if ended else 0.5):
                break
        for camera in cameras:
            camera.stop()
        until = time.monotonic() + STOP_S
        for camera in cameras:
            if not camera.join(max(0.0, until - time.monotonic())):
                logger.warning("Camera %s did not stop in time.", camera.key)
        committed = writer.finish(STOP_S)
        _beat(link, cameras, writer)
        if not committed:
            logger.error("What the cameras found last could not be committed.")
            raise SystemExit(1)
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


_DOING = {"open": "opens it", "read": "reads from it", "close": "closes it"}


def _end_if_wedged(link: Link, watchdog: Watchdog) -> None:
    """End the process if a native call does not return: nothing else ends such a call."""
    overdue = watchdog.overdue(link.recorder.crumbs(), time.monotonic())
    if overdue is None:
        return
    logger.error(
        "Camera %s: the call that %s has not returned for %.0f s; this worker starts anew.",
        overdue.camera,
        _DOING[overdue.what],
        overdue.seconds,
    )
    link.wedged(overdue.camera, overdue.what, overdue.seconds)
    logging.shutdown()
    os._exit(WEDGED)


def resumed(store: Store, key: str, run: str) -> Resume | None:
    """What the predecessor left, if it left it just now; its open events that cannot go on are
    ended. A film is gone on with only within one run: the next run begins it anew.

    Raises:
        StoreError: the store fails.
    """
    now = datetime.now(UTC)
    left = _left(store, key)
    resume = None
    if left is not None:
        age_s = (now - left.saved_at).total_seconds()
        same_run = left.run == run
        if left.film_pts is not None and same_run:
            resume = Resume(left.analysis, 0.0, left.film_pts)
        elif left.film_pts is None and 0 <= age_s <= RESUME_WITHIN_S:
            resume = Resume(left.analysis, age_s, None)
    going_on = set() if resume is None else open_ids(resume.analysis)
    for event in store.open_events(key):
        if event.id not in going_on:
            last = now if left is None else min(left.saved_at, now)
            ended = EventEnded(ended=max(last, event.started), reason="restarted")
            store.amend(event.id, ended, now=now)
    return resume


def _left(store: Store, key: str) -> Handover | None:
    """What the predecessor saved; None if nothing, or by a version that saved something else."""
    try:
        state = Handover.model_validate(store.load_camera_state(key))
        open_ids(state.analysis)
    except (ValidationError, KeyError, TypeError):
        return None
    return state
