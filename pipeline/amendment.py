"""What can be said of an event: its amendments, which `store.amend` alone folds in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from pipeline.types import Scene, SceneImage, Severity, Size, TrackBox, Verdict, Wire


class EventCreated(Wire):
    """Amendment that begins an event.

    `scene` is what a model shall be asked, within `judge_within_s` seconds of now; None where no
    model is configured or none is wanted.
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


class EventUpdated(Wire):
    """Amendment: the happening goes on, with more tracks, a stronger finding or a new sentence."""

    kind: Literal["updated"] = "updated"
    tracks: tuple[TrackBox, ...]
    scores: Mapping[str, float]
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


Amendment = Annotated[
    EventCreated | EventUpdated | EventJudged | EventEnded, Field(discriminator="kind")
]
