"""Worker: watches a group of cameras with one shared detector."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pydantic import ValidationError

from pipeline.amendment import EventEnded
from pipeline.continuity import RESUME_WITHIN_S
from pipeline.detectors import load_detector
from pipeline.errors import StoreError
from pipeline.health import CameraState, Cause, Heartbeat
from pipeline.media import LocalMedia
from pipeline.own import search_also
from pipeline.store import Store
from pipeline.types import Event
from pipeline.workers.budget import Budget
from pipeline.workers.camera import CameraWatch
from pipeline.workers.guard import WEDGED
from pipeline.workers.handover import Handover, Resume, open_ids
from pipeline.workers.link import Link
from pipeline.workers.patience import patiently
from pipeline.workers.remembering import UNREADABLE
from pipeline.workers.watchdog import Watchdog, limits
from pipeline.workers.writer import Writer

logger = logging.getLogger(__name__)

SEEN_S = 5.0
"""How often it is noted that the cameras are as they were: after a crash it is known so well when
they were seen last."""
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
    search_also(link.order.options.get("search", ()))
    detector = load_detector(config.detector)
    with patiently(link, lambda: Store.open(config.data)) as store:
        writer = Writer(config, store, LocalMedia(config.data / "media"))
        writer.start()
        predecessor = link.order.options.get("predecessor")
        why = _why(predecessor)
        cameras = [
            CameraWatch(
                config,
                key,
                detector.for_camera(key, config.cameras[key]),
                writer.report,
                patiently(link, partial(resumed, store, key, link.order.options["run"])),
                link.order.options["run"],
                link.recorder,
                patiently(link, partial(outage_of, store, key, why)),
                None if predecessor is None else away_of(store, key, why),
                patiently(link, partial(remembered, store, key)),
            )
            for key in keys
        ]
        if predecessor is not None:
            # Before anything is opened: a camera that ends this process each time is told of too.
            for camera in cameras:
                camera.tick()
            writer.settle(STOP_S)
        watchdog = Watchdog({key: limits(config.cameras[key]) for key in keys})
        # From now on it is missed soon: a camera may hang this process from its first call on.
        link.ready()
        for camera in cameras:
            camera.start()
        beat = partial(_beat, link, cameras, writer, detector.description)
        ended = _follow(
            link, cameras, writer, watchdog, Budget(config, keys, detector.streams), beat
        )
        for camera in cameras:
            camera.stop()
        until = time.monotonic() + STOP_S
        for camera in cameras:
            if not camera.join(max(0.0, until - time.monotonic())):
                logger.warning("Camera %s did not stop in time.", camera.key)
        committed = writer.finish(STOP_S)
        _note_stop(store, cameras)
        beat()
        if not committed:
            logger.error("What the cameras found last could not be committed.")
            raise SystemExit(1)
        if ended:
            link.finished()


def _follow(
    link: Link,
    cameras: Sequence[CameraWatch],
    writer: Writer,
    watchdog: Watchdog,
    budget: Budget,
    beat: Callable[[], None],
) -> bool:
    """Say how the cameras are until the worker shall stop, or all of them have ended (True)."""
    keys = [camera.key for camera in cameras]
    seen_at = 0.0
    while True:
        ended = all(camera.ended for camera in cameras)
        for camera in cameras:
            camera.tick()
        budget.share(cameras)
        if time.monotonic() >= seen_at:
            seen_at = time.monotonic() + SEEN_S
            writer.seen(keys)
        beat()
        _end_if_wedged(link, watchdog)
        if link.stopping.wait(0.2 if ended else 0.5) or ended:
            return ended


def _beat(link: Link, cameras: Sequence[CameraWatch], writer: Writer, detector: str) -> None:
    link.beat(
        Heartbeat(
            pid=os.getpid(),
            cameras={camera.key: camera.status() for camera in cameras},
            counters=dict(writer.counters),
            message=writer.problem,
            detector=detector,
        )
    )


_DOING = {
    "open": "opens it",
    "read": "reads from it",
    "close": "closes it",
    "rule": "asks a rule of your own",
}


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
    now = store.clock.now()
    left = _left(store, key)
    resume = None
    if left is not None:
        age_s = left.age_s()
        same_run = left.run == run
        if left.film_pts is not None and same_run:
            resume = Resume(left.analysis, 0.0, left.film_pts)
        elif left.film_pts is None and 0 <= age_s <= RESUME_WITHIN_S:
            resume = Resume(left.analysis, age_s, None)
    going_on = set() if resume is None else open_ids(resume.analysis)
    for event in store.open_events(key):
        if event.id not in going_on and not event.of_camera:
            last = now if left is None else min(left.saved_at, now)
            ended = EventEnded(ended=max(last, event.started), reason="restarted")
            store.amend(event.id, ended, now=now)
    return resume


def remembered(store: Store, key: str) -> dict[str, Any]:
    """What was learned of a camera, however long ago; nothing where that cannot be read, which is
    said in the log.

    Raises:
        StoreError: the store fails.
    """
    try:
        return store.load_memory(key)
    except ValueError:
        logger.warning(UNREADABLE, key, "")
        return {}


def _why(predecessor: Mapping[str, Any] | None) -> str:
    """Why the cameras were not watched since the predecessor ended, a sentence."""
    if predecessor is None:
        return "Vigil was not running."
    cause, camera = Cause(predecessor["cause"]), predecessor["camera"]
    culprit = "" if camera is None else f" by camera {camera}"
    how = {
        Cause.CRASHED: "crashed" if camera is None else f"was crashed{culprit}",
        Cause.WEDGED: f"was held up{culprit}",
        Cause.SILENT: f"was held up{culprit}",
    }
    return f"Its worker {how[cause]} and was started again."


def _note_stop(store: Store, cameras: Sequence[CameraWatch]) -> None:
    """From here on nobody watches the cameras, other than the films that have ended."""
    now = datetime.now(UTC)
    try:
        for camera in cameras:
            if camera.status().state is not CameraState.ENDED:
                store.cameras.enter(camera.key, CameraState.STOPPED, "Vigil was stopped.", now)
    except StoreError as error:
        logger.warning("%s", error)


def away_of(store: Store, key: str, why: str) -> tuple[datetime, str] | None:
    """Since when, and why, nobody sees what the camera sees, where that was so before this worker.

    Raises:
        StoreError: the store fails.
    """
    since = store.cameras.away_since(key)
    return None if since is None else (since, why)


def outage_of(store: Store, key: str, why: str) -> Event | None:
    """The camera's periods go on from here; `why` is the cause of the gap that a predecessor left.
    Gives the event of its being away that is open, if any.

    Raises:
        StoreError: the store fails.
    """
    store.cameras.resume(key, why, datetime.now(UTC))
    return next((event for event in store.open_events(key) if event.of_camera), None)


def _left(store: Store, key: str) -> Handover | None:
    """What the predecessor saved; None if nothing, or by a version that saved something else."""
    try:
        state = Handover.model_validate(store.load_camera_state(key))
        open_ids(state.analysis)
    except (ValidationError, KeyError, TypeError):
        return None
    return state
