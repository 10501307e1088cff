"""A camera that is kept open for as long as it is wanted."""

from __future__ import annotations

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

from pipeline.errors import SourceError, SourceRefused
from pipeline.health import CameraState
from pipeline.protocols import PacketSink
from pipeline.redact import shown
from pipeline.sources.address import is_film
from pipeline.sources.opened import OpenedSource
from pipeline.sources.opening import DEFAULTS, open_source
from pipeline.sources.options import SourceOptions
from pipeline.sources.timing import Clock
from pipeline.types import Frame

logger = logging.getLogger(__name__)

OnState = Callable[[CameraState, str | None], None]
Call = Callable[[str], AbstractContextManager[None]]
"""Is entered around each native call, which is named `open`, `read` or `close`."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before the next attempt, in seconds.

    A refused account waits longer from the start: cameras lock accounts that keep trying.
    """

    first_s: float = 0.5
    longest_s: float = 10.0
    refused_first_s: float = 15.0
    refused_longest_s: float = 120.0
    stable_s: float = 60.0
    """After so long a time of pictures the count of attempts begins anew."""

    def delay_s(self, attempt: int, *, refused: bool, chance: float) -> float:
        """The wait before attempt number `attempt` (1 is the first repetition).

        `chance` in 0..1 shortens it to between half and all, so that cameras lost together do
        not come back all at once.
        """
        first = self.refused_first_s if refused else self.first_s
        longest = self.refused_longest_s if refused else self.longest_s
        # the exponent is bounded because a float overflows after a thousand attempts
        wait = min(longest, first * 2.0 ** min(attempt - 1, 32))
        return wait * (0.5 + 0.5 * chance)


class Reconnecting:
    """Frames of a camera for as long as it is wanted, over as many connections as it takes.

    A live stream that ends or fails is opened again after a wait. A film, on disk or over HTTP,
    is read once: its end is the end, and a failure ends it too, since reading it again from the
    start would repeat its events.

    `on_state` is told each change of the camera's state with a sentence or None, in the thread
    that reads; `LIVE` comes with the first frame, not with the connection. `stop` interrupts a
    wait at once. `packets` gets what each connection sends. `wait(seconds)` and `chance()` (0..1)
    are there for tests, and `call` for whoever watches over calls that do not return.
    """

    def __init__(
        self,
        camera: str,
        address: str,
        *,
        stop: threading.Event,
        on_state: OnState,
        backoff: Backoff | None = None,
        opener: Callable[[], OpenedSource] | None = None,
        clock: Clock | None = None,
        wait: Callable[[float], object] | None = None,
        chance: Callable[[], float] = random.random,
        packets: PacketSink | None = None,
        options: SourceOptions = DEFAULTS,
        call: Call = lambda _: nullcontext(),
    ) -> None:
        self._camera = camera
        self._address = address
        self._stop = stop
        self._on_state = on_state
        self._call = call
        self._backoff = backoff or Backoff()
        self._clock = clock or Clock()
        self._opener = opener or (
            lambda: open_source(
                camera, address, options=options, clock=self._clock, packets=packets
            )
        )
        self._wait = wait or stop.wait
        self._chance = chance
        self._live = not is_film(address)
        self._source: OpenedSource | None = None
        self._state: tuple[CameraState, str | None] | None = None
        self._idle = False
        self._wishes = threading.Lock()
        self._dropped: Counter[str] = Counter()
        self._index = 0
        self._newest = 0.0
        self._attempts = 0

    @property
    def live(self) -> bool:
        """Whether frames cannot be had again; true of an HTTP address until it has been opened."""
        return self._live

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know of how it is read now, in sentences."""
        source = self._source
        return () if source is None else tuple(source.notes)

    @property
    def dropped(self) -> Mapping[str, int]:
        """Cause -> frames or packets not handed over, over all connections."""
        source = self._source
        # Copied first, which nothing can interrupt: the reading thread goes on counting, and
        # adding two counters steps through them.
        now = dict(source.dropped) if source is not None else {}
        return Counter(dict(self._dropped)) + Counter(now)

    def idle(self, idle: bool) -> None:
        """Say, in any thread, whether keyframes are enough for now, over all connections; each
        begins with all pictures all the same."""
        with self._wishes:
            self._idle = idle
            if self._source is not None:
                self._source.idle(idle)

    def frames(self) -> Iterator[Frame]:
        """Frames with one running `index` over all connections; raises no `SourceError`.

        The first frame of each connection has `discontinuity` set. Ends when a film has ended or
        failed, or soon after `stop` is set.
        """
        self._tell(CameraState.CONNECTING)
        while not self._stop.is_set():
            failure: SourceError | None = None
            try:
                yield from self._one_connection()
            except SourceError as error:
                failure = error
            if self._stop.is_set():
                break
            self._tell_end(failure)
            if not self._live:
                return
            self._back_off(failure)
        self._tell(CameraState.STOPPED)

    def close(self) -> None:
        """Stop; a `frames` that waits in another thread ends soon after."""
        self._stop.set()
        source = self._source
        if source is not None:
            source.close()

    def _one_connection(self) -> Iterator[Frame]:
        with self._call("open"):
            source = self._opener()
        self._live = source.live
        with self._wishes:
            self._source = source
            source.idle(self._idle)
        first: float | None = None
        try:
            for frame in self._read(source):
                if first is None:
                    first = frame.monotonic
                    self._tell(CameraState.LIVE)
                elif frame.monotonic - first >= self._backoff.stable_s:
                    self._attempts = 0
                # a camera may send once more what it had sent before the connection broke
                self._newest = max(self._newest, frame.monotonic)
                yield replace(frame, index=self._index, monotonic=self._newest)
                self._index += 1
                if self._stop.is_set():
                    source.close()  # ends the loop
        finally:
            with self._call("close"):
                source.close()
            self._source = None
            self._dropped.update(dict(source.dropped))

    def _read(self, source: OpenedSource) -> Iterator[Frame]:
        frames = iter(source.frames())
        while True:
            with self._call("read"):
                frame = next(frames, None)
            if frame is None:
                return
            yield frame

    def _tell_end(self, failure: SourceError | None) -> None:
        if failure is not None:
            self._tell(CameraState(failure.cause), str(failure))
        elif self._live:
            self._tell(
                CameraState.CONNECTING,
                f"Camera {self._camera}: {shown(self._address)} ended the stream; reconnecting.",
            )
        else:
            self._tell(CameraState.ENDED)

    def _back_off(self, failure: SourceError | None) -> None:
        self._attempts += 1
        refused = isinstance(failure, SourceRefused)
        self._wait(self._backoff.delay_s(self._attempts, refused=refused, chance=self._chance()))

    def _tell(self, state: CameraState, message: str | None = None) -> None:
        if (state, message) == self._state:
            return
        self._state = (state, message)
        if message is not None:
            logger.warning("%s", message)
        self._on_state(state, message)
