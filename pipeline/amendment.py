"""What can be said of an event: its amendments, which `store.amend` alone folds in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from pipeline.clock import HostClock
from pipeline.types import (
    Clip,
    ClipReason,
    EventRule,
    EventType,
    Polygon,
    Scene,
    SceneImage,
    Severity,
    Size,
    TrackBox,
    Verdict,
    Wire,
)


class Footage(Wire):
    """What of the camera's video an event wants to keep.

    The clip begins at `begin` and ends `post_roll_s` after the event, but is cut when it is
    `longest_s` long; a first one ends `post_roll_s` after the event was `found`. All moments are
    on the camera's clock, `captured_at`, as the host's `clock` was set then, whatever it was set to
    since. It is `annotated` too, or not; always where the camera has `masks`, which lie in pictures
    that were turned by `turns` quarter turns, counter-clockwise.
    """

    begin: AwareDatetime
    found: AwareDatetime
    post_roll_s: float = Field(ge=0)
    longest_s: float = Field(gt=0)
    annotated: bool = True
    clock: HostClock | None = None
    masks: tuple[Polygon, ...] = ()
    turns: int = 0


class EventCreated(Wire):
    """Amendment that begins an event.

    `scene` is what a model shall be asked, within `judge_within_s` seconds of now; None where no
    model is configured or none is wanted. `footage` is what its clip shall hold; None where no
    clips are wanted.
    """

    kind: Literal["created"] = "created"
    camera: str
    camera_name: str
    site: str
    rule: str
    severity: Severity
    scores: Mapping[str, float]
    rule_reason: str
    question: str
    description: str
    described_by: str
    tracks: tuple[TrackBox, ...]
    frame_size: Size
    zone: str | None
    started: AwareDatetime
    images: tuple[SceneImage, ...]
    scene: Scene | None = None
    judge_within_s: float = Field(default=60.0, gt=0)
    footage: Footage | None = None
    rules: tuple[EventRule, ...] = ()
    announced: bool = True


class Leading(Wire):
    """What an event is about from now on: its leading rule, and what goes with that.

    `images` take the place of those before, if there are any. `scene` and `judge_within_s` are as
    in `EventCreated`.
    """

    rule: str
    severity: Severity
    zone: str | None
    question: str
    description: str
    described_by: str
    images: tuple[SceneImage, ...] = ()
    scene: Scene | None = None
    judge_within_s: float = Field(default=60.0, gt=0)


class EventUpdated(Wire):
    """Amendment: the happening goes on, with more tracks or rules, a stronger finding or a new
    sentence.

    `leading` is given where a more severe rule leads from now on, or where nobody was told of the
    event before. `rules` are all that took part, or none where that is not news. Once `announced`,
    an event stays so.
    """

    kind: Literal["updated"] = "updated"
    tracks: tuple[TrackBox, ...]
    scores: Mapping[str, float]
    rule_reason: str
    leading: Leading | None = None
    rules: tuple[EventRule, ...] = ()
    announced: bool = False


class CameraLost(Wire):
    """Amendment: a camera is away or frozen; begins an event, or says what else became of it."""

    kind: Literal["camera_lost"] = "camera_lost"
    type: Literal[EventType.CAMERA_OFFLINE, EventType.CAMERA_FROZEN]
    camera: str
    camera_name: str
    site: str
    severity: Severity
    rule_reason: str
    started: AwareDatetime


class CameraBack(Wire):
    """Amendment: a camera is live again since `ended`."""

    kind: Literal["camera_back"] = "camera_back"
    ended: AwareDatetime
    rule_reason: str


class EventJudged(Wire):
    """Amendment: a model has answered, or it is known why it has not."""

    kind: Literal["judged"] = "judged"
    verdict: Verdict
    scores: Mapping[str, float]


class EventEnded(Wire):
    """Amendment: the happening is over since `ended`; `reason` is a code."""

    kind: Literal["ended"] = "ended"
    ended: AwareDatetime
    reason: Literal["quiet", "discontinuity", "stopped", "restarted"]


class EventClipReady(Wire):
    """Amendment: a clip plays; unless `final`, a longer one follows when the event is over."""

    kind: Literal["clip_ready"] = "clip_ready"
    clip: Clip
    final: bool = True


class EventClipFailed(Wire):
    """Amendment: there is no clip, or no annotated one; it is tried again unless `final`.

    `error` is a sentence for people.
    """

    kind: Literal["clip_failed"] = "clip_failed"
    reason: ClipReason
    error: str
    annotated: bool = False
    final: bool = True


Amendment = Annotated[
    EventCreated
    | EventUpdated
    | EventJudged
    | EventClipReady
    | EventClipFailed
    | EventEnded
    | CameraLost
    | CameraBack,
    Field(discriminator="kind"),
]
