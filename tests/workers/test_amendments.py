"""From what rules find to what the store keeps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from handmade import BEGIN, frame, track, view

from pipeline.amendment import EventCreated, EventEnded, EventUpdated
from pipeline.config import Config
from pipeline.configfile import validate
from pipeline.incidents import Close, Open, Silence, Update
from pipeline.media import LocalMedia
from pipeline.types import Finding, Severity
from pipeline.workers.amendments import amendment_of, wall_time
from pipeline.workers.look import Look

LOOK = Look(frame(10.0), view(10.0), 1, ())


def finding(**changes: Any) -> Finding:
    values: dict[str, Any] = {
        "rule": "person",
        "tracks": (track(1, 500, 800, at=10.0),),
        "zone": None,
        "started": 5004.0,
        "rule_reason": "A person is at the back door, 02:14.",
        "strength": 0.5,
        "evidence": {},
        "question": "Is a person at the back door?",
    }
    return Finding(**(values | changes))


def settings(describer: dict[str, Any] | None = None, **rule: Any) -> Config:
    camera = {"source": "a.mp4", "rules": {"person": {"type": "zone", **rule}}}
    top = {"describer": {"model": "http://127.0.0.1:1", **describer}} if describer else {}
    return validate({"cameras": {"back-door": camera}, **top}, where="test", folder=Path())


def created(config: Config, media: LocalMedia | None = None) -> EventCreated:
    event_id, amendment = amendment_of(config, Open("e1", finding()), LOOK, media)
    assert event_id == "e1"
    assert isinstance(amendment, EventCreated)
    return amendment


def test_an_event_began_when_its_finding_did_not_when_it_was_found() -> None:
    assert (created(settings()).started - BEGIN).total_seconds() == pytest.approx(4.0)


@pytest.mark.parametrize("seconds", [-30.0, 0.0, 9.5, 10.0])
def test_a_moment_of_the_cameras_clock_has_its_wall_time(seconds: float) -> None:
    assert (wall_time(view(10.0), 5000.0 + seconds) - BEGIN).total_seconds() == seconds


@pytest.mark.parametrize("pictures", [1, 2])
def test_a_model_gets_no_more_pictures_than_it_shall_and_the_event_keeps_all(
    pictures: int, tmp_path: Path
) -> None:
    amendment = created(settings({"pictures": pictures}), LocalMedia(tmp_path))
    assert len(amendment.images) == 2
    assert amendment.scene is not None
    assert amendment.scene.images == amendment.images[:pictures]


def test_without_a_model_or_where_none_is_wanted_nothing_is_asked() -> None:
    assert created(settings()).scene is None
    assert created(settings({"pictures": 1}, verify="none")).scene is None
    asked = created(settings({"pictures": 1, "deadline_s": 7}))
    assert asked.scene is not None
    assert asked.judge_within_s == 7


def test_what_masks_hide_now_is_noted_for_the_clip_that_is_cut_later() -> None:
    mask = ((0.0, 0.0), (0.4, 0.0), (0.4, 0.3))
    camera = {"source": "a.mp4", "rules": {"person": {"type": "zone"}}, "masks": [mask]}
    config = validate({"cameras": {"back-door": camera}}, where="test", folder=Path())
    wanted = created(config).footage
    assert wanted is not None
    assert wanted.masks == (mask,)
    assert created(settings()).footage.masks == ()  # type: ignore[union-attr]


def test_how_pictures_were_turned_is_noted_for_the_clip_though_the_frame_was_let_go() -> None:
    turned = Look(None, replace(view(10.0), turns=2), 1, ())
    _, amendment = amendment_of(settings(), Open("e1", finding()), turned, None)
    assert isinstance(amendment, EventCreated)
    assert amendment.footage is not None
    assert amendment.footage.turns == 2


def test_an_update_tells_what_is_new() -> None:
    update = Update("e1", finding(rule_reason="Two.", tracks=(track(2, 500, 800, at=10.0),)))
    event_id, amendment = amendment_of(settings(), update, LOOK, None)
    assert event_id == "e1"
    assert isinstance(amendment, EventUpdated)
    assert [box.id for box in amendment.tracks] == [2]
    assert amendment.rule_reason == "Two."


def test_an_end_is_told_with_its_time_and_reason() -> None:
    event_id, amendment = amendment_of(settings(), Close("e1", BEGIN, "quiet"), LOOK, None)
    assert event_id == "e1"
    assert amendment == EventEnded(ended=BEGIN, reason="quiet")


def two_rules(**falls: Any) -> Config:
    rules = {"person": {"type": "zone"}, "falls": {"type": "zone", "severity": "alert", **falls}}
    top = {"describer": {"model": "http://127.0.0.1:1"}}
    camera = {"source": "a.mp4", "rules": rules}
    return validate({"cameras": {"back-door": camera}, **top}, where="test", folder=Path())


def fall(**changes: Any) -> Update:
    fallen = finding(rule="falls", rule_reason="One fell.", question="Does a person lie there?")
    return Update("e1", fallen, Severity.ALERT, anew=True, **changes)


def test_a_rule_that_takes_the_lead_is_told_as_at_a_beginning(tmp_path: Path) -> None:
    _, amendment = amendment_of(two_rules(), fall(), LOOK, LocalMedia(tmp_path))
    assert isinstance(amendment, EventUpdated)
    led = amendment.leading
    assert led is not None
    assert (led.rule, led.severity, led.question) == (
        "falls",
        Severity.ALERT,
        "Does a person lie there?",
    )
    assert led.scene is not None
    assert led.scene.question == "Does a person lie there?"
    assert [image.key for image in led.images] == [
        "events/e1/falls-frame.jpg",
        "events/e1/falls-crop-1.jpg",
    ]
    assert amendment.announced


def test_a_rule_that_takes_the_lead_and_wants_no_model_asks_none(tmp_path: Path) -> None:
    _, amendment = amendment_of(two_rules(verify="none"), fall(), LOOK, None)
    assert isinstance(amendment, EventUpdated)
    assert amendment.leading is not None
    assert amendment.leading.scene is None


def test_a_model_is_not_asked_about_what_nobody_is_told_of() -> None:
    silent = Open("e1", finding(), silence=Silence.CAPPED)
    _, amendment = amendment_of(settings({"pictures": 1}), silent, LOOK, None)
    assert isinstance(amendment, EventCreated)
    assert (amendment.announced, amendment.scene) == (False, None)
    _, update = amendment_of(two_rules(), fall(announced=False), LOOK, None)
    assert isinstance(update, EventUpdated)
    assert update.leading is not None
    assert (update.announced, update.leading.scene) == (False, None)
