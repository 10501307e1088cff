"""Starts the workers, keeps them running, and stops them in order."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from pipeline.child import Child
from pipeline.errors import WorkerError
from pipeline.health import Statuses
from pipeline.posts import Post, Spec, WorkerStatus, statuses_of
from pipeline.workers.link import Beat, Failed, Finished, Message, Ready

logger = logging.getLogger(__name__)

SILENT_S = 30.0
"""A worker without a heartbeat for so long is taken for hung and started anew."""
MAX_CRASHES = 5
CRASH_WINDOW_S = 60.0
"""More than `MAX_CRASHES` within the window is a failure for good."""
FIRST_DELAY_S = 0.25
"""Pause before the second restart within the window; it doubles with each further one."""

POLL_S = 0.1
LATE_S = 5.0
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
        watches = [slot for slot in self._slots.values() if slot.spec.kind == "watch"]
        ended = bool(watches) and all(slot.finished for slot in watches)
        return ended and not any(
            slot.heartbeat is not None and slot.heartbeat.busy and slot.trouble is None
            for slot in self._slots.values()
        )

    def status(self) -> dict[str, WorkerStatus]:
        return {
            name: WorkerStatus(
                pid=slot.child.pid if slot.child else None,
                ready=slot.ready,
                restarts=slot.restarts,
                heartbeat=slot.heartbeat,
            )
            for name, slot in self._slots.items()
        }

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
        slot.heard, slot.start_at, slot.failure, slot.misinformed = now, None, None, False
        try:
            slot.child = Child(
                slot.spec.kind, slot.spec.order(slot.told), self._receive, self._pass_fds
            )
        except (OSError, RuntimeError) as error:
            # No process or thread can be had right now.
            self._crashed(slot, f"it could not be started ({error})", "not started")

    def _receive(self, child: Child, message: Message | None) -> None:
        self._inbox.put((child, message))

    def _take(self, child: Child, message: Message | None) -> None:
        slot = self._slots[child.name]
        if slot.child is not child:
            return
        slot.heard = time.monotonic()
        match message:
            case Ready(info=info):
                slot.info, slot.ready, slot.trouble = info, True, None
                self._restart_misinformed(slot.spec.name)
            case Beat(heartbeat=heartbeat):
                slot.heartbeat = heartbeat
            case Failed(message=text):
                slot.failure = text
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
        child.release()
        slot.child, slot.ready = None, False
        if slot.failure is not None:
            self._fail(WorkerError(slot.spec.name, slot.failure))
        elif slot.misinformed:
            slot.start_at = time.monotonic()
        elif not (slot.finished and status == 0):
            self._crashed(slot, child.last_words(), f"status {status}")

    def _crashed(self, slot: Post, last_words: str, how: str) -> None:
        """Start it again, or give up on one that ends too often."""
        name, now = slot.spec.name, time.monotonic()
        slot.crashes.append(now)
        while now - slot.crashes[0] > CRASH_WINDOW_S:
            slot.crashes.popleft()
        if len(slot.crashes) > MAX_CRASHES:
            trouble = (
                f"Worker {name} ended {len(slot.crashes)} times within "
                f"{CRASH_WINDOW_S:.0f} s, at last with: {last_words}"
            )
            if slot.spec.essential:
                self._fail(WorkerError(name, trouble))
            else:
                logger.error("%s. It is tried again in %.0f s.", trouble, CRASH_WINDOW_S)
                slot.trouble, slot.start_at = trouble, now + CRASH_WINDOW_S
            return
        delay = 0.0 if len(slot.crashes) == 1 else FIRST_DELAY_S * 2 ** (len(slot.crashes) - 2)
        slot.restarts += 1
        slot.start_at = now + delay
        logger.warning(
            "Worker %s ended (%s) and is started again%s.",
            name,
            how,
            f" in {delay:g} s" if delay else "",
        )

    def _fail(self, error: WorkerError) -> None:
        logger.error("%s", error)
        if self._failure is None:
            self._failure = error

    def _check_silence(self, slot: Post, now: float) -> None:
        if slot.child is not None and now - slot.heard > SILENT_S:
            logger.warning("Worker %s was silent for %.0f s.", slot.spec.name, now - slot.heard)
            slot.heard = now
            slot.child.kill()
