"""What is measured of a running pipeline while it watches simulated cameras."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from pipeline.bench import latency
from pipeline.bench.busy_film import BusyFilm
from pipeline.bench.processes import busy_seconds, cpu_seconds, memory_mb
from pipeline.health import CameraStatus
from pipeline.library import Pipeline
from pipeline.simulate import Sent, SimulatedCameras

POLL_S = 0.25
STATUS_AGE_S = 0.4
"""A status is so old on average: workers tell theirs about twice a second."""
MEMORY_EVERY = 8
"""Memory is looked at with each so many polls."""


@dataclass(slots=True)
class _Active:
    """For how long somebody walked in a camera's picture, and the looks meanwhile."""

    seconds: float = 0.0
    looks: int = 0


@dataclass(slots=True)
class Seen:
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
