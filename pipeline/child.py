"""One worker process as its supervisor sees it."""

from __future__ import annotations

import collections
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from pipeline import blackbox
from pipeline.queues import Slot, SlotClosed
from pipeline.redact import redact
from pipeline.workers.link import LEVEL_MARKS, MESSAGE, STOP, Message, Order

logger = logging.getLogger(__name__)

Report = Callable[["Child", Message | None], None]
"""Called from a reading thread with each message, and with None when the process has closed its
pipe."""


KILLED_S = 2.0
SPEAK_S = 60.0
"""How long the writing thread sleeps at a time while nothing is to be said."""


def command(kind: str, name: str) -> list[str]:
    """The command line of a worker; it never holds a secret. Of several of a kind it ends with what
    tells them apart, for those who read `ps`."""
    # -P: nothing is imported from the folder the user happens to be in.
    line = [sys.executable, "-P", "-m", "pipeline", "worker", kind]
    return line if name == kind else [*line, name.removeprefix(f"{kind}-")]


class Child:
    """A started worker. It has a session of its own and ends when its input pipe closes."""

    def __init__(self, kind: str, order: Order, report: Report, pass_fds: tuple[int, ...]) -> None:
        self.name = order.name
        self._report = report
        self._log = logging.getLogger(f"pipeline.worker.{order.name}")
        self._last_lines: collections.deque[str] = collections.deque(maxlen=3)
        self._box = blackbox.make(order.name)
        order = order.model_copy(update={"black_box": self._box})
        try:
            self.process = subprocess.Popen(
                command(kind, order.name),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                env=_environment(),
                start_new_session=True,
                pass_fds=(*pass_fds, self._box),
            )
        except OSError:
            os.close(self._box)
            raise
        self._words: Slot[str] = Slot()
        self._asked = False
        self._threads = [
            threading.Thread(target=work, name=f"{order.name}-{what}", daemon=True)
            for what, work in (
                ("messages", self._read_messages),
                ("log", self._read_log),
                ("words", partial(self._speak, order.to_line())),
            )
        ]
        try:
            for thread in self._threads:
                thread.start()
        except RuntimeError:
            self.kill()
            os.close(self._box)
            raise

    @property
    def pid(self) -> int:
        return self.process.pid

    def ask_to_stop(self) -> None:
        self._asked = True
        self._say(STOP)

    def tell(self, line: str) -> None:
        """Say how all is; what a worker that hangs has not read is replaced by this."""
        if not self._asked:
            self._say(line)

    def wait(self, timeout_s: float) -> int | None:
        """The exit status, or None if it still runs after `timeout_s`."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End it and whatever it started, at once.

        A process that hangs in the kernel, as in a driver, ends when that lets it: it is not waited
        for, so that the others are not kept waiting either.
        """
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        if self.wait(KILLED_S) is None:
            logger.error("Process %d of worker %s cannot be ended.", self.pid, self.name)

    def remains(self) -> blackbox.Remains:
        """Where its threads are, or were when it ended; until `release`."""
        return blackbox.read(self._box)

    def release(self) -> None:
        """Close the pipes of an ended process."""
        os.close(self._box)
        self._words.close(discard=True)
        for thread in self._threads:
            thread.join(timeout=1.0)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def last_words(self) -> str:
        """The end of what it logged, for the message about its failure."""
        return self._last_lines[-1] if self._last_lines else "it left no message"

    def _say(self, line: str) -> None:
        """Hand a line over to be written: a full pipe must not hold up the supervisor."""
        self._words.put(line, replaceable=True)

    def _speak(self, line: str) -> None:
        """Write `line` and what is to be said after it."""
        assert self.process.stdin is not None
        with suppress(OSError, ValueError, SlotClosed):
            while True:
                self.process.stdin.write(line + "\n")
                self.process.stdin.flush()
                line = self._next_words()

    def _next_words(self) -> str:
        """Raises: SlotClosed: nothing more will be said."""
        while True:
            with suppress(TimeoutError):
                return self._words.get(timeout_s=SPEAK_S)

    def _read_messages(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                message = MESSAGE.validate_json(line)
            except ValidationError:
                logger.warning("Worker %s wrote something that is no message.", self.name)
                continue
            self._report(self, message)
        self._report(self, None)

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            line = line.rstrip()
            if not line:
                continue
            line = redact(line)
            self._last_lines.append(line)
            marked = line[1:2] == " " and line[0] in LEVEL_MARKS
            # What bears no mark comes from a library or a traceback.
            level = LEVEL_MARKS[line[0]] if marked else logging.WARNING
            self._log.log(level, "%s", line[2:] if marked else line)


def _environment() -> dict[str, str]:
    """The caller's environment, with this very package importable wherever it was found."""
    home = str(Path(__file__).resolve().parent.parent)
    paths = [home, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}
