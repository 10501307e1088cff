"""Worker: cuts events' clips from what `watch` keeps, draws the annotated ones, and sees to it that
neither fills the disk."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pipeline.clips.retention import Retention
from pipeline.clock import HostClock
from pipeline.errors import StoreError
from pipeline.health import Heartbeat
from pipeline.media import LocalMedia
from pipeline.store import JobKind, Store
from pipeline.workers.background import Background
from pipeline.workers.cutting import Cutting
from pipeline.workers.drawing import Drawing
from pipeline.workers.hiding import Hiding
from pipeline.workers.link import Link
from pipeline.workers.patience import patiently

logger = logging.getLogger(__name__)

POLL_S = 0.25
BEAT_S = 1.0
SWEEP_S = 5.0
LAST_S = 1.5
"""At the end, what has just been filmed is cut within so long; the next start goes on with it."""
NICENESS = 5
ENCODING_NICENESS = 10
"""After the cutting, before the drawing."""


def run(link: Link) -> None:
    """Record until stopped.

    Raises:
        StoreError: the data folder cannot be used.
    """
    config = link.order.config
    assert config is not None
    os.nice(NICENESS)
    media = LocalMedia(config.data / "media")
    name = f"{link.order.name}-{os.getpid()}"
    work = config.data / "work"
    with patiently(link, lambda: Store.open(config.data)) as store:
        patiently(link, partial(_empty, work))
        retention = Retention(config, media)
        hiding = Hiding({key: camera.masks for key, camera in config.cameras.items()})
        cutting, encoded = (
            Cutting(
                store,
                media,
                config.video_folder,
                work,
                name,
                hiding,
                retention.video_waits,
                link.stopping.is_set,
                encodes,
            )
            for encodes in (False, True)
        )
        # Clips that have to be encoded anew take long, and the others shall not wait for them.
        encoding = Background(
            "encoding",
            lambda: encoded.step(store.clock.now(), time.monotonic()),
            niceness=ENCODING_NICENESS,
            waits="Clips that have to be encoded wait.",
        )
        drawing = Drawing(config, store, media, work, name, hiding)
        encoding.start()
        drawing.start()
        link.ready()
        beat_at = sweep_at = 0.0
        problem: str | None = None
        no_room: str | None = None
        busy = False
        while not link.stopping.wait(0.0 if busy else POLL_S):
            monotonic = time.monotonic()
            try:
                busy = cutting.step(store.clock.now(), monotonic)
                problem = cutting.problem or encoded.problem
            except StoreError as error:
                busy, problem = False, str(error)
            if monotonic >= sweep_at:
                sweep_at = monotonic + SWEEP_S
                no_room = _sweep(retention, store)
            if monotonic >= beat_at:
                beat_at = monotonic + BEAT_S
                counters = cutting.counters + encoded.counters + drawing.counters
                _beat(link, store, counters, problem or no_room or hiding.problem)
        encoding.stop(LAST_S / 3)
        drawing.stop(LAST_S / 3)
        _cut_what_is_left(cutting)


def _empty(work: Path) -> None:
    """A place to make clips in, without what a killed predecessor was making.

    Raises:
        StoreError: there cannot be one.
    """
    shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir(exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"Clips cannot be made in {work} ({error.strerror}); free some space on its disk."
        ) from None


def _sweep(retention: Retention, store: Store) -> str | None:
    """Make room, but not of what something is still to be made of; gives why there is none."""
    needed: dict[str, datetime] = {}
    now = datetime.now(UTC)
    clock = HostClock.of(now, time.monotonic())
    try:
        open_work = store.jobs.waiting([JobKind.CUT, JobKind.DRAW, JobKind.JUDGE])
        for waiting in open_work:
            if waiting.kind is JobKind.CUT:
                camera, begin = waiting.event.camera, waiting.footage.begin
                if clock is not None:
                    begin = clock.told(begin, by=waiting.footage.clock)
                needed[camera] = min(begin, needed.get(camera, begin))
        unfinished = {waiting.event.id for waiting in open_work}
        for camera in store.cameras_with_open_events():
            unfinished |= {event.id for event in store.open_events(camera)}
        return retention.sweep(now, needed, frozenset(unfinished), clock).problem
    except StoreError as error:
        return str(error)
    except OSError as error:
        return f"No room can be made on the disk ({error.strerror or error}); check it."


def _beat(link: Link, store: Store, counters: Counter[str], problem: str | None) -> None:
    try:
        open_work = store.jobs.waiting([JobKind.CUT, JobKind.DRAW])
    except StoreError:
        open_work = []
    # What waits for a better day, such as for room on the disk, is not waited for.
    now = store.clock.now()
    busy = any(waiting.not_before <= now for waiting in open_work)
    link.beat(Heartbeat(pid=os.getpid(), counters=dict(counters), message=problem, busy=busy))


def _cut_what_is_left(cutting: Cutting) -> None:
    """The watching has ended, so no more video will come: nothing is waited for."""
    until = time.monotonic() + LAST_S
    cutting.should_stop = lambda: time.monotonic() >= until
    try:
        while time.monotonic() < until and cutting.step(
            cutting.store.clock.now(), time.monotonic(), last=True
        ):
            pass
    except StoreError as error:
        logger.warning("%s Clips are made at the next start.", error)
