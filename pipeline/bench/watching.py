"""Simulated cameras, watched for a while by the real pipeline."""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from pipeline.bench import latency
from pipeline.bench.busy_film import KEYFRAME_S, BusyFilm
from pipeline.bench.processes import busy_seconds, cpu_seconds, memory_mb
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
POLL_S = 0.25
STATUS_AGE_S = 0.4
"""A status is so old on average: workers tell theirs about twice a second."""
MEMORY_EVERY = 8
"""Memory is looked at with each so many polls."""
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
            seen = _Seen(setup.film, names)
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
        time.sleep(0.2)
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


@dataclass(slots=True)
class _Active:
    """For how long somebody walked in a camera's picture, and the looks meanwhile."""

    seconds: float = 0.0
    looks: int = 0


@dataclass(slots=True)
class _Seen:
    """What is measured while the cameras are watched."""

    film: BusyFilm
    names: Sequence[str]
    lasted: float = 0.0
    first: Mapping[str, CameraStatus] = field(default_factory=dict)
    last: Mapping[str, CameraStatus] = field(default_factory=dict)
    active: dict[str, _Active] = field(default_factory=dict)
    cores: dict[str, float] = field(default_factory=dict)
    cores_elsewhere: float = 0.0
    memory: list[float] = field(default_factory=list)
    detector: str | None = None

    def follow(self, pipeline: Pipeline, server: SimulatedCameras, seconds: float) -> None:
        """Look at a running pipeline for so long."""
        workers = pipeline.status().workers
        watching = {
            worker.pid: worker.heartbeat
            for name, worker in workers.items()
            if name.startswith("watch") and worker.pid is not None
        }
        told = [beat.detector for beat in watching.values() if beat is not None]
        self.detector = told[0] if told else None
        self.active = {name: _Active() for name in self.names}
        self.first = self.last = pipeline.status().cameras
        cpu, busy, began = cpu_seconds(), busy_seconds(), time.monotonic()
        at, polls = began, 0
        while at - began < seconds:
            if polls % MEMORY_EVERY == 0:
                self._weigh(list(watching))
            polls += 1
            time.sleep(POLL_S)
            before, at = at, time.monotonic()
            self._count(pipeline.status().cameras, server.sent, at - before)
        self.lasted = at - began
        self.cores = _cores(cpu, cpu_seconds(), list(watching), self.lasted)
        whole = (busy_seconds() - busy) / self.lasted
        self.cores_elsewhere = max(whole - sum(self.cores.values()), 0.0)

    def _weigh(self, watching: Sequence[int]) -> None:
        megabytes = memory_mb(watching)
        if megabytes is not None:
            self.memory.append(megabytes)

    def _count(
        self, now: Mapping[str, CameraStatus], sent: Mapping[str, Sent], seconds: float
    ) -> None:
        for name, active in self.active.items():
            if self.film.active(sent[name].film_s - STATUS_AGE_S):
                active.seconds += seconds
                active.looks += now[name].looks - self.last[name].looks
        self.last = now

    def of(self, name: str) -> dict[str, Any]:
        """One camera's figures."""
        return self._figures([name])

    def of_all(self) -> dict[str, Any]:
        """All cameras' figures together, and what they take."""
        return {
            "seconds": round(self.lasted, 1),
            **self._figures(self.names),
            "cores": round(sum(self.cores.values()), 2),
            "cores_of": {whose: round(cores, 2) for whose, cores in self.cores.items()},
            # Figures of a machine that does something else meanwhile say little.
            "cores_elsewhere": round(self.cores_elsewhere, 2),
            "memory_mb": round(median(self.memory), 1) if self.memory else None,
            "memory_most_mb": max(self.memory, default=None),
            "detector": self.detector,
        }

    def _figures(self, names: Sequence[str]) -> dict[str, Any]:
        pairs = [(self.first[name], self.last[name]) for name in names]
        looks = sum(after.looks - before.looks for before, after in pairs)
        active_s = sum(self.active[name].seconds for name in names)
        active_looks = sum(self.active[name].looks for name in names)
        counts = latency.pooled(latency.counted(*pair) for pair in pairs)
        latencies_s = sum(after.latencies_s - before.latencies_s for before, after in pairs)
        return {
            "looks_per_s": round(looks / self.lasted, 2),
            # Of one camera, also where it is of all of them.
            "looks_per_s_active": round(active_looks / active_s, 2) if active_s else None,
            "active_share": round(active_s / self.lasted / len(names), 3),
            "latency_ms": latency.figures(counts, latencies_s),
        }


def _cores(
    before: Mapping[int, float], after: Mapping[int, float], watching: Sequence[int], lasted: float
) -> dict[str, float]:
    """Processor time a second: of the watch processes, of this one, which simulates the cameras
    and supervises, and of the others."""
    spent = {pid: seconds - before.get(pid, 0.0) for pid, seconds in after.items()}
    whose = {"watch": 0.0, "simulator": 0.0, "others": 0.0}
    for pid, seconds in spent.items():
        kind = "watch" if pid in watching else "simulator" if pid == os.getpid() else "others"
        whose[kind] += seconds / lasted
    return whose
