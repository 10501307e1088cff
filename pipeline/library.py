"""The whole pipeline as an object, for programs and for the command line."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from pipeline import instance
from pipeline.bus.subscribe import subscribe, subscribe_async
from pipeline.config import Config
from pipeline.configfile import read_config, validate
from pipeline.errors import BusError, VigilError
from pipeline.health import CameraState, CameraStatus
from pipeline.redact import redact, url_secrets
from pipeline.store import Store
from pipeline.supervisor import Infos, Spec, Supervisor, WorkerStatus
from pipeline.types import Event
from pipeline.workers.link import Order

logger = logging.getLogger(__name__)

T = TypeVar("T")

START_S = 20.0
"""So long the embedded Redis may take to answer."""
CLOCK_SKEW = timedelta(minutes=2)
POLL_S = 0.5
"""How often a waiting `events` looks whether a worker has failed."""


@dataclass(frozen=True)
class Status:
    """A running pipeline at one moment; `problems` are sentences about what does not work."""

    cameras: Mapping[str, CameraStatus]
    workers: Mapping[str, WorkerStatus]
    problems: tuple[str, ...]


class Pipeline:
    """Watches cameras in worker processes and yields their events.

    Use it as a context manager, plain or async. It installs no signal handlers and leaves
    logging alone; everything it logs goes to loggers below `pipeline`.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        sources: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        """A pipeline from a configuration, or from `sources` (camera key -> address).

        `settings` are further keys of streams.yaml in plain values, such as
        `redis="redis://127.0.0.1"` or `data="/var/lib/vigil"`.

        Raises:
            ConfigError: a setting is wrong; the message names the key.
        """
        if (config is None) == (sources is None):
            raise TypeError("give either a configuration or sources")
        if config is None:
            cameras = {key: {"source": source} for key, source in (sources or {}).items()}
            config = validate({**settings, "cameras": cameras}, where="Pipeline", folder=Path.cwd())
        elif settings:
            raise TypeError("settings belong in the configuration")
        self.config = config
        self.config_path: Path | None = None
        self._lock = instance.DataLock(config.data)
        self._supervisor: Supervisor | None = None
        self._redis_url: str | None = None
        self._started = datetime.now(UTC)

    @classmethod
    def from_yaml(cls, path: Path | str) -> Self:
        """A pipeline from a streams.yaml.

        Raises:
            ConfigError: the file is missing or wrong; the message names the key and line.
        """
        pipeline = cls(read_config(path))
        pipeline.config_path = Path(path).resolve()
        return pipeline

    def start(self) -> None:
        """Start the workers and return once Redis answers; cameras open meanwhile.

        Raises:
            StoreError: the data folder cannot be used, or is in use.
            WorkerError: a worker could not start.
        """
        self._lock.acquire()
        self._started = datetime.now(UTC)
        try:
            Store.open(self.config.data).close()
            embedded = self.config.redis.get_secret_value() == "embedded"
            self._supervisor = Supervisor(plan(self.config), pass_fds=(self._lock.fd,))
            self._supervisor.start()
            if embedded:
                url = str(self._supervisor.wait_info("embedded", START_S)["url"])
            else:
                url = self.config.redis.get_secret_value()
            self._redis_url = url
            instance.announce(self._note(url, embedded))
        except BaseException:
            self.stop()
            raise

    def stop(self) -> bool:
        """Stop the workers in order: open events are ended, what is committed is published.

        Returns whether every worker ended in order and by itself.
        """
        in_order = True
        if self._supervisor is not None:
            in_order = self._supervisor.stop()
            self._supervisor = None
            instance.withdraw(self.config.data.resolve())
        self._lock.release()
        return in_order

    @property
    def redis_url(self) -> str:
        """Where events are published; may hold a password."""
        return self._running(self._redis_url)

    @property
    def finished(self) -> bool:
        """Whether every camera was a film and has ended."""
        return self._running(self._supervisor).finished

    def check(self) -> None:
        """Raises: WorkerError: a worker has failed for good."""
        failure = self._running(self._supervisor).failure
        if failure is not None:
            raise failure

    def status(self) -> Status:
        """How cameras and workers are now."""
        workers = self._running(self._supervisor).status()
        cameras = {
            key: CameraStatus(state=CameraState.CONNECTING)
            for members in self.config.watch_groups().values()
            for key in members
        }
        problems = []
        for worker in workers.values():
            if worker.heartbeat is not None:
                cameras.update(worker.heartbeat.cameras)
                if worker.heartbeat.message:
                    problems.append(worker.heartbeat.message)
        return Status(cameras, workers, tuple(problems))

    def events(self, timeout: float | None = None) -> Iterator[Event]:
        """Every version of every event since the start, as it is published.

        Ends after `timeout` seconds without one, and when all cameras were films and have ended.
        While Redis is away it waits: events are in the store meanwhile.

        Raises:
            WorkerError: a worker has failed for good.
        """
        quiet = self._quiet_watch(timeout)
        while not quiet.due():
            try:
                for event in subscribe(
                    self.redis_url, after=self._begin(), stop=quiet.due, poll_s=POLL_S
                ):
                    if self._own(event):
                        quiet.reset()
                        yield event
            except BusError as error:
                logger.warning("%s", error)
                time.sleep(POLL_S)
        if not quiet.stopped:
            self.check()

    async def events_async(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 (a quiet time, not a deadline)
    ) -> AsyncIterator[Event]:
        """As `events`, for asyncio."""
        quiet = self._quiet_watch(timeout)
        while not quiet.due():
            try:
                async for event in subscribe_async(
                    self.redis_url, after=self._begin(), stop=quiet.due, poll_s=POLL_S
                ):
                    if self._own(event):
                        quiet.reset()
                        yield event
            except BusError as error:
                logger.warning("%s", error)
                await asyncio.sleep(POLL_S)
        if not quiet.stopped:
            self.check()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.stop)

    def _own(self, event: Event) -> bool:
        """Others may publish to the same Redis."""
        return (
            event.site == self.config.site
            and event.camera in self.config.cameras
            and event.updated_at >= self._started
        )

    def _begin(self) -> str:
        """The stream entry to read after; its ids begin with the server's clock, which may be
        behind this machine's."""
        return f"{int((self._started - CLOCK_SKEW).timestamp() * 1000)}-0"

    def _quiet_watch(self, timeout: float | None) -> _Quiet:
        supervisor = self._running(self._supervisor)
        return _Quiet(timeout, supervisor)

    def _running(self, value: T | None) -> T:
        if value is None:
            raise VigilError("The pipeline is not running; use it in a `with` statement.")
        return value

    def _note(self, url: str, embedded: bool) -> instance.Instance:
        holds_secret = bool(url_secrets(url)) or redact(url) != url
        return instance.Instance(
            pid=os.getpid(),
            data=str(self.config.data.resolve()),
            site=self.config.site,
            config=None if self.config_path is None else str(self.config_path),
            redis=None if holds_secret else url,
            started=datetime.now(UTC),
        )


class _Quiet:
    """Decides when a subscription is over: quiet for too long, a failure, or nothing to come."""

    DRAIN_S = 2.0
    """After the last film's end, events still in the store are on their way for so long."""

    def __init__(self, timeout: float | None, supervisor: Supervisor) -> None:
        self._timeout = timeout
        self._supervisor = supervisor
        self.reset()

    @property
    def stopped(self) -> bool:
        """Whether the pipeline was stopped meanwhile, from another thread."""
        return self._supervisor.stopping

    def reset(self) -> None:
        self._since = time.monotonic()

    def due(self) -> bool:
        quiet = time.monotonic() - self._since
        if self._supervisor.stopping or self._supervisor.failure is not None:
            return True
        if self._supervisor.finished and quiet > self.DRAIN_S:
            return True
        return self._timeout is not None and quiet > self._timeout


def plan(config: Config) -> list[Spec]:
    """The workers of an installation and what each is told."""

    def order(name: str, **options: Any) -> Callable[[Infos], Order]:
        return lambda infos: Order(name=name, config=config, options=options)

    def publish_order(infos: Infos) -> Order:
        url = infos["embedded"]["url"] if embedded else config.redis.get_secret_value()
        return Order(name="publish", config=config, options={"redis": url})

    embedded = config.redis.get_secret_value() == "embedded"
    specs = [
        Spec("watch", f"watch-{group}", order(f"watch-{group}", cameras=cameras), stop_s=2.0)
        for group, cameras in config.watch_groups().items()
    ]
    if config.describer is not None:
        specs.append(Spec("judge", "judge", order("judge"), tier=1, stop_s=0.8))
    needs = ("embedded",) if embedded else ()
    specs.append(Spec("publish", "publish", publish_order, needs=needs, tier=2, stop_s=1.2))
    if embedded:
        folder = str(config.data / "redis")
        specs.append(
            Spec("embedded", "embedded", order("embedded", folder=folder), tier=3, stop_s=0.9)
        )
    return specs
