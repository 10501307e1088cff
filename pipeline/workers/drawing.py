"""The annotated clips, drawn one at a time in a thread of their own at the lowest priority."""

from __future__ import annotations

import logging
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

from pipeline.amendment import EventClipFailed, EventClipReady
from pipeline.clips.annotate import annotate
from pipeline.clips.cut import Cut
from pipeline.config import Config
from pipeline.errors import ClipError, StoreError
from pipeline.media import LocalMedia
from pipeline.store import Job, JobKind, Store
from pipeline.types import ClipReason, Event, Zone
from pipeline.workers.background import Background
from pipeline.workers.cutting import forget_first, work_folder
from pipeline.workers.hiding import Hiding
from pipeline.workers.leasing import Keep, Pauses

logger = logging.getLogger(__name__)

LEASE_S = 30.0
NICENESS = 19
"""Detection must not notice it."""


class Drawing:
    """Draws until `stop`; what it leaves half done is drawn by the next one."""

    def __init__(
        self,
        config: Config,
        store: Store,
        media: LocalMedia,
        work: Path,
        worker: str,
        hiding: Hiding,
    ) -> None:
        self._config, self._store, self._media = config, store, media
        self._work, self._worker, self._hiding = work, worker, hiding
        self._pauses = Pauses()
        self.counters: Counter[str] = Counter()
        self._background = Background(
            "drawing",
            lambda: self._step(self._store.clock.now()),
            niceness=NICENESS,
            waits="Drawing waits.",
        )

    def start(self) -> None:
        self._background.start()

    def stop(self, timeout_s: float) -> None:
        """Stop at the next picture, and give what was being drawn back."""
        self._background.stop(timeout_s)

    def _step(self, now: datetime) -> bool:
        for waiting in self._store.jobs.waiting([JobKind.DRAW]):
            if waiting.spent(now):
                reason = waiting.event.clip_reason or ClipReason.ATTEMPTS
                error = waiting.event.clip_error or "The annotated clip could not be drawn."
                failed = EventClipFailed(reason=reason, error=error, annotated=True)
                self._store.amend(waiting.event.id, failed, now=now)
        job = self._store.jobs.lease(JobKind.DRAW, now=now, lease_s=LEASE_S, worker=self._worker)
        event = None if job is None else self._store.event(job.event_id)
        if job is None or event is None:
            return False
        began = time.monotonic()
        try:
            ready = self._draw(job, event)
        except (ClipError, StoreError) as error:
            self._failed(job, error)
        else:
            if ready is None:
                self._store.jobs.release(job, retry_at=self._store.clock.now(), counts=False)
                return True
            self._store.amend(event.id, ready, now=self._store.clock.now())
            self.counters["drawn"] += 1
            forget_first(self._media, event.id)
            logger.info(
                "The annotated clip of event %s, %.1f s long, was drawn in %.1f s.",
                event.id,
                ready.clip.duration_s,
                time.monotonic() - began,
            )
        return True

    def _draw(self, job: Job, event: Event) -> EventClipReady | None:
        """The annotated clip, or None when it was stopped.

        Raises:
            ClipError: there is none.
            StoreError: it cannot be stored.
        """
        clip = event.clip
        if clip is None or clip.timeline is None:
            raise ClipError("There is no clip to draw in.", ClipReason.NOT_RECORDED)
        try:
            raw = self._media.path(clip.key)
            made = Cut.model_validate_json(self._media.get(clip.timeline))
        except KeyError:
            raise ClipError(
                "The clip was removed before it was drawn.", ClipReason.NOT_RECORDED
            ) from None
        made = made.model_copy(update={"masks": self._hiding.masks(made, event, job.footage)})
        keep = Keep(self._store, job, LEASE_S)
        with work_folder(self._work) as folder:
            out = folder / "annotated.mp4"
            drawn = annotate(
                raw,
                made,
                event,
                self._zones(event),
                out,
                tz=self._config.tz(),
                should_stop=lambda: self._background.stopping() or not keep.kept(),
            )
            if drawn is None:
                return None
            key = f"events/{event.id}/annotated.mp4"
            self._media.put_file(key, out)
        sheet = None
        if drawn.sheet is not None:
            sheet = f"events/{event.id}/sheet.jpg"
            self._media.put_image(sheet, drawn.sheet)
        changes = {
            "key": key,
            "annotated": True,
            "codec": "h264",
            "width": drawn.size[0],
            "height": drawn.size[1],
            "transcoded": True,
            "restricted": False,
            "contact_sheet": sheet,
        }
        return EventClipReady(clip=clip.model_copy(update=changes))

    def _zones(self, event: Event) -> list[Zone]:
        camera = self._config.cameras.get(event.camera)
        zones = {} if camera is None else camera.named_zones()
        return [zones[event.zone]] if event.zone in zones else []

    def _failed(self, job: Job, error: ClipError | StoreError) -> None:
        self.counters["failed"] += 1
        logger.warning("Event %s has no annotated clip yet: %s", job.event_id, error)
        now = self._store.clock.now()
        reason = error.reason if isinstance(error, ClipError) else ClipReason.DISK_FULL
        passing = isinstance(error, StoreError) or error.passing
        if passing:
            retry_at = now + self._pauses.next(job)
            self._store.jobs.release(job, retry_at=retry_at, counts=False)
        failed = EventClipFailed(
            reason=ClipReason(reason), error=str(error), annotated=True, final=not passing
        )
        self._store.amend(job.event_id, failed, now=now)
