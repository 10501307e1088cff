"""Values of one moment, which pass between stages: frozen dataclasses.

Coordinates are pixels of the frame in float, origin at the upper left, unless a name says
fraction. `captured_at` is wall-clock UTC and for people; `monotonic` is seconds that never run
backwards and for logic, and says when something was captured as well; `pts` is the stream's own
presentation time in seconds and for media: it only goes on too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""A picture: uint8, height x width x 3, channels blue green red."""

Luma = NDArray[np.uint8]
"""The brightness of a picture: uint8, height x width."""

Size = tuple[int, int]
"""(width, height) in pixels."""

Polygon = tuple[tuple[float, float], ...]
"""At least three points (x, y) in fractions 0..1 of a picture's width and height."""


class Box(NamedTuple):
    """An upright rectangle; (x1, y1) is the upper left corner, (x2, y2) the lower right."""

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def width(self) -> float:
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        return self.y2 - self.y1

    @property
    def foot(self) -> tuple[float, float]:
        """The middle of the lower edge: where a standing thing touches the ground."""
        return ((self.x1 + self.x2) / 2, self.y2)


class Picture(Protocol):
    """A decoded picture that is converted only when somebody looks at it."""

    def fingerprint(self) -> int:
        """A checksum of its brightness, masks or not, that pictures alike to the bit share and
        hardly any others: it shows nobody anything."""
        ...

    def bgr(self, size: Size) -> Image:
        """The picture scaled to `size` (width, height)."""
        ...

    def luma(self, size: Size) -> Luma:
        """Its brightness scaled to `size` (width, height), by means over areas; 0 where masks
        hide it."""
        ...


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture of a camera. It never leaves the process that decoded it.

    `discontinuity` is true on the first frame after an opening, a reconnection or a jump of the
    presentation times: what was tracked before must not be joined to what comes now. `keyframe` is
    true of one that was coded without reference to others, where that is known. The picture is
    upright; `turns` is by how many quarter turns, counter-clockwise, it was turned for that.
    """

    camera: str
    index: int
    captured_at: datetime
    monotonic: float
    pts: float
    size: Size
    picture: Picture
    discontinuity: bool = False
    keyframe: bool = False
    turns: int = 0

    def image(self, size: Size | None = None) -> Image:
        """The picture as a read-only array, scaled to `size` (width, height) if given."""
        image = self.picture.bgr(size or self.size)
        image.flags.writeable = False
        return image


@dataclass(frozen=True, slots=True)
class Motion:
    """What moved since the picture before: `regions` hold it, in pixels of the frame; `share` is
    how much of the picture it is, 0..1. `whole` is true where so much changed at once that it is
    light, not motion."""

    regions: tuple[Box, ...] = ()
    share: float = 0.0
    whole: bool = False

    @property
    def any(self) -> bool:
        return self.whole or bool(self.regions)


@dataclass(frozen=True, slots=True)
class EncodedStream:
    """What must be known of a camera's stream to keep its packets.

    `codec` is FFmpeg's name (h264, hevc, mjpeg), `time_base` the seconds of one tick of its
    packets' times, `header` all that a container says of the stream, but by how many quarter
    `turns`, counter-clockwise, its pictures are to be turned; see `pipeline.encoded`.
    """

    codec: str
    size: Size
    time_base: Fraction
    header: bytes
    pixel_format: str | None = None
    turns: int = 0


@dataclass(frozen=True, slots=True)
class EncodedPacket:
    """One packet as the camera sent it, in decoding order.

    `pts`, `dts` and `duration` are ticks of the stream's time base, None where the stream gives
    none. `time` is the presentation time in seconds, on the same clock as `Frame.pts`, and
    `captured_at` and `monotonic` the times of the frame it becomes. `discontinuity` is true on the
    first packet of a stream and where the times jump: what came before must not be joined to it.
    """

    data: bytes
    pts: int | None
    dts: int | None
    duration: int | None
    keyframe: bool
    time: float
    captured_at: datetime
    monotonic: float
    discontinuity: bool = False


@dataclass(frozen=True, slots=True)
class LoggedTrack:
    """A track at one look, as the track log keeps it; `box` in fractions 0..1 of the picture."""

    id: int
    label: str
    confidence: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class LoggedLook:
    """One line of a track log: what was tracked in the frame of presentation time `time`.

    `monotonic` is None of what was logged by an earlier version.
    """

    time: float
    captured_at: datetime
    tracks: tuple[LoggedTrack, ...]
    monotonic: float | None = None


@dataclass(frozen=True, slots=True)
class Detection:
    """One object in one frame; confidence 0..1.

    `embedding` says what it looks like, where the detector knows: float32, of length 1 and as many
    numbers as that model has; the cosine of two says how alike they are.
    """

    label: str
    confidence: float
    box: Box
    # Arrays have no equality that is true or false.
    embedding: NDArray[np.float32] | None = field(default=None, compare=False)


class PathPoint(NamedTuple):
    """Where a track's foot was, and when."""

    monotonic: float
    x: float
    y: float


STANDS_BELOW = 0.1
"""What is slower, in box heights a second, goes nowhere: a box trembles as much."""


@dataclass(frozen=True, slots=True)
class Track:
    """One object followed over time. `id` is unique per camera and run.

    `first_seen`, `last_seen` and `stationary_since` are `monotonic` seconds; `path` holds the
    newest foot points, oldest first, bounded; `lost` is true in the one view that reports its end.
    """

    id: int
    label: str
    detection: Detection
    first_seen: float
    last_seen: float
    path: tuple[PathPoint, ...] = ()
    stationary_since: float | None = None
    lost: bool = False
    velocity: tuple[float, float] = (0.0, 0.0)
    """Over about the last second, in box heights a second: to the right, and down."""
    dwell: Mapping[str, float] = field(default_factory=dict)
    """By zone, for how many seconds it has been inside."""
    settled: bool = False
    """It has stood there for so long that it is part of the place: rules do not speak of it."""

    @property
    def speed(self) -> float:
        """Box heights a second."""
        return math.hypot(*self.velocity)

    @property
    def direction(self) -> float | None:
        """Where it goes: degrees 0..360 clockwise, 0 up in the picture; None of what stands."""
        right, down = self.velocity
        if self.speed < STANDS_BELOW:
            return None
        return math.degrees(math.atan2(right, -down)) % 360


@dataclass(frozen=True, slots=True)
class Zone:
    """A named region of the picture; `polygon` in fractions 0..1 of its width and height."""

    key: str
    name: str
    polygon: Polygon


@dataclass(frozen=True, slots=True)
class Line:
    """A named line across the picture; `points` in fractions 0..1 of its width and height. `left`
    and `right` name what lies on its sides, as seen by somebody who goes along it."""

    key: str
    name: str
    points: Polygon
    left: str | None = None
    right: str | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What a rule sees of one moment. `captured_at` is in the site's time zone, for sentences.

    `period_s` is how many seconds lie between two looks lately: rules that wait for something to
    end wait longer where looks are rare (`continuity.patient`). `turns` is the frame's. `motion`
    is None where nobody looks for it. `broken_off` is true in the first view after the stream broke
    off, or its picture changed its size: all that was open is over, and tracks have new numbers.
    """

    camera: str
    camera_name: str
    size: Size
    captured_at: datetime
    monotonic: float
    period_s: float = 0.0
    tracks: tuple[Track, ...] = ()
    lost: tuple[Track, ...] = ()
    zones: Mapping[str, Zone] = field(default_factory=dict)
    turns: int = 0
    motion: Motion | None = None
    broken_off: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule finds to hold at this moment; rules repeat it in every view while it holds.

    `strength` 0..1 is how far beyond its limit the rule is; `evidence` holds the numbers behind
    `rule_reason`, a sentence for people; `question` is what a model would be asked, answerable
    by Yes or No. A finding of a `group` speaks of all its tracks together, as of a crowd, and not
    of the first one.
    """

    rule: str
    tracks: tuple[Track, ...]
    zone: str | None
    started: float
    rule_reason: str
    strength: float
    evidence: Mapping[str, float]
    question: str
    group: bool = False
