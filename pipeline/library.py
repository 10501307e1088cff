"""The whole pipeline as an object, for programs and for the command line."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from pipeline import instance
from pipeline.amendment import Amendment, CameraBack, EventEnded
from pipeline.bus.stream import stream_now
from pipeline.bus.subscribe import subscribe, subscribe_async
from pipeline.config import Config
from pipeline.configfile import read_config, validate
from pipeline.detectors import expected_labels, known_labels, prepare
from pipeline.errors import BusError, VigilError
from pipeline.following import Following
from pipeline.health import CameraState, CameraStatus
from pipeline.plan import plan
from pipeline.posts import WorkerStatus
from pipeline.redact import redact
from pipeline.rules import make_rules
from pipeline.store import Store
from pipeline.supervisor import Supervisor
from pipeline.types import Event

PAGE_S = 30.0
"""And the page."""
START_S = 20.0
"""So long the embedded Redis may take to answer."""
POLL_S = 0.5
"""How often a waiting `events` looks whether there is reason to wait."""


@dataclass(frozen=True)
class Status:
    """A running pipeline at one moment; `problems` are sentences about what does not work.

    `page` is where the page was last, or the link by which the next browser enters.
    """

    cameras: Mapping[str, CameraStatus]
    workers: Mapping[str, WorkerStatus]
    problems: tuple[str, ...]
    page: str | None = None
    detectors: tuple[str, ...] = ()
    """What detects, and on what it runs."""


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
        `redis="redis://127.0.0.1"` or `data="/var/lib/vigil"`. With `sources` the page is not
        served unless `web={"enabled": True}` asks for it: a program may have one of its own.

        Raises:
            ConfigError: a setting is wrong; the message names the key.
        """
        if (config is None) == (sources is None):
            raise TypeError("give either a configuration or sources")
        if config is None:
            cameras = {key: {"source": source} for key, source in (sources or {}).items()}
            settings.setdefault("web", {"enabled": False})
            config = validate({**settings, "cameras": cameras}, where="Pipeline", folder=Path.cwd())
        elif settings:
            raise TypeError("settings belong in the configuration")
        self.config = config
        self.config_path: Path | None = None
        self._lock = instance.DataLock(config.data)
        self._supervisor: Supervisor | None = None
        self._begin = "0"
        self._since = datetime.now(UTC)

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
        """Start the workers and return once Redis answers; cameras open meanwhile. A detector's
        model at an address is downloaded first, once.

        Raises:
            ConfigError: a key of `detector` is wrong for this machine, a label is unknown to the
                detector, or a rule of the user's own cannot be had.
            WeightsError: the detector's model cannot be had, or is not the one that was meant.
            StoreError: the data folder cannot be used, or is in use.
            WorkerError: a worker could not start.
        """
        if self._supervisor is not None:
            raise VigilError("The pipeline is running already.")
        prepare(self.config.detector)
        labels = expected_labels(self.config.detector)
        for key, camera in self.config.cameras.items():
            if camera.enabled:
                make_rules(key, camera)
                if labels is not None:
                    known_labels(key, camera, labels)
        self._lock.acquire()
        try:
            with Store.open(self.config.data) as store:
                self._since = store.clock.now()
                self._end_forgotten(store)
            supervisor = Supervisor(plan(self.config, run=uuid4().hex), pass_fds=(self._lock.fd,))
            supervisor.start()
            self._supervisor = supervisor
            if self._embedded:
                supervisor.wait_info("embedded", START_S)
            self._begin = stream_now(self.redis_url)
            self._announce()
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
        """Where events are published now; may hold a password."""
        supervisor = self._running()
        if self._embedded:
            return str(supervisor.info("embedded")["url"])
        return self.config.redis.get_secret_value()

    def page_url(self) -> str | None:
        """The address of the page, once it is served; the one-time link where it needs one. None
        if no page is wanted.

        Raises:
            WorkerError: it cannot be served, such as where its port is in use.
        """
        if not self.config.web.enabled:
            return None
        return str(self._running().wait_info("web", PAGE_S)["url"])

    @property
    def finished(self) -> bool:
        """Whether every camera was a film and has ended, and the clips of its events are made."""
        return self._running().finished

    def check(self) -> None:
        """Raises: WorkerError: a worker has failed for good."""
        failure = self._running().failure
        if failure is not None:
            raise failure

    def status(self) -> Status:
        """How cameras and workers are now."""
        supervisor = self._running()
        statuses = supervisor.statuses()
        cameras = {
            key: CameraStatus(state=CameraState.CONNECTING)
            for members in self.config.watch_groups().values()
            for key in members
        }
        page = supervisor.info("web").get("url") if self.config.web.enabled else None
        detectors = {worker.detector for worker in statuses.workers.values() if worker.detector}
        return Status(
            {**cameras, **statuses.cameras},
            supervisor.status(),
            statuses.problems,
            page,
            tuple(sorted(detectors)),
        )

    def events(self, timeout: float | None = None) -> Iterator[Event]:
        """Every version of every event since the start, as it is published.

        Ends after `timeout` seconds without one, when all cameras were films and have ended, and
        when the pipeline is stopped. While Redis is away it waits: events are in the store then.

        Raises:
            WorkerError: a worker has failed for good.
        """
        following = Following(self._running(), timeout)
        while not following.over():
            url = self.redis_url
            try:
                for event in subscribe(
                    url,
                    after=self._begin,
                    since=self._since,
                    stop=self._stop(following, url),
                    poll_s=POLL_S,
                ):
                    if self._own(event) and following.is_new(event):
                        yield event
            except BusError as error:
                following.failed(error)
                time.sleep(POLL_S)
        following.check()

    async def events_async(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 (a quiet time, not a deadline)
    ) -> AsyncIterator[Event]:
        """As `events`, for asyncio."""
        following = Following(self._running(), timeout)
        while not following.over():
            url = self.redis_url
            try:
                async for event in subscribe_async(
                    url,
                    after=self._begin,
                    since=self._since,
                    stop=self._stop(following, url),
                    poll_s=POLL_S,
                ):
                    if self._own(event) and following.is_new(event):
                        yield event
            except BusError as error:
                following.failed(error)
                await asyncio.sleep(POLL_S)
        following.check()

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

    @property
    def _embedded(self) -> bool:
        return self.config.redis.get_secret_value() == "embedded"

    def _stop(self, following: Following, url: str) -> Callable[[], bool]:
        """Whether a subscription to `url` is over: nothing more to come, or the server moved."""

        def stop() -> bool:
            if following.over():
                return True
            if self.redis_url == url:
                return False
            self._announce()
            return True

        return stop

    def _own(self, event: Event) -> bool:
        """Others may publish to the same Redis."""
        return event.site == self.config.site and event.camera in self.config.cameras

    def _end_forgotten(self, store: Store) -> None:
        """End what goes on of cameras that nobody watches any more."""
        watched = {key for keys in self.config.watch_groups().values() for key in keys}
        now = store.clock.now()
        for camera in store.cameras_with_open_events() - watched:
            for event in store.open_events(camera):
                ended = max(event.updated_at, event.started)
                over: Amendment = EventEnded(ended=ended, reason="restarted")
                if event.of_camera:
                    name = event.camera_name[:1].upper() + event.camera_name[1:]
                    over = CameraBack(ended=ended, rule_reason=f"{name} is not watched any more.")
                store.amend(event.id, over, now=now)
        store.cameras.forget(watched, "It is not watched any more.")

    def _running(self) -> Supervisor:
        if self._supervisor is None:
            raise VigilError("The pipeline is not running; use it in a `with` statement.")
        return self._supervisor

    def _announce(self) -> None:
        """Leave the note by which `vigil subscribe` finds this pipeline."""
        url = self.redis_url
        instance.announce(
            instance.Instance(
                pid=os.getpid(),
                data=str(self.config.data.resolve()),
                site=self.config.site,
                config=None if self.config_path is None else str(self.config_path),
                redis=None if redact(url) != url else url,
                started=datetime.now(UTC),
            )
        )
