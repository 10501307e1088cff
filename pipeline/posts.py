"""What a supervisor knows of each worker: what it shall do, and how it does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pipeline.child import Child
from pipeline.health import CameraState, CameraStatus, Heartbeat, Statuses
from pipeline.workers.link import Order

Infos = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Spec:
    """A worker to be run.

    `order` makes its order from what the ready workers named in `needs` have told; when one of
    those comes back with other news, this one is started anew. Workers stop tier by tier, lowest
    first, each tier within its `stop_s`.
    """

    kind: str
    name: str
    order: Callable[[Infos], Order]
    needs: tuple[str, ...] = ()
    tier: int = 0
    stop_s: float = 2.0
    informed: bool = False
    """It is told how all workers are, once a second."""
    essential: bool = True
    """Where it cannot be kept running nothing else may go on; others are tried again later."""


@dataclass(frozen=True)
class WorkerStatus:
    """A worker as its supervisor knows it."""

    pid: int | None
    ready: bool
    restarts: int
    heartbeat: Heartbeat | None


@dataclass
class Post:
    """One worker, over as many processes as it takes."""

    spec: Spec
    child: Child | None = None
    ready: bool = False
    finished: bool = False
    info: Mapping[str, Any] = field(default_factory=dict)
    told: Infos = field(default_factory=dict)
    heartbeat: Heartbeat | None = None
    heard: float = 0.0
    start_at: float | None = 0.0
    restarts: int = 0
    crashes: deque[float] = field(default_factory=deque)
    failure: str | None = None
    trouble: str | None = None
    """Why it does not run at present, if it is being given a rest."""
    misinformed: bool = False
    """It was asked to stop, to be told something else."""


def statuses_of(posts: Mapping[str, Post]) -> Statuses:
    """How the cameras are, and what does not work, as the workers told last."""
    cameras: dict[str, CameraStatus] = {}
    problems = []
    for name, post in posts.items():
        if post.trouble is not None:
            problems.append(post.trouble)
        heartbeat = post.heartbeat
        if heartbeat is None:
            continue
        silent = post.child is None or not post.ready
        if not silent or post.finished:
            cameras.update(heartbeat.cameras)
        else:
            message = f"Worker {name} is being started again."
            away = {"state": CameraState.CONNECTING, "message": message}
            cameras |= {
                key: camera.model_copy(update=away) for key, camera in heartbeat.cameras.items()
            }
        if heartbeat.message:
            problems.append(heartbeat.message)
    return Statuses(at=datetime.now(UTC), cameras=cameras, problems=tuple(problems))
