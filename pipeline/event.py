"""Values that cross processes: frozen pydantic models. An event, what is known of it, its media."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from pipeline.frames import Size

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class Wire(BaseModel):
    """Base of what crosses processes: immutable, and a wrong key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Severity(StrEnum):
    """How much an event matters, as the configuration says; part of its Pub/Sub channel."""

    INFO = "info"
    NOTICE = "notice"
    ALERT = "alert"

    @property
    def rank(self) -> int:
        """0 for the least."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


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
    CAMERA_OFFLINE = "camera.offline"
    CAMERA_FROZEN = "camera.frozen"
    CAMERA_ONLINE = "camera.online"


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
    """What a describer answered to the question; `unavailable` if it gave no answer."""

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


class EventRule(Wire):
    """A rule that took part in an event: since when, and its own sentence."""

    rule: str
    zone: str | None = None
    severity: Severity
    started: AwareDatetime
    rule_reason: str


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
    and of one that lacks some of what was asked for. A raw clip that shows what privacy masks hide
    is `restricted`: for administrators alone. `contact_sheet` shows the key moments in one picture;
    `timeline` is a JSON file that holds what was tracked at which second of it.
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
    restricted: bool = False
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

    `rule`, `severity`, `zone`, `question` and `rule_reason` are those of the leading rule: the most
    severe one that took part, of several the first. `rules` are all of them (empty in events of
    earlier versions). An event that is not `announced` is kept, and on the page, but nobody was
    told of it: the camera had too many, or the rule was cooling down.

    That a camera is away or frozen is an event too: its `rule` is `camera.offline` or
    `camera.frozen`, it has no tracks, pictures or clip, `frame_size` is (0, 0), `question` is
    empty and `score` 1, since it is seen and not estimated.
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
    rules: tuple[EventRule, ...] = ()
    announced: bool = True

    @property
    def of_camera(self) -> bool:
        """Whether it is about the camera itself, and not about what it saw."""
        return "." in self.rule  # which no rule of a user's can have in its name


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
