"""Simulated cameras, watched for a while by the real pipeline."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.bench.busy_film import KEYFRAME_S, BusyFilm
from pipeline.bench.seeing import POLL_S, Seen
from pipeline.config import Config
from pipeline.configfile import validate
from pipeline.errors import VigilError
from pipeline.health import CameraState, CameraStatus
from pipeline.library import Pipeline
from pipeline.looking import Choice
from pipeline.simulate import FaultKind, Sent, SimulatedCameras, in_thread, load
from pipeline.types import Size
from pipeline.workers.choosing import Skipped

READY_S = 120.0
QUIET_S = 3.0
"""Where nothing was received or looked at for so long, nothing is under way."""
LONGEST_QUIET_S = 8.0
"""A camera that sends nothing for longer is soon given up."""
WARM_S = 6.0
"""After a stand-still all cameras are looked at more than usual for so long at most."""
FAULTY = "faulty"
FRAME_CAUSES = frozenset(
    {
        *(cause.value for cause in Skipped),
        *(choice.value for choice in Choice if choice is not Choice.DETECT),
        *("replaced", "closed", "detector_busy", "detector_failed"),
    }
)
"""Why a picture that was received is not detected on; the other causes are of packets, or of what
was not received at all."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What is watched, and how; see `measure_cameras`."""

    film: BusyFilm
    cameras: int
    size: Size
    rate: int
    seconds: float
    detect_fps: float
    motion_gate: bool
    fault: str | None

    @property
    def names(self) -> list[str]:
        """Of the healthy cameras."""
        healthy = self.cameras - (self.fault is not None)
        return [f"camera-{number + 1}" for number in range(healthy)]

    @property
    def ahead(self) -> dict[str, float]:
        """How far each is in the film at first. Somebody walks in the first one soon after the
        warm-up, and in the others one after the other, spread over the film."""
        first_s = self.film.begins_s - QUIET_S - WARM_S
        step_s = self.film.duration_s / len(self.names)
        return {
            name: (first_s - number * step_s) % self.film.duration_s
            for number, name in enumerate(self.names)
        }


def watch(setup: Setup) -> dict[str, Any]:
    """Watch the cameras; gives the figures of each and of all.

    Raises:
        VigilError: the cameras do not come up.
        ConfigError: there is no such fault.
    """
    with tempfile.TemporaryDirectory() as folder, _served(setup) as (good, urls, bad):
        names = setup.names
        config = _config(setup, urls, Path(folder))
        with Pipeline(config) as pipeline:
            _wait_until_live(pipeline, list(urls))
            if setup.fault is not None:
                bad.fault(FAULTY, setup.fault)
            before, sent_before = _still(pipeline, good)
            for name in names:
                good.fault(name, None)
                # Or all cameras would send their keyframes at once from now on.
                time.sleep(KEYFRAME_S / len(names))
            time.sleep(WARM_S)
            seen = Seen(setup.film, names)
            seen.follow(pipeline, good, setup.seconds)
            after, sent_after = _still(pipeline, good)
    rows = {}
    for name in names:
        sent = sent_after[name].pictures - sent_before[name].pictures
        rows[name] = _arrivals(sent, before[name], after[name]) | seen.of(name)
    return _of_all(rows) | seen.of_all() | {"healthy": rows}


@contextmanager
def _served(
    setup: Setup,
) -> Iterator[tuple[SimulatedCameras, Mapping[str, str], SimulatedCameras]]:
    """The healthy cameras, all addresses, and the faulty camera, which is a server of its own: one
    that refuses closes its port."""
    reel = load(setup.film.path, setup.film.path.parent)
    healthy = dict.fromkeys(setup.names, reel)
    faulty = {FAULTY: reel} if setup.fault is not None else {}
    with (
        in_thread(SimulatedCameras(healthy, port=0, seam_s=0.0, ahead=setup.ahead)) as good,
        in_thread(SimulatedCameras(faulty, port=0)) as bad,
    ):
        yield good, {**good.urls, **bad.urls}, bad


def _config(setup: Setup, urls: Mapping[str, str], work: Path) -> Config:
    camera = {
        "detect": {"fps": setup.detect_fps, "motion_gate": setup.motion_gate},
        # The film is short, and seen again before a minute is over.
        "health": {"frozen_after_s": None},
    }
    return validate(
        {
            "data": str(work / "data"),
            "web": {"enabled": False},
            "storage": {"free_mb": 1},
            "cameras": {name: {"source": url, **camera} for name, url in urls.items()},
        },
        where="bench",
        folder=work,
    )


def _wait_until_live(pipeline: Pipeline, names: Sequence[str]) -> None:
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        status = pipeline.status().cameras
        if all(status[name].state is CameraState.LIVE for name in names):
            return
        time.sleep(POLL_S)
    raise VigilError("The simulated cameras do not come up; is the machine overloaded?")


def _still(
    pipeline: Pipeline, server: SimulatedCameras
) -> tuple[Mapping[str, CameraStatus], Mapping[str, Sent]]:
    """How the cameras are when nothing is under way: what was sent has arrived, or never will."""
    for name in server.sent:
        server.fault(name, FaultKind.STALL.value)
    began = time.monotonic()
    now, changed = pipeline.status().cameras, began
    while time.monotonic() - began < LONGEST_QUIET_S and time.monotonic() - changed < QUIET_S:
        time.sleep(POLL_S)
        before, now = now, pipeline.status().cameras
        if any(_at_work(before[name], now[name]) for name in server.sent):
            changed = time.monotonic()
    return now, server.sent


def _at_work(before: CameraStatus, now: CameraStatus) -> bool:
    """Whether anything was received or looked at in between."""
    return (before.frames, before.looks) != (now.frames, now.looks)


def _arrivals(sent: int, before: CameraStatus, after: CameraStatus) -> dict[str, Any]:
    """What became of the pictures from one stand-still to the next."""
    received, looks = after.frames - before.frames, after.looks - before.looks
    dropped = {
        cause: count - before.dropped.get(cause, 0)
        for cause, count in after.dropped.items()
        if count > before.dropped.get(cause, 0)
    }
    not_looked_at = sum(count for cause, count in dropped.items() if cause in FRAME_CAUSES)
    return {
        "sent": sent,
        "received": received,
        "received_share": round(received / sent, 4),
        "looks": looks,
        "detections": after.detections - before.detections,
        "events": after.events - before.events,
        "states_entered": sum(after.changes.values()) - sum(before.changes.values()),
        "dropped": dropped,
        "unaccounted": received - looks - not_looked_at,
    }


def _of_all(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    dropped: Counter[str] = Counter()
    for row in rows.values():
        dropped.update(row["dropped"])
    sums = ("sent", "received", "looks", "detections", "events", "states_entered")
    return {
        "received_least": min(row["received_share"] for row in rows.values()),
        **{key: sum(row[key] for row in rows.values()) for key in sums},
        "dropped": dict(dropped),
        # One picture too many of one camera does not make up for one too few of another.
        "unaccounted": sum(abs(row["unaccounted"]) for row in rows.values()),
    }
