"""Starts the workers, keeps them running, and stops them in order."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from pipeline import endings
from pipeline.child import Child
from pipeline.endings import Ending
from pipeline.errors import WorkerError
from pipeline.health import Statuses
from pipeline.posts import Post, Spec, WorkerStatus, films_over, statuses_of
from pipeline.workers.link import Beat, Failed, Finished, Message, Ready, Wedged

logger = logging.getLogger(__name__)

START_SILENT_S = 30.0
"""So long a worker may be silent before it is ready, while it imports and loads."""

POLL_S = 0.1
LATE_S = 2.0
"""A supervisor that was away for longer cannot tell who was silent."""

TELL_S = 1.0
"""How often the informed workers are told how all are."""


class Supervisor:
    """Runs workers in processes of their own until `stop`. All decisions are made in one thread."""

    def __init__(self, specs: Sequence[Spec], pass_fds: tuple[int, ...] = ()) -> None:
        self._slots = {spec.name: Post(spec) for spec in specs}
        self._pass_fds = pass_fds
        self._inbox: queue.SimpleQueue[tuple[Child, Message | None] | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._told_at = 0.0
        self._failure: WorkerError | None = None
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def failure(self) -> WorkerError | None:
        """Why a worker failed for good, if one did."""
        return self._failure

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    @property
    def finished(self) -> bool:
        """Whether every watch worker has nothing left to do, and nobody is busy with what they
        found."""
        slots = self._slots.values()
        return films_over(slots) and not any(slot.busy for slot in slots)

    def status(self) -> dict[str, WorkerStatus]:
        return {name: slot.status() for name, slot in self._slots.items()}

    def statuses(self) -> Statuses:
        """How the cameras are, and what does not work, as the workers told last."""
        return statuses_of(self._slots)

    def wait_info(self, name: str, timeout_s: float) -> Mapping[str, Any]:
        """What a worker told when it became ready.

        Raises:
            WorkerError: it failed for good, or was not ready in time.
        """
        slot = self._slots[name]
        with self._changed:
            self._changed.wait_for(lambda: slot.ready or self._failure is not None, timeout_s)
        if self._failure is not None:
            raise self._failure
        if not slot.ready:
            told = slot.heartbeat.message if slot.heartbeat else None
            why = told or "look at the log for why"
            raise WorkerError(name, f"Worker {name} was not ready within {timeout_s:.0f} s: {why}")
        return slot.info

    def info(self, name: str) -> Mapping[str, Any]:
        """What a worker told when it last became ready; empty before."""
        return self._slots[name].info

    def stop(self) -> bool:
        """Stop all workers tier by tier; True if every one ended in order."""
        self._stopping.set()
        self._inbox.put(None)
        if self._thread.ident is not None:
            self._thread.join()
        in_order = True
        for tier in sorted({slot.spec.tier for slot in self._slots.values()}):
            in_order &= self._stop_tier(
                [slot for slot in self._slots.values() if slot.spec.tier == tier]
            )
        return in_order

    def _stop_tier(self, slots: Sequence[Post]) -> bool:
        in_order = True
        children = [(slot, slot.child) for slot in slots if slot.child is not None]
        for _, child in children:
            child.ask_to_stop()
        until = time.monotonic() + max((slot.spec.stop_s for slot, _ in children), default=0.0)
        for slot, child in children:
            status = child.wait(max(0.0, until - time.monotonic()))
            if status is None:
                child.kill()
            if status is None and slot.ready:
                logger.warning("Worker %s did not stop in time and was killed.", child.name)
            elif status:
                logger.warning("Worker %s ended with status %d.", child.name, status)
            # One that was not ready yet had nothing to put in order.
            in_order &= status == 0 or not slot.ready
            child.release()
        for slot in slots:
            slot.child, slot.ready = None, False
        return in_order

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._step()
        except Exception as error:
            # Nobody else would notice that it is gone.
            logger.error("The supervisor failed", exc_info=error)
            self._fail(WorkerError("supervisor", f"The supervisor failed: {error!r}"))

    def _step(self) -> None:
        """Start what is due, take in all that was said, then look who is silent."""
        began = time.monotonic()
        for slot in self._slots.values():
            self._start_if_due(slot, began)
        with suppress(queue.Empty):
            self._took(self._inbox.get(timeout=POLL_S))
            while True:
                self._took(self._inbox.get_nowait())
        now = time.monotonic()
        late = now - began > LATE_S
        for slot in self._slots.values():
            # Who was stopped itself, as by Ctrl-Z, has heard nobody meanwhile.
            slot.heard = now if late else slot.heard
            self._check_silence(slot, now)
        if now - self._told_at >= TELL_S:
            self._told_at = now
            self._tell()

    def _tell(self) -> None:
        """Tell those that want to know how all workers are."""
        informed = [slot.child for slot in self._slots.values() if slot.spec.informed]
        if not any(informed):
            return
        line = self.statuses().model_dump_json()
        for child in informed:
            if child is not None:
                child.tell(line)

    def _took(self, item: tuple[Child, Message | None] | None) -> None:
        if item is not None:
            self._take(*item)

    def _start_if_due(self, slot: Post, now: float) -> None:
        if slot.child is not None or slot.start_at is None or now < slot.start_at:
            return
        needed = {name: self._slots[name] for name in slot.spec.needs}
        if not all(other.ready for other in needed.values()):
            return
        slot.told = {name: other.info for name, other in needed.items()}
        slot.begins(now)
        try:
            slot.child = Child(slot.spec.kind, slot.order(), self._receive, self._pass_fds)
        except (OSError, RuntimeError) as error:
            # No process or thread can be had right now.
            self._crashed(slot, endings.not_started(error))

    def _receive(self, child: Child, message: Message | None) -> None:
        self._inbox.put((child, message))

    def _take(self, child: Child, message: Message | None) -> None:
        slot = self._slots[child.name]
        if slot.child is not child:
            return
        slot.heard = time.monotonic()
        match message:
            case Ready(info=info):
                slot.info, slot.ready, slot.trouble, slot.predecessor = info, True, None, None
                self._restart_misinformed(slot.spec.name)
            case Beat(heartbeat=heartbeat):
                slot.heartbeat = heartbeat
            case Failed(message=text):
                slot.failure = text
            case Wedged():
                slot.ending = endings.wedged(message)
            case Finished():
                slot.finished = True
            case None:
                self._ended(slot, child)
        with self._changed:
            self._changed.notify_all()

    def _restart_misinformed(self, name: str) -> None:
        """Start those anew that were told something else of the worker `name`."""
        for slot in self._slots.values():
            if slot.child and name in slot.told and slot.told[name] != self._slots[name].info:
                logger.info("Worker %s starts anew, since %s has moved.", slot.spec.name, name)
                slot.misinformed = True
                slot.child.ask_to_stop()

    def _ended(self, slot: Post, child: Child) -> None:
        """A worker that nobody asked to stop has closed its pipe."""
        status = child.wait(2.0)
        if status is None:
            child.kill()
        remains = child.remains()
        child.release()
        slot.child, slot.ready, slot.ended_at = None, False, datetime.now(UTC)
        if slot.failure is not None:
            self._fail(WorkerError(slot.spec.name, slot.failure))
        elif slot.misinformed:
            slot.start_at = time.monotonic()
        elif not (slot.finished and status == 0):
            crashed = endings.crashed(remains, status, child.last_words())
            self._crashed(slot, slot.ending or crashed)

    def _crashed(self, slot: Post, ending: Ending) -> None:
        """Start it again, in parts where that helps the others, or give up on it."""
        slot.predecessor = slot.predecessor or ending
        specs = [] if slot.spec.split is None else slot.spec.split(ending)
        if specs:
            slot.restarts[ending.cause] += 1
            self._go_on_as(specs, slot, ending)
            return
        now = time.monotonic()
        wait = slot.history.ended(now)
        if not wait.rest:
            logger.warning(
                "Worker %s ended (%s) and is started again%s.",
                slot.spec.name,
                ending.how,
                f" in {wait.delay_s:g} s" if wait.delay_s else "",
            )
        else:
            trouble = f"Worker {slot.spec.name} ended{wait.often} with: {ending.last_words}"
            final = slot.spec.essential and slot.spec.policy.final
            if final and self._all_lost(slot.spec.kind):
                self._fail(WorkerError(slot.spec.name, trouble))
                return
            slot.trouble = f"{trouble.removesuffix('.')}. It rests for {wait.delay_s:.0f} s."
            logger.error("%s", slot.trouble)
        slot.restarts[ending.cause] += 1
        slot.start_at = now + wait.delay_s

    def _all_lost(self, kind: str) -> bool:
        return all(slot.lost for slot in self._slots.values() if slot.spec.kind == kind)

    def _go_on_as(self, specs: Sequence[Spec], slot: Post, ending: Ending) -> None:
        """Replace a worker by several, the first of which takes its place."""
        name = slot.spec.name
        parts = ", ".join(f"{spec.name} ({', '.join(spec.subjects)})" for spec in specs)
        logger.warning("Worker %s ended (%s) and goes on as %s.", name, ending.how, parts)
        others = {spec.name: slot.offspring(spec) for spec in specs[1:]}
        slot.becomes(specs[0])
        slot.start_at = time.monotonic()
        # Others look at the posts while this thread replaces them.
        self._slots = {**self._slots, **others}

    def _fail(self, error: WorkerError) -> None:
        logger.error("%s", error)
        if self._failure is None:
            self._failure = error

    def _check_silence(self, slot: Post, now: float) -> None:
        silent_s = now - slot.heard
        if slot.child is None or silent_s <= (slot.spec.silent_s if slot.ready else START_SILENT_S):
            return
        slot.heard = now
        slot.ending = endings.silent(silent_s, slot.child.remains().stuck(slot.child.pid))
        slot.child.kill()
