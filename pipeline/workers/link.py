"""What passes over the pipes between a worker and its supervisor, and the worker's end of them.

The supervisor writes one line, the order, to the worker's standard input. What follows are the
statuses of all workers, for one that wants them, and the line that asks it to stop; the end of the
pipe means that the supervisor is gone. The worker answers with one JSON
message a line on what was its standard output.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TextIO

from pydantic import Field, TypeAdapter

from pipeline import blackbox
from pipeline.config import Config
from pipeline.errors import VigilError
from pipeline.health import Heartbeat, Statuses
from pipeline.redact import redact
from pipeline.types import Wire

ORPHAN_GRACE_S = 3.0
"""So long a worker whose supervisor is gone may take to stop in order."""

LEVEL_MARKS = {"D": logging.DEBUG, "I": logging.INFO, "W": logging.WARNING, "E": logging.ERROR}
"""The first letter of a worker's log line is its level."""


class Order(Wire):
    """What a worker is told to do; holds passwords, so it is only ever written to the pipe."""

    name: str
    config: Config | None = None
    options: Mapping[str, Any] = {}
    black_box: int | None = None
    """The descriptor of the worker's `blackbox`."""

    def to_line(self) -> str:
        return json.dumps(
            {
                "name": self.name,
                "config": None if self.config is None else json.loads(self.config.for_worker()),
                "options": dict(self.options),
                "black_box": self.black_box,
            }
        )


class Ready(Wire):
    """The worker does its job now; `info` is what others need of it, such as an address."""

    kind: Literal["ready"] = "ready"
    info: Mapping[str, Any] = {}


class Beat(Wire):
    kind: Literal["beat"] = "beat"
    heartbeat: Heartbeat


class Failed(Wire):
    """The worker cannot do its job and starting it again would not help."""

    kind: Literal["failed"] = "failed"
    message: str


class Finished(Wire):
    """The worker has nothing left to do, such as when its films have ended."""

    kind: Literal["finished"] = "finished"


class Wedged(Wire):
    """A native call for a camera, or a rule of the user's own (`what` is `rule`), has not returned
    for `seconds`; the worker ends itself."""

    kind: Literal["wedged"] = "wedged"
    camera: str
    what: str
    seconds: float


Message = Annotated[Ready | Beat | Failed | Finished | Wedged, Field(discriminator="kind")]
MESSAGE: TypeAdapter[Message] = TypeAdapter(Message)


STOP = "stop"
"""The line that asks a worker to stop."""


class Stopped(Exception):
    """The worker was asked to stop while it waited for something else."""


class Link:
    """The worker's end: messages out, the wish to stop in."""

    def __init__(self, out: TextIO, order: Order) -> None:
        self.order = order
        self.stopping = threading.Event()
        self.statuses: Statuses | None = None
        """How all workers were when the supervisor told last, if it tells this one."""
        self.recorder = (
            blackbox.Recorder()
            if order.black_box is None
            else blackbox.Recorder.attach(order.black_box)
        )
        """Where the worker's threads leave what tells how it ended, if it ends without a word."""
        self._out = out
        self._lock = threading.Lock()

    def ready(self, **info: Any) -> None:
        self._send(Ready(info=info))

    def beat(self, heartbeat: Heartbeat) -> None:
        self._send(Beat(heartbeat=heartbeat))

    def failed(self, message: str) -> None:
        self._send(Failed(message=message))

    def finished(self) -> None:
        self._send(Finished())

    def wedged(self, camera: str, what: str, seconds: float) -> None:
        self._send(Wedged(camera=camera, what=what, seconds=seconds))

    def _send(self, message: Message) -> None:
        with self._lock:
            try:
                self._out.write(message.model_dump_json() + "\n")
                self._out.flush()
            except BrokenPipeError:
                self.stopping.set()

    def follow(self, stdin: TextIO) -> None:
        """Watch for what the supervisor says, or its end, from a thread of its own."""

        def wait() -> None:
            for line in iter(stdin.readline, ""):
                if line.strip() == STOP:
                    self.stopping.set()
                else:
                    self.statuses = Statuses.model_validate_json(line)
            self.stopping.set()
            # A native call that never returns must not outlive the supervisor.
            timer = threading.Timer(ORPHAN_GRACE_S, os._exit, args=(70,))
            timer.daemon = True
            timer.start()

        threading.Thread(target=wait, name="supervisor-pipe", daemon=True).start()


class _Marked(logging.Formatter):
    """One line a record, its level as the first letter, passwords of addresses hidden."""

    def format(self, record: logging.LogRecord) -> str:
        text = redact(super().format(record)).replace("\n", "\n  ")
        return f"{record.levelname[0]} {record.name}: {text}"


def open_link() -> Link:
    """Take the pipes over, so that a library that prints cannot break the messages.

    Raises:
        EOFError: there is no supervisor.
    """
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Marked("%(message)s"))
    logger = logging.getLogger("pipeline")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    # What a worker writes is about what cameras saw: nobody else's business.
    os.umask(0o077)
    link = Link(out, Order.model_validate_json(line))
    # The supervisor decides when to stop; a terminal's Ctrl-C goes to it alone.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: link.stopping.set())
    link.follow(sys.stdin)
    return link


def run_worker(run: Callable[[Link], None], link: Link) -> int:
    """Run a worker to its end and return the process's exit status."""
    try:
        run(link)
    except Stopped:
        return 0
    except VigilError as error:
        link.failed(redact(str(error)))
        return error.exit_status
    return 0
