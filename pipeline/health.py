"""What a worker tells its supervisor about itself, once a second."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from pydantic import AwareDatetime

from pipeline.types import Wire


class CameraState(StrEnum):
    CONNECTING = "connecting"
    LIVE = "live"
    STALLED = "stalled"
    FROZEN = "frozen"
    REFUSED = "refused"
    NOT_FOUND = "not_found"
    UNREADABLE = "unreadable"
    UNREACHABLE = "unreachable"
    ERROR = "error"
    ENDED = "ended"
    STOPPED = "stopped"


class Cause(StrEnum):
    """Why a worker ended that nobody had asked to."""

    CRASHED = "crashed"
    WEDGED = "wedged"
    """A native call for one of its cameras did not return, while the rest of it went on."""
    SILENT = "silent"
    """It was heard of no more, as where a native call holds the interpreter's lock."""


class CameraStatus(Wire):
    """A camera as its worker sees it. Counters run from the worker's start.

    `dropped` maps a cause to the number of frames not looked at for it; `latency_ms` is the
    median time from a frame's arrival to its findings over the last second or so.
    """

    state: CameraState
    message: str | None = None
    live_since: AwareDatetime | None = None
    size: tuple[int, int] | None = None
    frames: int = 0
    detections: int = 0
    looks: int = 0
    looks_per_s: float = 0.0
    latency_ms: float | None = None
    events: int = 0
    dropped: Mapping[str, int] = {}
    recording: str | None = None
    """Why no video is kept, a sentence; None while it is, and where none is wanted."""


class Heartbeat(Wire):
    """Sent by a worker about once a second; a worker silent for long is taken for hung.

    `message` is a sentence for people about what does not work, if something does not.
    """

    pid: int
    cameras: Mapping[str, CameraStatus] = {}
    counters: Mapping[str, int] = {}
    message: str | None = None
    busy: bool = False
    """Whether it has work that is worth waiting for before everything is stopped."""


class WorkerHealth(Wire):
    """A worker as its supervisor sees it; `restarts` counts, from the installation's start, how
    often it had to be started again, by cause."""

    ready: bool
    cameras: tuple[str, ...] = ()
    restarts: Mapping[Cause, int] = {}


class Statuses(Wire):
    """How an installation's cameras and workers were at `at`; `problems` are sentences for
    people."""

    at: AwareDatetime
    cameras: Mapping[str, CameraStatus] = {}
    problems: tuple[str, ...] = ()
    workers: Mapping[str, WorkerHealth] = {}
