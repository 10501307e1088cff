"""Amendments to make events of, for tests."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline.amendment import (
    CameraBack,
    CameraLost,
    EventClipFailed,
    EventClipReady,
    EventCreated,
    EventEnded,
    EventJudged,
    EventUpdated,
    Footage,
    Leading,
)
from pipeline.types import (
    Clip,
    ClipReason,
    EventType,
    Outcome,
    Scene,
    SceneImage,
    Severity,
    TrackBox,
    Verdict,
)

NOW = datetime(2026, 11, 5, 2, 14, 7, 250_000, tzinfo=UTC)
ROOT = Path(__file__).resolve().parent.parent


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def track(number: int, left: float = 0.25) -> TrackBox:
    return TrackBox(id=number, label="person", confidence=0.8, box=(left, 0.25, 0.5, 0.75))


def scene(event_id: str = "e1") -> Scene:
    return Scene(
        event_id=event_id,
        camera="back-door",
        images=(picture(),),
        facts=("A person has stood there for 42 s.",),
        question="Does a person linger at the door?",
    )


def picture() -> SceneImage:
    return SceneImage(role="frame", key="e1/frame.jpg", width=640, height=480, caption="02:14")


def created(**changes: Any) -> EventCreated:
    values: dict[str, Any] = {
        "camera": "back-door",
        "camera_name": "the back door",
        "site": "shop",
        "rule": "lingers",
        "severity": Severity.ALERT,
        "scores": {"rule": 0.5},
        "rule_reason": "A person has stood at the back door for 42 s (limit 30 s), 02:14.",
        "question": "Does a person linger at the door?",
        "description": "A person stands at the back door.",
        "described_by": "template",
        "tracks": (track(1),),
        "frame_size": (640, 480),
        "zone": "step",
        "started": NOW,
        "images": (picture(),),
    }
    return EventCreated(**(values | changes))


def asked(event_id: str = "e1", **changes: Any) -> EventCreated:
    """As `created`, with a model to be asked within 60 seconds."""
    return created(scene=scene(event_id), **changes)


def updated(**changes: Any) -> EventUpdated:
    values: dict[str, Any] = {
        "tracks": (track(2),),
        "scores": {"detector": 0.75},
        "rule_reason": "Two people have stood at the back door for 60 s (limit 30 s), 02:14.",
    }
    return EventUpdated(**(values | changes))


def leading(**changes: Any) -> Leading:
    """That somebody has fallen leads from now on."""
    values: dict[str, Any] = {
        "rule": "falls",
        "severity": Severity.ALERT,
        "zone": None,
        "question": "Does a person lie on the ground?",
        "description": "A person lies at the back door.",
        "described_by": "template",
    }
    return Leading(**(values | changes))


def judged(outcome: Outcome = Outcome.YES, **changes: Any) -> EventJudged:
    values: dict[str, Any] = {
        "outcome": outcome,
        "question": "Does a person linger at the door?",
        "model": "local tiny",
        "prompt_version": "1",
    }
    answers = {"probability": 0.9, "description": "A man in a red coat waits.", "tokens": 12}
    if outcome is Outcome.UNAVAILABLE:
        answers = {"error": "The model did not answer.", "error_code": "model_unavailable"}
    scores = changes.pop("scores", {} if outcome is Outcome.UNAVAILABLE else {"model": 1.25})
    return EventJudged(verdict=Verdict(**(values | answers | changes)), scores=scores)


def lost(**changes: Any) -> CameraLost:
    values: dict[str, Any] = {
        "type": EventType.CAMERA_OFFLINE,
        "camera": "back-door",
        "camera_name": "the back door",
        "site": "shop",
        "severity": Severity.NOTICE,
        "rule_reason": "The back door has been offline since 02:14: it stalls.",
        "started": NOW,
    }
    return CameraLost(**(values | changes))


def back(seconds: float = 90.0) -> CameraBack:
    reason = "The back door was offline for 90 s, 02:14 to 02:15: it stalls."
    return CameraBack(ended=after(seconds), rule_reason=reason)


def ended(seconds: float = 90.0) -> EventEnded:
    return EventEnded(ended=after(seconds), reason="quiet")


def footage(**changes: Any) -> Footage:
    values: dict[str, Any] = {
        "begin": after(-5),
        "found": NOW,
        "post_roll_s": 5.0,
        "longest_s": 60.0,
    }
    return Footage(**(values | changes))


def clip_ready(*, final: bool = True, **changes: Any) -> EventClipReady:
    values: dict[str, Any] = {
        "key": "events/e1/clip.mp4",
        "codec": "h264",
        "width": 640,
        "height": 480,
        "duration_s": 12.0,
        "start": after(-5),
        "end": after(7),
        "pre_roll_s": 5.0,
    }
    return EventClipReady(clip=Clip(**(values | changes)), final=final)


def clip_failed(**changes: Any) -> EventClipFailed:
    values: dict[str, Any] = {
        "reason": ClipReason.DISK_FULL,
        "error": "The disk is full; free some space on it.",
    }
    return EventClipFailed(**(values | changes))


def python(code: str, *arguments: object) -> tuple[list[str], dict[str, Any]]:
    """The command and options of a process of its own that runs `code` with these names at hand."""
    paths = [str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]
    return (
        [sys.executable, "-c", code, *map(str, arguments)],
        {"env": os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}},
    )
