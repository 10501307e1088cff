"""From what rules find to what the store keeps."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from pipeline.amendment import (
    Amendment,
    EventCreated,
    EventEnded,
    EventUpdated,
    Footage,
    Leading,
)
from pipeline.clock import HostClock
from pipeline.config import Config, Record
from pipeline.describers import template
from pipeline.errors import StoreError
from pipeline.fusion.score import rule_contributions
from pipeline.geometry import clipped_fractions
from pipeline.incidents import Action, Close, Open, Update
from pipeline.protocols import Media
from pipeline.scenes import make_scene
from pipeline.types import Finding, Polygon, Scene, Size, Track, TrackBox, View
from pipeline.workers.look import Look

logger = logging.getLogger(__name__)


def amendment_of(
    config: Config, action: Action, look: Look, media: Media | None
) -> tuple[str, Amendment]:
    """The event that an action of a look concerns, by id, and the amendment it makes of it.

    Pictures go to `media`; without one, or without the look's frame, the event has none.
    """
    match action:
        case Open():
            return action.incident_id, created(config, action, look, media)
        case Update():
            return action.incident_id, updated(config, action, look, media)
        case Close(incident_id=event_id, at=at, reason=reason):
            return event_id, EventEnded(ended=at, reason=reason)


def created(config: Config, opened: Open, look: Look, media: Media | None) -> EventCreated:
    """The amendment that begins an event, its pictures stored in `media`, if there are any.

    Pictures that cannot be stored are missing in the event; they never hold it up. A model is not
    asked about what nobody is told of: what has too many events would keep it from the others.
    """
    finding, view = opened.finding, look.view
    scene = _scene(opened.incident_id, finding, look, media)
    camera = config.cameras[view.camera]
    rule = camera.rules[finding.rule]
    started = wall_time(view, finding.started)
    announced = opened.silence is None
    return EventCreated(
        camera=view.camera,
        camera_name=view.camera_name,
        site=config.site,
        rule=finding.rule,
        severity=opened.severity or rule.severity,
        scores=rule_contributions(finding),
        rule_reason=finding.rule_reason,
        question=finding.question,
        description=template.sentence(view, finding),
        described_by=template.NAME,
        tracks=track_boxes(finding.tracks, view.size),
        frame_size=view.size,
        zone=finding.zone,
        started=started,
        images=scene.images,
        scene=_asked(config, rule.verify == "model" and announced, scene),
        judge_within_s=_judge_within_s(config),
        footage=footage(
            camera.record,
            started,
            view.captured_at,
            camera.masks,
            HostClock.of(view.captured_at, view.monotonic),
            view.turns,
        ),
        rules=opened.rules,
        announced=announced,
    )


def footage(
    record: Record,
    started: datetime,
    found: datetime,
    masks: tuple[Polygon, ...] = (),
    clock: HostClock | None = None,
    turns: int = 0,
) -> Footage | None:
    """What the clip of an event shall hold that began at `started` and was `found` later, as by
    a rule that waits, in pictures turned by `turns`, and hide by `masks`; None where none is
    wanted.

    Its beginning is in the clip, unless it is so long ago that the moment it was found would not
    be: then as much as leaves half of the clip for what came after.
    """
    if not record.clips:
        return None
    earliest = found - timedelta(seconds=record.longest_s / 2)
    return Footage(
        begin=max(started, earliest) - timedelta(seconds=record.pre_roll_s),
        found=found,
        post_roll_s=record.post_roll_s,
        longest_s=record.longest_s,
        annotated=record.annotated,
        clock=clock,
        masks=masks,
        turns=turns,
    )


def updated(config: Config, update: Update, look: Look, media: Media | None) -> EventUpdated:
    """The amendment that says what is new; pictures as in `created`, where it is as at a
    beginning."""
    finding = update.finding
    return EventUpdated(
        tracks=track_boxes(finding.tracks, look.view.size),
        scores=rule_contributions(finding),
        rule_reason=finding.rule_reason,
        leading=_leading(config, update, look, media) if update.anew else None,
        rules=update.rules,
        announced=update.announced,
    )


def _leading(config: Config, update: Update, look: Look, media: Media | None) -> Leading:
    finding, view = update.finding, look.view
    rule = config.cameras[view.camera].rules[finding.rule]
    # Those from the beginning stay: they may be under a judge's eyes.
    scene = _scene(update.incident_id, finding, look, media, prefix=f"{finding.rule}-")
    return Leading(
        rule=finding.rule,
        severity=update.severity or rule.severity,
        zone=finding.zone,
        question=finding.question,
        description=template.sentence(view, finding),
        described_by=template.NAME,
        images=scene.images,
        scene=_asked(config, rule.verify == "model" and update.announced, scene),
        judge_within_s=_judge_within_s(config),
    )


def _scene(
    event_id: str, finding: Finding, look: Look, media: Media | None, prefix: str = ""
) -> Scene:
    """The pictures of a finding and what goes with them; without any where none can be stored,
    which the judge will say."""
    facts = template.facts(look.view, finding)
    if media is not None and look.frame is not None:
        try:
            return make_scene(event_id, look.frame, look.view, finding, facts, media, prefix=prefix)
        except StoreError as error:
            logger.warning("Event %s has no pictures: %s", event_id, error)
    return Scene(
        event_id=event_id,
        camera=look.view.camera,
        images=(),
        facts=facts,
        question=finding.question,
    )


def _judge_within_s(config: Config) -> float:
    return 60.0 if config.describer is None else config.describer.deadline_s


def wall_time(view: View, monotonic: float) -> datetime:
    """The wall-clock time of a `monotonic` moment near the view."""
    return view.captured_at - timedelta(seconds=view.monotonic - monotonic)


def track_boxes(tracks: tuple[Track, ...], size: Size) -> tuple[TrackBox, ...]:
    """Tracks as events hold them: boxes in fractions of the picture."""
    return tuple(
        TrackBox(
            id=track.id,
            label=track.label,
            confidence=track.detection.confidence,
            box=clipped_fractions(track.detection.box, size),
        )
        for track in tracks
    )


def _asked(config: Config, wanted: bool, scene: Scene) -> Scene | None:
    """What goes to the model: nothing without one, and no more pictures than it shall get."""
    if config.describer is None or not wanted:
        return None
    return scene.model_copy(update={"images": scene.images[: config.describer.pictures]})
