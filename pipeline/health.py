"""What a worker tells its supervisor about itself, once a second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


AWAY = frozenset(
    {
        CameraState.CONNECTING,
        CameraState.STALLED,
        CameraState.FROZEN,
        CameraState.REFUSED,
        CameraState.NOT_FOUND,
        CameraState.UNREADABLE,
        CameraState.UNREACHABLE,
        CameraState.ERROR,
        CameraState.STOPPED,
    }
)
"""The states in which nobody sees what the camera could see."""


class Period(Wire):
    """A camera was in this state from `began` to `ended`, or is still (None); `cause` is a
    sentence for people. It is known to have lasted up to `seen`."""

    id: int
    camera: str
    state: CameraState
    cause: str | None
    began: AwareDatetime
    ended: AwareDatetime | None
    seen: AwareDatetime


class Gap(Wire):
    """A stretch in which a camera saw nothing, with the cause that lasted longest."""

    camera: str
    began: AwareDatetime
    ended: AwareDatetime | None
    state: CameraState
    cause: str | None


def gaps(periods: Sequence[Period]) -> list[Gap]:
    """The gaps in a camera's periods, which come the newest first and without a hole."""
    found: list[list[Period]] = []
    for newer, period in zip((None, *periods), periods, strict=False):
        if period.state not in AWAY:
            continue
        if newer is not None and newer.state in AWAY:
            found[-1].append(period)
        else:
            found.append([period])
    return [_gap(members) for members in found]


def _gap(members: Sequence[Period]) -> Gap:
    def length(period: Period) -> tuple[float, bool]:
        lasted = ((period.ended or period.seen) - period.began).total_seconds()
        return lasted, period.cause is not None

    main = max(members, key=length)
    return Gap(
        camera=main.camera,
        began=members[-1].began,
        ended=members[0].ended,
        state=main.state,
        cause=main.cause,
    )


class Cause(StrEnum):
    """Why a worker ended that nobody had asked to."""

    CRASHED = "crashed"
    WEDGED = "wedged"
    """A native call for one of its cameras, or a rule of the user's own, did not return, while the
    rest of it went on."""
    SILENT = "silent"
    """It was heard of no more, as where a native call holds the interpreter's lock."""


LATENCY_BOUNDS_MS = (
    *(5, 10, 20, 30, 40, 50, 75, 100, 125, 150, 175, 200, 250, 300, 400, 500, 750),
    *(1000, 2000, 5000),
)
"""What latencies are counted by, each bound included."""


class CameraStatus(Wire):
    """A camera as its worker sees it. Counters run from the worker's start.

    `looks` counts frames that were detected on, and `dropped` maps a cause to the number of those
    that were not: `still`, where nothing moves and what was found before is taken to be there
    still, is the usual one. `latency_ms` is the median time from a frame's arrival to its findings
    over the last looks; `latencies` counts all of them by `LATENCY_BOUNDS_MS`, and those above.
    """

    state: CameraState
    since: AwareDatetime | None = None
    """Since when it is in this state."""
    message: str | None = None
    live_since: AwareDatetime | None = None
    size: tuple[int, int] | None = None
    frames: int = 0
    detections: int = 0
    looks: int = 0
    looks_per_s: float = 0.0
    latency_ms: float | None = None
    latencies: tuple[int, ...] = ()
    latencies_s: float = 0.0
    """The sum of all latencies, in seconds."""
    activity: str | None = None
    """What happens in it: idle, still, motion or tracked; see `looking.Activity`."""
    wanted_per_s: float | None = None
    """Looks a second that would be right for that."""
    allowed_per_s: float | None = None
    """And how many the detector has for it, beside the other cameras; None for any number."""
    events: int = 0
    dropped: Mapping[str, int] = {}
    silenced: Mapping[str, int] = {}
    """Why nobody was told of an event when it began -> how many; see `incidents.Silence`."""
    rule_failures: Mapping[str, int] = {}
    """Rule of the user's own -> how many looks had to do without it, since it failed."""
    breaks: int = 0
    """How often its pictures did not go on from those before: connections, and jumps in time."""
    changes: Mapping[str, int] = {}
    """State -> how often it was entered."""
    notes: tuple[str, ...] = ()
    """What people should know of how it is read, such as why its hardware decoder is not used."""
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
    detector: str | None = None
    """What detects, and on what it runs."""
    busy: bool = False
    """Whether it has work that is worth waiting for before everything is stopped."""


class WorkerHealth(Wire):
    """A worker as its supervisor sees it; `restarts` counts, from the installation's start, how
    often it had to be started again, by cause."""

    ready: bool
    cameras: tuple[str, ...] = ()
    detector: str | None = None
    """What detects in it, and on what it runs."""
    restarts: Mapping[Cause, int] = {}


class Statuses(Wire):
    """How an installation's cameras and workers were at `at`; `problems` are sentences for
    people."""

    at: AwareDatetime
    cameras: Mapping[str, CameraStatus] = {}
    problems: tuple[str, ...] = ()
    workers: Mapping[str, WorkerHealth] = {}
