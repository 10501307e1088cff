"""What people read on the page, made of what the store holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from pipeline.health import CameraState, CameraStatus, Gap, Period, Statuses
from pipeline.types import ClipReason, Event, EventType, Mark, MarkKind, Severity, State
from pipeline.web.site import STALE_S, Site
from pipeline.wording import duration, plain_cause

MAKING_S = 600.0
"""A clip that is not there so long after its event will not come by itself."""

STATES = {
    State.DETECTED: "waiting for the model",
    State.CONFIRMED: "the model says yes",
    State.REJECTED: "the model says no",
    State.UNSURE: "the model is unsure",
    State.UNVERIFIED: "not verified",
    State.UNJUDGED: "by rules",
}
SEVERITIES = {Severity.INFO: "info", Severity.NOTICE: "notice", Severity.ALERT: "alert"}
MARKS = {MarkKind.REAL: "marked real", MarkKind.FALSE: "marked false", MarkKind.MISSED: "missed"}
SILENCES = {
    "capped": "the camera had too many within an hour",
    "cooldown": "the rule was cooling down",
}
_CLIPS = {
    ClipReason.DISK_FULL: "disk full",
    ClipReason.NOT_RECORDED: "no video was kept",
    ClipReason.UNPLAYABLE: "the video cannot be played",
    ClipReason.ATTEMPTS: "it could not be made",
}
_REASONS = {
    "deadline": "no answer in time",
    "queue_full": "the model had too much to do",
    "judge_down": "the model was not running",
    "model_unavailable": "the model is not there",
    "model_reply": "the model answered something else",
    "no_pictures": "there are no pictures",
}
_VERSIONS = {
    EventType.CREATED: "found",
    EventType.UPDATED: "updated",
    EventType.JUDGED: "judged",
    EventType.CLIP_READY: "clip ready",
    EventType.CLIP_FAILED: "clip failed",
    EventType.ENDED: "ended",
    EventType.CAMERA_OFFLINE: "offline",
    EventType.CAMERA_FROZEN: "frozen",
    EventType.CAMERA_ONLINE: "back",
}
_EVIDENCE = {
    "prior": "where one begins",
    "rule": "how clearly the rule holds",
    "detector": "how sure the detector is",
    "model": "the model's answer",
}


@dataclass(frozen=True, slots=True)
class Contribution:
    """A part of a score in log-odds; `width` 0..100 of half a bar."""

    name: str
    value: float
    width: float


@dataclass(frozen=True, slots=True)
class CameraView:
    """How a camera is: `state` is its class for the eye, `word` and `sentence` for reading."""

    key: str
    name: str
    state: str
    word: str
    sentence: str | None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class EventView:
    """An event as a card or page shows it; media as paths below the page's root, None if absent."""

    event: Event
    started: datetime
    seconds: float | None
    state: str
    reason: str | None
    severity: str
    score: str
    mark: Mark | None
    mark_text: str | None
    poster: str | None
    clip: str | None
    annotated: str | None
    captions: str | None
    sheet: str | None
    images: tuple[tuple[str, str], ...]
    clip_text: str | None
    contributions: tuple[Contribution, ...]
    also: tuple[str, ...]
    """The rules that took part beside the leading one."""


def event_view(site: Site, event: Event, mark: Mark | None, now: datetime) -> EventView:
    """How an event looks now."""

    def there(key: str | None, role: str) -> str | None:
        if key is None or not _kept(site, key):
            return None
        # Another content of the same role has another address: browsers cache clips for long.
        return f"/media/{event.id}/{role}?v={event.version if role == 'captions' else _tag(key)}"

    raw = None if event.clip is None or event.clip.restricted else event.clip.key
    clip = there(raw, "clip")
    annotated = there(event.annotated_clip.key if event.annotated_clip else None, "annotated")
    timeline = event.clip.timeline if event.clip else None
    sheet = event.annotated_clip.contact_sheet if event.annotated_clip else None
    images = tuple(
        (path, image.caption)
        for number, image in enumerate(event.images)
        if (path := there(image.key, f"image-{number}")) is not None
    )
    poster = there(event.clip.poster if event.clip else None, "poster")
    return EventView(
        event=event,
        started=event.started.astimezone(site.tz),
        seconds=None if event.ended is None else (event.ended - event.started).total_seconds(),
        state=STATES[event.state],
        reason=_REASONS.get(event.state_reason or "", event.state_reason),
        severity=SEVERITIES[event.severity],
        score=f"{event.score:.0%}",
        mark=mark,
        mark_text=None if mark is None else MARKS[mark.kind],
        # The whole view with what it is about outlined says more than a frame of the clip.
        poster=images[0][0] if images else poster,
        clip=clip,
        annotated=annotated,
        captions=there(timeline, "captions"),
        sheet=there(sheet, "sheet"),
        images=images,
        clip_text=clip_text(event, (clip or annotated) is not None, now),
        contributions=contributions(event),
        also=tuple(dict.fromkeys(part.rule for part in event.rules if part.rule != event.rule)),
    )


def clip_text(event: Event, there: bool, now: datetime) -> str | None:
    """Why there is no clip to play, or None if there is one and nothing failed."""
    if event.of_camera:
        return None
    if there:
        if event.clip_reason is not None and event.annotated_clip is None:
            return f"annotated clip unavailable: {_CLIPS[event.clip_reason]}"
        return None
    restricted = event.clip is not None and event.clip.restricted
    if (event.annotated_clip if restricted else event.clip) is not None:
        return "clip no longer kept"
    if event.clip_reason is not None:
        return f"clip unavailable: {_CLIPS[event.clip_reason]}"
    if event.ended is None or (now - event.ended).total_seconds() < MAKING_S:
        return "the clip is being made"
    return "no clip"


def contributions(event: Event) -> tuple[Contribution, ...]:
    """What makes up the score, the largest first."""
    most = max((abs(value) for value in event.scores.values()), default=0.0) or 1.0
    ordered = sorted(event.scores.items(), key=lambda pair: -abs(pair[1]))
    return tuple(
        Contribution(_EVIDENCE.get(name, name), value, round(100 * abs(value) / most, 1))
        for name, value in ordered
    )


def versions_view(versions: Sequence[Event], tz: tzinfo | None) -> list[dict[str, Any]]:
    """An event's history, for people."""
    return [
        {
            "number": version.version,
            "at": version.updated_at.astimezone(tz),
            "what": _VERSIONS[version.type],
            "score": f"{version.score:.0%}",
            "state": STATES[version.state],
        }
        for version in versions
    ]


def cameras_view(site: Site, now: datetime) -> list[CameraView]:
    """How the cameras are that are watched, or were."""
    statuses = site.statuses()
    return [_camera(key, name, statuses, now) for key, name in site.cameras.items()]


def _camera(key: str, name: str, statuses: Statuses | None, now: datetime) -> CameraView:
    if statuses is None:
        return CameraView(key, name, "off", "not watched now", None)
    status = statuses.cameras.get(key)
    if status is None or (now - statuses.at).total_seconds() > STALE_S:
        return CameraView(key, name, "unknown", "unknown", None)
    state, word, sentence = _how(status)
    return CameraView(key, name, state, word, plain_cause(sentence, key), status.since)


def _how(status: CameraStatus) -> tuple[str, str, str | None]:
    word = status.state.value.replace("_", " ")
    if status.state is CameraState.LIVE:
        if status.recording is not None:
            return "trouble", "live, not recording", status.recording
        return "live", word, None
    if status.state in (CameraState.CONNECTING, CameraState.ENDED, CameraState.STOPPED):
        return "waiting", word, status.message
    return "away", word, status.message


@dataclass(frozen=True, slots=True)
class PeriodView:
    """A state of a camera, or a gap, for people; it goes on where `ended` is None."""

    began: datetime
    ended: datetime | None
    length: str
    state: str
    cause: str | None


def period_views(
    periods: Sequence[Period | Gap], tz: tzinfo | None, now: datetime
) -> list[PeriodView]:
    """How a camera was, for people."""
    return [
        PeriodView(
            began=period.began.astimezone(tz),
            ended=None if period.ended is None else period.ended.astimezone(tz),
            length=duration(max(0.0, ((period.ended or now) - period.began).total_seconds())),
            state=period.state.value.replace("_", " "),
            cause=plain_cause(period.cause, period.camera),
        )
        for period in periods
    ]


def day_span(day: date, tz: tzinfo | None) -> tuple[datetime, datetime]:
    """A day of the site's, as moments."""
    begin = datetime.combine(day, time()).replace(tzinfo=tz).astimezone(UTC)
    end = datetime.combine(day + timedelta(days=1), time()).replace(tzinfo=tz).astimezone(UTC)
    return begin, end


def _kept(site: Site, key: str) -> bool:
    try:
        site.media.path(key)
    except KeyError:
        return False
    return True


def _tag(key: str) -> str:
    return key.rpartition("/")[2].partition(".")[0]
