"""Looking at a camera once: what it sends, or why it cannot be had."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from pipeline.errors import SourceError, SourceStalled
from pipeline.redact import shown
from pipeline.sources.opened import OpenedSource
from pipeline.sources.opening import DEFAULTS, open_source
from pipeline.sources.options import SourceOptions
from pipeline.sources.timing import Clock
from pipeline.types import Frame, Size

RATE_FRAMES = 12
RATE_S = 2.0
"""The rate is measured on so many frames, or on as many as come in so many seconds."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a camera sends. `open_s` is the time to its first picture, which is `frame`."""

    camera: str
    codec: str
    size: Size
    rate: float | None
    """Frames per second, by the presentation times of the first frames."""
    live: bool
    open_s: float
    frame: Frame


@dataclass(frozen=True, slots=True)
class CameraCheck:
    """A camera as `vigil check` shows it; one of `probe` and `error` is None."""

    camera: str
    address: str
    """Without account."""
    probe: Probe | None
    error: SourceError | None

    @property
    def sentence(self) -> str:
        """One line for people: codec, size and rate, or why not."""
        if self.probe is None:
            return str(self.error)
        width, height = self.probe.size
        rate = f"{self.probe.rate:.3g} frames/s" if self.probe.rate else "rate unknown"
        return (
            f"Camera {self.camera}: {self.probe.codec}, {width}x{height}, {rate}, "
            f"first picture after {self.probe.open_s:.1f} s."
        )


def probe(
    camera: str,
    address: str,
    *,
    options: SourceOptions = DEFAULTS,
    clock: Clock | None = None,
) -> Probe:
    """Open a camera, look at its first frames and close it again.

    Raises:
        SourceError: as `open_source`; also where it opens but sends no picture.
    """
    clock = clock or Clock()
    began = clock.monotonic()
    with closing(open_source(camera, address, options=options, clock=clock)) as source:
        return _look(camera, address, source, clock, began)


def _look(camera: str, address: str, source: OpenedSource, clock: Clock, began: float) -> Probe:
    first: Frame | None = None
    open_s = 0.0
    times: list[float] = []
    for frame in source.frames():
        if first is None:
            first = frame
            open_s = clock.monotonic() - began
        times.append(frame.pts)
        if len(times) >= RATE_FRAMES or clock.monotonic() - began - open_s >= RATE_S:
            source.close()  # ends the loop
    if first is None:
        raise SourceStalled(
            f"Camera {camera}: {shown(address)} opens but ends without a picture; "
            "restart the camera if it stays so."
        )
    return Probe(
        camera=camera,
        codec=source.codec,
        size=first.size,
        rate=_measured_rate(times) or source.rate,
        live=source.live,
        open_s=open_s,
        frame=first,
    )


def _measured_rate(times: list[float]) -> float | None:
    """Frames per second by the median step, which a missing frame or a jump does not move."""
    steps = [later - earlier for earlier, later in pairwise(times)]
    step = median(steps) if steps else 0.0
    return 1 / step if step > 0 else None


def check(camera: str, address: str, *, options: SourceOptions = DEFAULTS) -> CameraCheck:
    """Probe a camera for `vigil check`; raises nothing for a camera that cannot be had."""
    found: Probe | None = None
    failure: SourceError | None = None
    try:
        found = probe(camera, address, options=options)
    except SourceError as error:
        failure = error
    return CameraCheck(camera, shown(address), found, failure)
