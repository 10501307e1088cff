"""When an event's clip is due, and the cutting of it: raw clip, poster, contact sheet."""

from __future__ import annotations

import errno
import logging
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from pipeline.amendment import EventClipFailed, EventClipReady
from pipeline.clips.cut import copyable, cut
from pipeline.clips.footage import Footage
from pipeline.clips.pictures import poster
from pipeline.clips.piece import Piece
from pipeline.clock import HostClock
from pipeline.errors import ClipError, StoreError
from pipeline.masking import Masks
from pipeline.media import LocalMedia
from pipeline.store import Job, JobKind, Store, Waiting
from pipeline.types import Clip, ClipReason, Event
from pipeline.workers.hiding import Hiding
from pipeline.workers.leasing import LATER_S, Keep, Pauses

logger = logging.getLogger(__name__)

CUTS = (JobKind.CUT_FIRST, JobKind.CUT)
LEASE_S = 20.0
"""After a crash the next worker waits so long."""
STILL_S = 5.0
"""A camera whose video has not grown for so long sends no more of it for now: what there is of an
ended event is cut."""
WORTH_S = 3.0
"""A first clip is not made where the one of all of the event follows within this."""
FIRST = "first"
SLACK_S = 0.25
"""Pictures are this far apart, or nearer: more need not be waited for to have all of a clip."""


_Wanted = tuple[str, HostClock | None]
"""Video of a camera, by the clock of an event."""


@dataclass
class _Reel:
    """What is known of a camera's video: how far it goes, and since when it goes no further."""

    footage: Footage
    until: datetime | None = None
    since: float = 0.0


@dataclass
class Cutting:
    """Cuts the clips that are due. `step` does at most one, so that its worker stays responsive."""

    store: Store
    media: LocalMedia
    video: Path
    work: Path
    """A folder for what is being made, on the disk of the media."""
    worker: str
    hiding: Hiding = field(default_factory=Hiding)
    full: Callable[[], bool] = lambda: False
    """Whether the disk of the video has no room, so that none is kept."""
    should_stop: Callable[[], bool] = lambda: False
    """Asked all the while: a clip that is encoded anew can take minutes."""
    encodes: bool = False
    """Whether it makes the clips that have to be encoded anew, or all the others, which must not
    wait for those."""
    counters: Counter[str] = field(default_factory=Counter)
    problem: str | None = None
    _reels: dict[_Wanted, _Reel] = field(default_factory=dict)
    _not_mine: set[tuple[str, JobKind]] = field(default_factory=set)
    _pauses: Pauses = field(default_factory=Pauses)

    def step(self, now: datetime, monotonic: float, *, last: bool = False) -> bool:
        """Cut one clip that is due; whether there was one.

        With `last` no more video will come: ended events are cut from what there is.

        Raises:
            StoreError: the store fails.
        """
        open_cuts = self.waiting()
        self._look(open_cuts, monotonic)
        self._not_mine &= {(waiting.event.id, waiting.kind) for waiting in open_cuts}
        for waiting in open_cuts:
            if (waiting.event.id, waiting.kind) in self._not_mine:
                continue
            if waiting.spent(now):
                self._give_up(waiting, now)
            elif waiting.not_before <= now and self._due(waiting, monotonic, last):
                pieces = self._pieces(waiting)
                if bool(pieces) and copyable(pieces) is self.encodes:
                    self._not_mine.add((waiting.event.id, waiting.kind))
                    continue
                job = self.store.jobs.lease(
                    waiting.kind,
                    now=now,
                    lease_s=LEASE_S,
                    worker=self.worker,
                    event_id=waiting.event.id,
                )
                if job is not None:
                    self._cut(job, waiting.event, pieces, now)
                    return True
        return False

    def waiting(self) -> list[Waiting]:
        """The clips that are still to be cut; a first one is not worth being encoded."""
        return self.store.jobs.waiting([JobKind.CUT] if self.encodes else CUTS)

    def _pieces(self, waiting: Waiting) -> list[Piece]:
        footage = waiting.footage
        end = _end(waiting.kind, waiting.event, waiting)
        return self._reels[_wanted(waiting)].footage.pieces(footage.begin, end, footage.clock)

    def _look(self, open_cuts: list[Waiting], monotonic: float) -> None:
        """See how far the video of each camera goes that a clip is waiting for."""
        self._reels = {
            wanted: self._reels.get(wanted)
            or _Reel(Footage(self.video / wanted[0]), since=monotonic)
            for wanted in map(_wanted, open_cuts)
        }
        for (_, clock), reel in self._reels.items():
            until = reel.footage.until(clock)
            if until != reel.until:
                reel.until, reel.since = until, monotonic

    def _due(self, waiting: Waiting, monotonic: float, last: bool) -> bool:
        event = waiting.event
        end = _end(waiting.kind, event, waiting)
        reel = self._reels[_wanted(waiting)]
        there = reel.until is not None and reel.until >= end - timedelta(seconds=SLACK_S)
        if waiting.kind is JobKind.CUT_FIRST and event.ended is not None:
            whole = _end(JobKind.CUT, event, waiting)
            return there and whole > end + timedelta(seconds=WORTH_S)
        if there or waiting.kind is JobKind.CUT_FIRST:
            return there
        return event.ended is not None and (last or monotonic - reel.since >= STILL_S)

    def _cut(self, job: Job, event: Event, pieces: list[Piece], now: datetime) -> None:
        began = time.monotonic()

        def then() -> datetime:
            """The moment after `now` at which the cutting is over."""
            return now + timedelta(seconds=time.monotonic() - began)

        try:
            ready = self._clip(job, event, pieces)
        except ClipError as error:
            self._failed(job, self._explained(error), then())
        except StoreError as error:
            # The disk that takes no clip is full, or fails as a full one does.
            self._failed(job, ClipError(str(error), ClipReason.DISK_FULL, passing=True), then())
        else:
            if ready is None:
                self.store.jobs.release(job, retry_at=then(), counts=False)
                return
            self.store.amend(event.id, ready, now=then())
            self.counters["clips"] += 1
            self.problem = None
            if ready.final and not (job.footage.annotated or ready.clip.restricted):
                forget_first(self.media, event.id)

    def _clip(self, job: Job, event: Event, pieces: list[Piece]) -> EventClipReady | None:
        """The clip, or None when it was stopped.

        Raises:
            ClipError: there is none.
            StoreError: it cannot be stored.
        """
        footage = job.footage
        end = _end(job.kind, event, job)
        keep = Keep(self.store, job, LEASE_S)
        with work_folder(self.work) as folder:
            raw = folder / "clip.mp4"
            made = cut(pieces, raw, lambda: self.should_stop() or not keep.kept())
            if made is None:
                return None
            masks = self.hiding.masks(made, event, footage)
            made = made.model_copy(update={"masks": masks})
            # Another name for another content: whoever watches the first clip goes on with it.
            name = FIRST if job.kind is JobKind.CUT_FIRST else "clip"
            keys = _Keys(event.id, name)
            image = poster(raw, made.seconds(event.started), Masks(masks))
            self.media.put_file(keys.clip, raw)
        self.media.put(keys.timeline, made.model_dump_json().encode())
        self.media.put_image(keys.poster, image)
        slack = timedelta(seconds=2 * SLACK_S)
        clip = Clip(
            key=keys.clip,
            codec=made.codec,
            width=made.size[0],
            height=made.size[1],
            duration_s=made.duration_s,
            start=made.start,
            end=made.end,
            pre_roll_s=max(0.0, (event.started - made.start).total_seconds()),
            transcoded=made.transcoded,
            whole=job.kind is JobKind.CUT
            and made.start <= footage.begin + slack
            and made.end >= end - slack,
            restricted=bool(masks),
            poster=keys.poster,
            timeline=keys.timeline,
        )
        return EventClipReady(clip=clip, final=job.kind is JobKind.CUT)

    def _explained(self, error: ClipError) -> ClipError:
        """Why there is no video, where that can be seen."""
        if error.reason == ClipReason.NOT_RECORDED and self.full():
            return ClipError(
                f"No video of that time was kept, since the disk of {self.video} was full.",
                ClipReason.DISK_FULL,
            )
        return error

    def _failed(self, job: Job, error: ClipError, now: datetime) -> None:
        """Say so at once, and try again later if that may help."""
        self.counters["failed"] += 1
        logger.warning("Event %s has no clip yet: %s", job.event_id, error)
        self.problem = str(error) if error.passing else None
        if job.kind is JobKind.CUT_FIRST and not error.passing:
            # What the first clip could not have, that of all of it may.
            self.store.jobs.release(job, retry_at=now + timedelta(seconds=LATER_S[-1]))
            return
        if error.passing:
            self.store.jobs.release(job, retry_at=now + self._pauses.next(job), counts=False)
        failed = EventClipFailed(
            reason=ClipReason(error.reason), error=str(error), final=not error.passing
        )
        self.store.amend(job.event_id, failed, now=now)

    def _give_up(self, waiting: Waiting, now: datetime) -> None:
        event = waiting.event
        if waiting.kind is JobKind.CUT_FIRST:
            return  # that of all of it is still to come, and closes this one too
        failed = EventClipFailed(
            reason=event.clip_reason or ClipReason.ATTEMPTS,
            error=event.clip_error or "The clip could not be made; the log says why.",
        )
        self.store.amend(event.id, failed, now=now)


@contextmanager
def work_folder(parent: Path) -> Iterator[Path]:
    """A folder that is gone afterwards. Raises: ClipError: the disk is full, or fails."""
    try:
        with tempfile.TemporaryDirectory(dir=parent, prefix="clip-") as folder:
            yield Path(folder)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise ClipError(
            f"Clips cannot be made in {parent} ({error.strerror or error}); "
            + ("free some space on its disk." if full else "check its disk."),
            ClipReason.DISK_FULL if full else ClipReason.ATTEMPTS,
            passing=True,
        ) from error


@dataclass(frozen=True)
class _Keys:
    event_id: str
    name: str

    @property
    def clip(self) -> str:
        return f"events/{self.event_id}/{self.name}.mp4"

    @property
    def poster(self) -> str:
        return f"events/{self.event_id}/{self.name}-poster.jpg"

    @property
    def timeline(self) -> str:
        return f"events/{self.event_id}/{self.name}.json"


def forget_first(media: LocalMedia, event_id: str) -> None:
    """Remove the first clip, when what replaces it has been there for a while."""
    keys = _Keys(event_id, FIRST)
    for key in (keys.clip, keys.timeline, keys.poster):
        try:
            media.delete(key)
        except StoreError as error:
            logger.warning("%s", error)


def _wanted(waiting: Waiting) -> _Wanted:
    return waiting.event.camera, waiting.footage.clock


def _end(kind: JobKind, event: Event, asked: Waiting | Job) -> datetime:
    """Where a clip ends: after the event, or after it was found, and within its longest length."""
    footage = asked.footage
    post_roll = timedelta(seconds=footage.post_roll_s)
    longest = footage.begin + timedelta(seconds=footage.longest_s)
    if kind is JobKind.CUT_FIRST:
        return min(footage.found + post_roll, longest)
    return longest if event.ended is None else min(event.ended + post_roll, longest)
