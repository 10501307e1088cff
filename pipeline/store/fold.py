"""An event and an amendment become the event's next version: a pure function."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pipeline.amendment import (
    Amendment,
    CameraBack,
    CameraLost,
    EventClipFailed,
    EventClipReady,
    EventCreated,
    EventEnded,
    EventJudged,
    EventUpdated,
)
from pipeline.errors import AmendmentError
from pipeline.store.states import Trigger, next_state, trigger_of
from pipeline.types import Event, EventType, Outcome, State, TrackBox, combined_score

Change = (
    EventUpdated
    | EventJudged
    | EventClipReady
    | EventClipFailed
    | EventEnded
    | CameraLost
    | CameraBack
)
"""What can happen to an event that there is."""
NO_ANSWER = "model_error"
"""The state's reason where a describer gave no answer and no code either."""


def fold(event: Event | None, event_id: str, amendment: Amendment, now: datetime) -> Event:
    """The event after an amendment, one version on; the very same event where nothing changes.

    Raises:
        AmendmentError: the event cannot take this amendment (see `states`), or a contribution to
            the score is not a finite number.
    """
    state = next_state(event, event_id, amendment)
    if state is None:
        assert event is not None
        return event
    if isinstance(amendment, EventCreated):
        return _created(event_id, amendment, state, now)
    if event is None:
        assert isinstance(amendment, CameraLost)
        return _lost(event_id, amendment, state, now)
    changes = _changes(event, amendment)
    if state == event.state and all(getattr(event, key) == new for key, new in changes.items()):
        return event
    return Event.model_validate(
        {
            **dict(event),
            **changes,
            "state": state,
            "version": event.version + 1,
            "type": _type(amendment),
            "updated_at": now,
        }
    )


def _created(event_id: str, amendment: EventCreated, state: State, now: datetime) -> Event:
    taken = {
        key: value
        for key, value in amendment
        if key in Event.model_fields and key not in {"kind", "scores"}
    }
    return Event(
        **taken,
        **_scored(event_id, {}, amendment.scores),
        id=event_id,
        version=1,
        type=EventType.CREATED,
        state=state,
        updated_at=now,
    )


def _lost(event_id: str, amendment: CameraLost, state: State, now: datetime) -> Event:
    """That a camera is away is seen, not estimated: nothing is added up to a score."""
    return Event(
        id=event_id,
        version=1,
        type=amendment.type,
        camera=amendment.camera,
        camera_name=amendment.camera_name,
        site=amendment.site,
        rule=amendment.type.value,
        severity=amendment.severity,
        score=1.0,
        scores={},
        state=state,
        rule_reason=amendment.rule_reason,
        question="",
        description=amendment.rule_reason,
        described_by="template",
        tracks=(),
        frame_size=(0, 0),
        started=amendment.started,
        updated_at=now,
    )


def _type(amendment: Change) -> EventType:
    match amendment:
        case CameraLost():
            return amendment.type
        case CameraBack():
            return EventType.CAMERA_ONLINE
    return EventType(amendment.kind)


def _changes(event: Event, amendment: Change) -> dict[str, Any]:
    match amendment:
        case CameraLost():
            return {"rule_reason": amendment.rule_reason, "rule": amendment.type.value}
        case CameraBack():
            return {"rule_reason": amendment.rule_reason, "ended": amendment.ended}
        case EventUpdated():
            return _updated(event, amendment)
        case EventJudged():
            return {
                **_judged(amendment),
                **_scored(event.id, event.scores, amendment.scores),
            }
        case EventClipReady(clip=clip):
            name = "annotated_clip" if clip.annotated else "clip"
            return {name: clip, "clip_reason": None, "clip_error": None}
        case EventClipFailed():
            return {"clip_reason": amendment.reason, "clip_error": amendment.error}
        case EventEnded():
            return {"ended": amendment.ended}


def _updated(event: Event, amendment: EventUpdated) -> dict[str, Any]:
    known = event.scores
    changes: dict[str, Any] = {
        "tracks": _joined(event.tracks, amendment.tracks),
        "rule_reason": amendment.rule_reason,
        "rules": amendment.rules or event.rules,
        "announced": event.announced or amendment.announced,
    }
    leading = amendment.leading
    if leading is not None and leading.severity.rank >= event.severity.rank:
        changes |= {
            "rule": leading.rule,
            "severity": leading.severity,
            "zone": leading.zone,
            "question": leading.question,
            "images": leading.images or event.images,
        }
        if trigger_of(event, amendment) in (Trigger.ASKED_ANEW, Trigger.LED_ANEW):
            # An answer to another question says nothing of this one.
            known = {name: value for name, value in known.items() if name != "model"}
            changes |= {
                "description": leading.description,
                "described_by": leading.described_by,
                **dict.fromkeys(("state_reason", "judge_reason", "probability", "judged_by")),
            }
    return changes | _scored(event.id, known, _strongest(known, amendment.scores))


def _judged(amendment: EventJudged) -> dict[str, Any]:
    verdict = amendment.verdict
    changes: dict[str, Any] = {}
    if verdict.outcome is Outcome.UNAVAILABLE:
        changes |= {
            "state_reason": verdict.error_code or NO_ANSWER,
            "judge_reason": verdict.judge_reason or verdict.error,
        }
    else:
        # What was answered stands beside the answer, and the reason of an earlier silence goes.
        changes |= {
            "state_reason": None,
            "question": verdict.question,
            "probability": verdict.probability,
            "judge_reason": verdict.judge_reason,
            "judged_by": verdict.model,
        }
    if verdict.description is not None:
        changes |= {"description": verdict.description, "described_by": verdict.model}
    return changes


def _joined(known: tuple[TrackBox, ...], seen: tuple[TrackBox, ...]) -> tuple[TrackBox, ...]:
    """All tracks by id, the newest box of each, in the order of their first appearance."""
    tracks = {track.id: track for track in known}
    tracks.update((track.id, track) for track in seen)
    return tuple(tracks.values())


def _strongest(known: Mapping[str, float], seen: Mapping[str, float]) -> dict[str, float]:
    """What was seen at its clearest: a later, poorer look at a happening does not weaken it."""
    return {name: max(value, known.get(name, value)) for name, value in seen.items()}


def _scored(
    event_id: str, known: Mapping[str, float], added: Mapping[str, float]
) -> dict[str, Any]:
    for name, contribution in added.items():
        if not math.isfinite(contribution):
            raise AmendmentError(
                f"Event {event_id}: the contribution of {name!r} to the score is {contribution}, "
                "which is not a finite number."
            )
    scores = {**known, **added}
    return {"scores": scores, "score": combined_score(scores)}
