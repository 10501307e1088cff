"""What a supervisor knows of each worker: what it shall do, and how it does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pipeline.child import Child
from pipeline.endings import Ending
from pipeline.health import (
    CameraState,
    CameraStatus,
    Cause,
    Heartbeat,
    Statuses,
    WorkerHealth,
)
from pipeline.restarts import PATIENT, Policy, Restarts
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
    """Where no worker of its kind can be kept running nothing else may go on; others are tried
    again later."""
    silent_s: float = 30.0
    """Once it is ready, a heartbeat that is missing for so long means that it hangs."""
    policy: Policy = PATIENT
    subjects: tuple[str, ...] = ()
    """The keys of the cameras that it works for alone."""
    split: Callable[[Ending], Sequence[Spec]] | None = None
    """Asked after each end that was nobody's wish: the workers to go on with, the first of which
    takes this one's place under its name; none where it goes on as it is."""


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
    ending: Ending | None = None
    """Why the present process is about to end, if that is known before it has."""
    predecessor: Ending | None = None
    """How the last process ended that was ready, until its successor has been told."""
    start_at: float | None = 0.0
    ended_at: datetime | None = None
    """When its last process ended."""
    restarts: Counter[Cause] = field(default_factory=Counter)
    history: Restarts = field(init=False)
    failure: str | None = None
    trouble: str | None = None
    """Why it does not run at present, if it is being given a rest."""
    misinformed: bool = False
    """It was asked to stop, to be told something else."""

    def __post_init__(self) -> None:
        self.history = Restarts(self.spec.policy)

    def order(self) -> Order:
        """The order of a process that is about to be started."""
        order = self.spec.order(self.told)
        if self.predecessor is None:
            return order
        predecessor = self.predecessor.for_successor()
        return order.model_copy(update={"options": {**order.options, "predecessor": predecessor}})

    def begins(self, now: float) -> None:
        """A process is started now."""
        self.heard, self.start_at, self.ending = now, None, None
        self.failure, self.misinformed, self.finished = None, False, False

    def offspring(self, spec: Spec) -> Post:
        """One that takes over a part of what this one did."""
        heartbeat = narrowed(self.heartbeat, spec)
        return Post(spec, heartbeat=heartbeat, predecessor=self.predecessor)

    def becomes(self, spec: Spec) -> None:
        """Go on as something smaller."""
        self.spec, self.history = spec, Restarts(spec.policy)
        self.heartbeat = narrowed(self.heartbeat, spec)

    def status(self) -> WorkerStatus:
        return WorkerStatus(
            pid=self.child.pid if self.child else None,
            ready=self.ready,
            restarts=self.restarts.total(),
            heartbeat=self.heartbeat,
        )

    @property
    def busy(self) -> bool:
        """Whether it has work that is worth waiting for."""
        return self.heartbeat is not None and self.heartbeat.busy and self.trouble is None

    @property
    def lost(self) -> bool:
        """Whether it does not run, and no rest has helped."""
        return not self.ready and self.history.hopeless


def narrowed(heartbeat: Heartbeat | None, spec: Spec) -> Heartbeat | None:
    """What of a heartbeat is about the subjects of `spec`."""
    if heartbeat is None:
        return None
    cameras = {key: camera for key, camera in heartbeat.cameras.items() if key in spec.subjects}
    return heartbeat.model_copy(update={"cameras": cameras})


def films_over(posts: Iterable[Post]) -> bool:
    """Whether every watch worker has nothing left to do, but those that cannot do it."""
    watches = [post for post in posts if post.spec.kind == "watch"]
    return any(post.finished for post in watches) and all(
        post.finished or post.lost for post in watches
    )


def statuses_of(posts: Mapping[str, Post]) -> Statuses:
    """How cameras and workers are, and what does not work, as the workers told last."""
    cameras: dict[str, CameraStatus] = {}
    problems = []
    for post in posts.values():
        if post.trouble is not None:
            problems.append(post.trouble)
        cameras |= _cameras(post)
        if post.heartbeat is not None and post.heartbeat.message:
            problems.append(post.heartbeat.message)
    workers = {
        name: WorkerHealth(
            ready=post.ready,
            cameras=post.spec.subjects,
            detector=None if post.heartbeat is None else post.heartbeat.detector,
            restarts=dict(post.restarts),
        )
        for name, post in posts.items()
    }
    return Statuses(
        at=datetime.now(UTC), cameras=cameras, problems=tuple(problems), workers=workers
    )


def _cameras(post: Post) -> Mapping[str, CameraStatus]:
    told = {} if post.heartbeat is None else post.heartbeat.cameras
    if post.finished or (post.child is not None and post.ready):
        return told
    away: dict[str, Any] = {
        "state": CameraState.CONNECTING,
        "message": f"Worker {post.spec.name} is being started again.",
        "since": post.ended_at,
        # What is dead does nothing any more.
        "looks_per_s": 0.0,
        "latency_ms": None,
        "activity": None,
        "wanted_per_s": None,
        "allowed_per_s": None,
    }
    if post.trouble is not None:
        away |= {"state": CameraState.ERROR, "message": post.trouble}
        unseen = {key: CameraStatus(state=CameraState.ERROR) for key in post.spec.subjects}
        told = {**unseen, **told}
    return {key: camera.model_copy(update=away) for key, camera in told.items()}
