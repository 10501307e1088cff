"""`vigil run`, and the loop that `vigil demo` shares with it."""

from __future__ import annotations

import logging
import queue
import sys
import threading
import time
from dataclasses import dataclass
from getpass import getuser
from logging.handlers import RotatingFileHandler
from pathlib import Path
from socket import gethostname
from typing import Annotated
from urllib.parse import urlsplit

import typer
from pydantic import ValidationError

from pipeline.cli import app
from pipeline.cli.table import Display, Every
from pipeline.config import Config, Web
from pipeline.errors import ConfigError, SourceError, VigilError, WorkerError
from pipeline.health import CameraState, CameraStatus
from pipeline.library import Pipeline, Status
from pipeline.redact import redact
from pipeline.types import Event, EventType, State

VLM_HINT = (
    "Rules only: no vision-language model. To add one: "
    "`describer: {model: FOLDER, ID OR SERVER ADDRESS}` in streams.yaml."
)
STEP_S = 0.2
PLAIN_EVERY_S = 10.0
LOG_BYTES = 5_000_000
LISTEN_HELP = "Serve the page on this address too; browsers then enter by a one-time link."


@dataclass
class Summary:
    """What a run came to."""

    cameras: int = 0
    frames: int = 0
    detections: int = 0
    events: int = 0
    first_event_s: float | None = None
    judged: int = 0
    clips: int = 0
    in_order: bool = False


class _Follower:
    """Reads the pipeline's events in a thread of its own, so that the display never waits."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._inbox: queue.SimpleQueue[Event | VigilError] = queue.SimpleQueue()
        self._pipeline = pipeline
        self._thread = threading.Thread(target=self._read, name="events", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for event in self._pipeline.events():
                self._inbox.put(event)
        except VigilError as error:
            self._inbox.put(error)

    @property
    def done(self) -> bool:
        """Whether there is nothing more to come."""
        return not self._thread.is_alive()

    def new(self) -> list[Event]:
        """The versions that came since the last call; raises what ended the stream."""
        found: list[Event] = []
        while True:
            try:
                item = self._inbox.get_nowait()
            except queue.Empty:
                return found
            if isinstance(item, VigilError):
                raise item
            found.append(item)


class Runner:
    """Runs a pipeline with a display until Ctrl-C, the end of its films, or a number of seconds."""

    def __init__(self, pipeline: Pipeline, display: Display, seconds: float | None) -> None:
        self._pipeline, self._display, self._seconds = pipeline, display, seconds
        self._live_at: float | None = None
        self._frames = _Total()
        self._detections = _Total()
        self._filmed: set[str] = set()
        self._page: str | None = None
        self.summary = Summary(cameras=len(pipeline.config.cameras))

    def run(self) -> Summary:
        """Raises: VigilError: a worker failed for good."""
        try:
            with self._display:
                self._loop(_Follower(self._pipeline))
        except KeyboardInterrupt:
            pass
        finally:
            self.summary.in_order = self._pipeline.stop()
        self.summary.frames = self._frames.value
        self.summary.detections = self._detections.value
        return self.summary

    def _loop(self, follower: _Follower) -> None:
        until = None if self._seconds is None else time.monotonic() + self._seconds
        plain = Every(PLAIN_EVERY_S)
        pause = threading.Event()
        while until is None or time.monotonic() < until:
            self._pipeline.check()
            status = self._pipeline.status()
            self._count(status)
            for event in follower.new():
                self._take(event)
            if status.page not in (None, self._page):
                # It has moved, or a browser has entered and the next one needs another link.
                self._page = status.page
                self._display.page(page_notes(status.page))
            self._display.status(status)
            if plain.due() and not sys.stderr.isatty():
                sys.stderr.write(self._display.counts_line(status) + "\n")
            if self._pipeline.finished and follower.done:
                # Its end came after the last events, which may have come since they were taken.
                for event in follower.new():
                    self._take(event)
                unread = [c for c in status.cameras.values() if c.state is not CameraState.ENDED]
                if unread and len(unread) == len(status.cameras):
                    raise SourceError(unread[0].message or "No camera could be read.")
                return
            pause.wait(STEP_S)

    def _count(self, status: Status) -> None:
        for key, camera in status.cameras.items():
            self._frames.take(key, camera.frames)
            self._detections.take(key, camera.detections)
            if camera.state is CameraState.LIVE and self._live_at is None:
                self._live_at = _live_since(camera)

    def _take(self, event: Event) -> None:
        self._display.event(event)
        if event.type is EventType.CREATED:
            self.summary.events += 1
            if self.summary.first_event_s is None and self._live_at is not None:
                first = max(0.0, event.updated_at.timestamp() - self._live_at)
                self.summary.first_event_s = round(first, 2)
        if event.clip is not None:
            self._filmed.add(event.id)
            self.summary.clips = len(self._filmed)
        # The first answer stands, so each event is counted once.
        answered = event.state in (State.CONFIRMED, State.REJECTED, State.UNSURE)
        self.summary.judged += event.type is EventType.JUDGED and answered


def _live_since(camera: CameraStatus) -> float:
    return camera.live_since.timestamp() if camera.live_since is not None else time.time()


class _Total:
    """Sums counters that begin again at zero when their worker is started again."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._before = 0

    def take(self, key: str, count: int) -> None:
        last = self._last.get(key, 0)
        if count < last:
            self._before += last
        self._last[key] = count

    @property
    def value(self) -> int:
        return self._before + sum(self._last.values())


def log_to(file: Path | None) -> None:
    """Send the pipeline's log to a file, or to standard error."""
    handler: logging.Handler = (
        logging.StreamHandler()
        if file is None
        else RotatingFileHandler(file, maxBytes=LOG_BYTES, backupCount=2, encoding="utf-8")
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("pipeline")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def page_notes(url: str) -> list[str]:
    """Where the page is, and who gets in."""
    parts = urlsplit(url)
    if parts.path.strip("/"):
        return [f"Page: {url} (lets one browser in; then the next link stands here)"]
    tunnel = f"ssh -L {parts.port}:{parts.hostname}:{parts.port} {getuser()}@{gethostname()}"
    return [
        f"Page: {url} (open to everybody on this machine, to nobody else)",
        f"    from another machine: {tunnel}, then open the same address there",
    ]


def with_listen(config: Config, listen: str | None) -> Config:
    """The configuration with the page on another address. Raises: ConfigError: it is none."""
    if listen is None:
        return config
    check_listen(listen)
    web = config.web.model_copy(update={"enabled": True, "listen": listen})
    return config.model_copy(update={"web": web})


def check_listen(listen: str) -> None:
    """Raises: ConfigError: it is no address."""
    try:
        Web(listen=listen)
    except ValidationError as error:
        raise ConfigError(f"--listen: {error.errors()[0]['ctx']['error']}.") from None


@app.command()
def run(
    config: Annotated[Path, typer.Argument(help="The streams.yaml to run.")] = Path("streams.yaml"),
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Stop by itself after so many seconds.")
    ] = None,
    listen: Annotated[str | None, typer.Option(help=LISTEN_HELP, metavar="ADDRESS")] = None,
) -> None:
    """Watch the cameras of a streams.yaml until Ctrl-C."""
    pipeline = Pipeline.from_yaml(config)
    pipeline.config = with_listen(pipeline.config, listen)
    # Ctrl-C before the runner has it ends the workers, too.
    with pipeline:
        log_to(pipeline.config.data / "vigil.log" if sys.stderr.isatty() else None)
        notes = [f"Events: {redact(pipeline.redis_url)}, or `vigil subscribe`. Ctrl-C stops."]
        if pipeline.config.describer is None:
            notes.append(VLM_HINT)
        summary = Runner(pipeline, Display(notes, pipeline.config.tz()), seconds).run()
    if not summary.in_order:
        raise WorkerError("run", "Not every worker ended in order; see the log for which.")
