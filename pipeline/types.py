"""The vocabulary: values that pass between stages (frozen dataclasses) and between processes
(frozen pydantic models).

Coordinates are pixels of the frame in float, origin at the upper left, unless a name says
fraction. `captured_at` is wall-clock UTC and for people; `monotonic` is seconds that never run
backwards and for logic; `pts` is the stream's own presentation time in seconds and for media.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from fractions import Fraction as Ratio
from typing import Annotated, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Image = NDArray[np.uint8]
"""A picture: uint8, height x width x 3, channels blue green red."""

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Size = tuple[int, int]
"""(width, height) in pixels."""


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

    def bgr(self, size: Size) -> Image:
        """The picture scaled to `size` (width, height)."""
        ...


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture of a camera. It never leaves the process that decoded it.

    `discontinuity` is true on the first frame after an opening, a reconnection or a jump of the
    presentation times: what was tracked before must not be joined to what comes now.
    """

    camera: str
    index: int
    captured_at: datetime
    monotonic: float
    pts: float
    size: Size
    picture: Picture
    discontinuity: bool = False

    def image(self, size: Size | None = None) -> Image:
        """The picture as a read-only array, scaled to `size` (width, height) if given."""
        image = self.picture.bgr(size or self.size)
        image.flags.writeable = False
        return image


@dataclass(frozen=True, slots=True)
class EncodedStream:
    """What must be known of a camera's stream to keep its packets.

    `codec` is FFmpeg's name (h264, hevc, mjpeg), `time_base` the seconds of one tick of its
    packets' times, `header` all that a container says of the stream; see `pipeline.encoded`.
    """

    codec: str
    size: Size
    time_base: Ratio
    header: bytes
    pixel_format: str | None = None


@dataclass(frozen=True, slots=True)
class EncodedPacket:
    """One packet as the camera sent it, in decoding order.

    `pts`, `dts` and `duration` are ticks of the stream's time base, None where the stream gives
    none. `time` is the presentation time in seconds, on the same clock as `Frame.pts`, and
    `captured_at` the wall-clock time of the frame it becomes. `discontinuity` is true on the first
    packet of a stream and where the times jump: what came before must not be joined to it.
    """

    data: bytes
    pts: int | None
    dts: int | None
    duration: int | None
    keyframe: bool
    time: float
    captured_at: datetime
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
    """One line of a track log: what was tracked in the frame of presentation time `time`."""

    time: float
    captured_at: datetime
    tracks: tuple[LoggedTrack, ...]


@dataclass(frozen=True, slots=True)
class Detection:
    """One object in one frame; confidence 0..1."""

    label: str
    confidence: float
    box: Box
    embedding: NDArray[np.float32] | None = None


class PathPoint(NamedTuple):
    """Where a track's foot was, and when."""

    monotonic: float
    x: float
    y: float


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


@dataclass(frozen=True, slots=True)
class Zone:
    """A named region of the picture; `polygon` in fractions 0..1 of its width and height."""

    key: str
    name: str
    polygon: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class View:
    """What a rule sees of one moment. `captured_at` is in the site's time zone, for sentences.

    `period_s` is how many seconds lie between two looks lately: rules that wait for something to
    end wait longer where looks are rare (`continuity.patient`).
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


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule finds to hold at this moment; rules repeat it in every view while it holds.

    `strength` 0..1 is how far beyond its limit the rule is; `evidence` holds the numbers behind
    `rule_reason`, a sentence for people; `question` is what a model would be asked, answerable
    by Yes or No.
    """

    rule: str
    tracks: tuple[Track, ...]
    zone: str | None
    started: float
    rule_reason: str
    strength: float
    evidence: Mapping[str, float]
    question: str


class Wire(BaseModel):
    """Base of what crosses processes: immutable, and a wrong key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Severity(StrEnum):
    INFO = "info"
    NOTICE = "notice"
    ALERT = "alert"


class State(StrEnum):
    """What is known of an event's truth; see `store.states` for how it changes."""

    DETECTED = "detected"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    UNSURE = "unsure"
    UNVERIFIED = "unverified"
    UNJUDGED = "unjudged"


class EventType(StrEnum):
    """What a version of an event tells."""

    CREATED = "created"
    UPDATED = "updated"
    JUDGED = "judged"
    CLIP_READY = "clip_ready"
    CLIP_FAILED = "clip_failed"
    ENDED = "ended"


class ClipReason(StrEnum):
    """Why an event has no clip, or not all of it."""

    DISK_FULL = "disk_full"
    NOT_RECORDED = "not_recorded"
    """No video of that time was kept: the camera was away, or recording was paused."""
    UNPLAYABLE = "unplayable"
    """What the camera sent can be neither copied nor decoded."""
    ATTEMPTS = "attempts"
    """Cutting it has ended its worker as often as is allowed."""


class Outcome(StrEnum):
    YES = "yes"
    NO = "no"
    UNSURE = "unsure"
    UNAVAILABLE = "unavailable"


class TrackBox(Wire):
    """A track in an event. `box` is x1, y1, x2, y2 in fractions 0..1 of the picture."""

    id: int
    label: str
    confidence: Fraction
    box: tuple[Fraction, Fraction, Fraction, Fraction]


class SceneImage(Wire):
    """A stored picture: `role` is what it shows, `key` finds it through `pipeline.media`."""

    role: Literal["frame", "crop"]
    key: str
    width: int
    height: int
    caption: str


class Clip(Wire):
    """The film of an event; its files are found by key through `pipeline.media`.

    `start` and `end` are when its first and last pictures were taken, `pre_roll_s` how many
    seconds of it lie before the event's start. `codec` is FFmpeg's name; a raw clip that had to
    be encoded anew is `transcoded`. `whole` is false of a first cut, made while the event goes on,
    and of one that lacks some of what was asked for. `contact_sheet`
    shows the key moments in one picture; `timeline` is a JSON file that holds what was tracked at
    which second of it.
    """

    key: str
    annotated: bool = False
    codec: str
    width: int
    height: int
    duration_s: float = Field(ge=0)
    start: AwareDatetime
    end: AwareDatetime
    pre_roll_s: float
    transcoded: bool = False
    whole: bool = True
    poster: str | None = None
    contact_sheet: str | None = None
    timeline: str | None = None


class Scene(Wire):
    """What a describer is given: the very pictures, the facts in words, and one question."""

    event_id: str
    camera: str
    images: tuple[SceneImage, ...]
    facts: tuple[str, ...]
    question: str


class Verdict(Wire):
    """A describer's answer.

    `probability` is that of Yes among Yes and No; `mass` is how much of the model's whole
    probability lay on Yes and No together (both None where the model does not give them);
    `outcome` is `unavailable` when there is no answer, and `error` then says why.
    """

    outcome: Outcome
    question: str
    probability: Fraction | None = None
    calibrated: bool = False
    mass: Fraction | None = None
    answers: tuple[str, ...] = ()
    description: str | None = None
    judge_reason: str | None = None
    model: str
    prompt_version: str
    tokens: int = 0
    latency_s: float = 0.0
    error: str | None = None
    error_code: str | None = None


class Event(Wire):
    """One happening at one camera, as known at `version`; every version is a whole snapshot.

    `scores` maps evidence to its contribution in log-odds; `score` is the logistic of their sum
    (see `combined_score`). `frame_size` is (width, height) in pixels of the picture the boxes
    were found in. `judged_by` and `described_by` name who answered `question` and who wrote
    `description`: backend and model, or `template`. `clip` is the camera's own video,
    `annotated_clip` the same with what was tracked drawn in; while there is none, `clip_reason`
    is a code for why, if it is known, and `clip_error` a sentence.
    """

    id: str
    version: int = Field(ge=1)
    type: EventType
    camera: str
    camera_name: str
    site: str
    rule: str
    severity: Severity
    score: Fraction
    scores: Mapping[str, float]
    state: State
    state_reason: str | None = None
    rule_reason: str
    judge_reason: str | None = None
    question: str
    probability: Fraction | None = None
    judged_by: str | None = None
    description: str
    described_by: str
    tracks: tuple[TrackBox, ...]
    frame_size: Size
    zone: str | None = None
    started: AwareDatetime
    ended: AwareDatetime | None = None
    updated_at: AwareDatetime
    images: tuple[SceneImage, ...] = ()
    clip: Clip | None = None
    annotated_clip: Clip | None = None
    clip_reason: ClipReason | None = None
    clip_error: str | None = None


class MarkKind(StrEnum):
    """What an operator says of an event; `missed` says that one should have been there."""

    REAL = "real"
    FALSE = "false"
    MISSED = "missed"


class Mark(Wire):
    """What an operator said, once. Marks are only added and undone, never changed: of an event's
    marks `real` and `false` the newest that is not undone holds.

    `at` is the moment it is about: the event's start, or when something was missed.
    """

    id: int
    kind: MarkKind
    camera: str
    event_id: str | None = None
    at: AwareDatetime
    note: str | None = None
    created_at: AwareDatetime
    undone_at: AwareDatetime | None = None


def combined_score(scores: Mapping[str, float]) -> float:
    """The logistic of the summed log-odds in `scores`: a probability 0..1."""
    total = math.fsum(scores.values())
    if total >= 0:
        return 1.0 / (1.0 + math.exp(-total))
    odds = math.exp(total)
    return odds / (1.0 + odds)
