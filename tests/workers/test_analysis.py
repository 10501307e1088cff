"""One camera's stages joined: which frames are looked at, and what goes on after a restart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from handmade import frame, standing, times

from pipeline.config import Config
from pipeline.configfile import validate
from pipeline.errors import DetectorBusy, DetectorError
from pipeline.health import LATENCY_BOUNDS_MS
from pipeline.incidents import Action, Close, Open, Update
from pipeline.stubs import StubDetector
from pipeline.types import Detection, Finding, Frame, View
from pipeline.workers import analysis as module
from pipeline.workers.analysis import Analysis, looks
from pipeline.workers.latencies import Latencies

LOITER = {"stays": {"type": "loiter", "seconds": 4}}


def config(**camera: Any) -> Config:
    """Of a camera of which every frame is detected on, unless told otherwise."""
    keys = {"source": "a.mp4", "detect": {"motion_gate": False}, **camera}
    return validate({"cameras": {"door": keys}}, where="test", folder=Path())


def somebody(seen: Frame) -> list[Detection]:
    """A person who stands still, in every frame."""
    return [Detection("person", 0.8, standing(500, 800))]


def analysis(settings: Config, answer: Any = somebody) -> Analysis:
    detector = StubDetector(answer)
    return Analysis(settings, "door", detector.for_camera("door", settings.cameras["door"]))


def actions(found: Analysis, moments: list[float]) -> Iterator[Action]:
    for at in moments:
        yield from found.look(frame(at)).actions


def test_a_jump_in_time_ends_what_is_open() -> None:
    found = analysis(config())
    assert [type(a) for a in actions(found, times(0, 2))] == [Open]
    (closed,) = found.look(replace(frame(2.2), discontinuity=True)).actions
    assert isinstance(closed, Close)
    assert closed.reason == "discontinuity"
    (opened,) = actions(found, times(2.4, 5))
    assert isinstance(opened, Open)
    assert opened.finding.tracks[0].first_seen >= 5002.2
    assert opened.finding.started >= 5002.2


@pytest.mark.parametrize("failure", [DetectorError, DetectorBusy])
def test_a_jump_in_time_ends_what_is_open_though_the_detector_missed_it(
    failure: type[DetectorError],
) -> None:
    def answer(seen: Frame) -> list[Detection]:
        if seen.discontinuity:
            raise failure("It failed.")
        return somebody(seen)

    found = analysis(config(), answer)
    assert [type(a) for a in actions(found, times(0, 2))] == [Open]
    with pytest.raises(failure):
        found.look(replace(frame(2.2), discontinuity=True))
    after = list(actions(found, times(2.4, 5)))
    assert [type(action) for action in after] == [Close, Open]
    assert after[0].reason == "discontinuity"


def test_the_first_frame_breaks_nothing_off_though_the_detector_missed_it() -> None:
    first = analysis(config())
    (opened,) = actions(first, times(0, 2))

    def answer(seen: Frame) -> list[Detection]:
        if seen.discontinuity:
            raise DetectorError("It failed.")
        return somebody(seen)

    second = analysis(config(), answer)
    second.resume(first.state(), age_s=1.0)
    with pytest.raises(DetectorError):
        second.look(replace(frame(3.0), discontinuity=True))
    after = list(actions(second, times(3.2, 6)))
    assert not [action for action in after if isinstance(action, Open | Close)]
    (closed,) = second.interrupt("stopped")
    assert (closed.incident_id, closed.reason) == (opened.incident_id, "stopped")


def test_a_picture_of_another_size_breaks_off_what_is_open() -> None:
    found = analysis(config())
    assert [type(a) for a in actions(found, times(0, 2))] == [Open]
    (closed,) = found.look(frame(2.2, size=(500, 500))).actions
    assert isinstance(closed, Close)
    assert closed.reason == "discontinuity"
    again = [a for at in times(2.4, 5) for a in found.look(frame(at, size=(500, 500))).actions]
    assert [type(action) for action in again] == [Open]


def test_after_a_restart_a_picture_of_another_size_goes_on_with_nothing() -> None:
    first = analysis(config())
    (opened,) = actions(first, times(0, 2))
    second = analysis(config())
    second.resume(json.loads(json.dumps(first.state())), age_s=1.0)
    (closed,) = second.look(frame(3.0, size=(500, 500))).actions
    assert isinstance(closed, Close)
    assert (closed.incident_id, closed.reason) == (opened.incident_id, "restarted")


@pytest.mark.parametrize("step", [5.0, 3.3])
def test_who_stands_before_a_slow_camera_is_one_event_that_goes_on(step: float) -> None:
    found = analysis(config())
    told = [type(action) for action in actions(found, times(0, 60 * step, step))]
    assert (told.count(Open), told.count(Close)) == (1, 0)
    (closed,) = found.interrupt("stopped")
    assert isinstance(closed, Close)


def test_one_missed_look_of_a_slow_camera_does_not_end_an_event() -> None:
    found = analysis(config(), lambda seen: [] if seen.monotonic == 5040.0 else somebody(seen))
    told = [type(action) for action in actions(found, times(0, 100, 5.0))]
    assert (told.count(Open), told.count(Close)) == (1, 0)


def test_a_camera_is_waited_for_as_long_as_it_is_slow() -> None:
    found = analysis(config())
    assert found.patience_s == 5.0
    list(actions(found, times(0, 3)))
    assert found.patience_s == 5.0
    list(actions(found, times(6, 60, 3.0)))
    assert found.patience_s == pytest.approx(12.0)


def test_one_long_pause_does_not_make_a_camera_slow() -> None:
    found = analysis(config())
    list(actions(found, [*times(0, 3), 60.0, 60.2]))
    assert found.period_s == pytest.approx(0.2)
    found.look(replace(frame(500.0), discontinuity=True))
    assert found.period_s == pytest.approx(0.2)


def test_a_detector_that_never_answers_is_a_detector_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.01)

    class Silent:
        labels = ("person",)

        def submit(self, frame: Frame) -> Future[list[Detection]]:
            return Future()

        def close(self) -> None:
            pass

    with pytest.raises(DetectorError, match="no answer"):
        Analysis(config(), "door", Silent()).look(frame(0.0))


def test_what_is_seen_tells_how_its_picture_was_turned() -> None:
    assert analysis(config()).look(replace(frame(0.0), turns=3)).view.turns == 3


def test_a_look_tells_what_each_stage_cost() -> None:
    look = analysis(config()).look(frame(0.0))
    assert list(look.spent) == ["gate", "detect", "track", "rules"]
    assert all(seconds > 0 for seconds in look.spent.values())


def test_an_event_that_was_open_goes_on_after_a_restart() -> None:
    settings = config(rules=LOITER)
    first = analysis(settings)
    (opened,) = actions(first, times(0, 5))
    assert isinstance(opened, Open)
    second = analysis(settings)
    second.resume(first.state(), age_s=3.0)
    begin = replace(frame(8.0), discontinuity=True)
    after = [*second.look(begin).actions, *actions(second, times(8.2, 30))]
    assert not [action for action in after if isinstance(action, Open | Close)]
    (closed,) = second.interrupt("stopped")
    assert isinstance(closed, Close)
    assert closed.incident_id == opened.incident_id


def test_an_event_nobody_goes_on_with_is_closed_after_a_restart() -> None:
    settings = config(rules=LOITER)
    first = analysis(settings)
    (opened,) = actions(first, times(0, 5))
    empty = analysis(settings, lambda seen: [])
    empty.resume(first.state(), age_s=3.0)
    (closed,) = actions(empty, times(8, 25))
    assert isinstance(closed, Close)
    assert (closed.incident_id, closed.reason) == (opened.incident_id, "restarted")


def test_out_of_its_hours_a_rule_makes_no_event_and_goes_on_seeing_who_came_when() -> None:
    opens = (frame(20).captured_at + timedelta(minutes=1)).replace(second=0)
    hours = f"{opens:%H:%M}-{opens + timedelta(hours=1):%H:%M}"
    rule = {"type": "loiter", "seconds": 30, "schedule": {"hours": hours, "timezone": "UTC"}}
    found = analysis(config(rules={"stays": rule}))
    until = (opens - frame(0).captured_at).total_seconds()
    assert not list(actions(found, times(0, until - 0.3)))
    (opened,) = found.look(frame(until)).actions
    assert isinstance(opened, Open)
    assert opened.finding.started < frame(1).monotonic


@pytest.mark.parametrize(
    "changed",
    [{"type": "speed"}, {"type": "zone", "on": "enter"}, {"type": "presence", "open": {}}],
)
def test_a_rule_that_became_another_meanwhile_begins_anew(changed: dict[str, Any]) -> None:
    first = analysis(config(rules=LOITER))
    (opened,) = actions(first, times(0, 5))
    assert isinstance(opened, Open)
    second = analysis(config(rules={"stays": changed}))
    second.resume(json.loads(json.dumps(first.state())), age_s=1.0)
    (closed,) = actions(second, times(6, 30))
    assert isinstance(closed, Close)
    assert closed.incident_id == opened.incident_id


def test_a_rule_that_was_removed_meanwhile_does_not_matter() -> None:
    first = analysis(config(rules=LOITER))
    list(actions(first, times(0, 5)))
    second = analysis(config(rules={"other": {"type": "zone"}}))
    second.resume(first.state(), age_s=1.0)
    assert [type(action) for action in actions(second, times(6, 8))] == [Update]


def test_a_detector_that_fails_changes_nothing() -> None:
    numbers = count()

    def sometimes(seen: Frame) -> list[Detection]:
        if next(numbers) == 5:
            raise DetectorError("It failed.")
        return somebody(seen)

    found = analysis(config(), sometimes)
    opened = []
    for at in times(0, 3):
        try:
            opened += found.look(frame(at)).actions
        except DetectorError:
            opened.append("failed")
    assert opened.count("failed") == 1
    assert len([action for action in opened if isinstance(action, Open)]) == 1


def test_latency_is_the_median_of_the_newest() -> None:
    latencies = Latencies(kept=3)
    assert latencies.median_ms() is None
    for seconds in (9.0, 0.1, 0.3, 0.2):
        latencies.add(seconds)
    assert latencies.median_ms() == 200.0


def test_every_latency_is_counted_by_its_size() -> None:
    latencies = Latencies()
    for seconds in (0.001, 0.005, 0.0051, 5.0, 60.0):
        latencies.add(seconds)
    counted = dict(zip((*LATENCY_BOUNDS_MS, "above"), latencies.counts, strict=True))
    assert {bound: count for bound, count in counted.items() if count} == {
        5: 2,
        10: 1,
        5000: 1,
        "above": 1,
    }
    assert latencies.sum_s == pytest.approx(65.0111)


class Scene:
    """A grey picture with a square that may move, and a detector that counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    def frame(self, at: float, square: int | None) -> Frame:
        image = np.full((1000, 1000, 3), 114, np.uint8)
        if square is not None:
            image[600:800, square : square + 80] = 230
        return frame(at, image)

    def __call__(self, seen: Frame) -> list[Detection]:
        self.asked.append(seen.monotonic - 5000.0)
        image = seen.image()
        columns = np.flatnonzero(image[700, :, 0] > 200)
        return (
            [Detection("person", 0.8, standing(int(columns[0]) + 40, 800))] if len(columns) else []
        )


def gated(scene: Scene, **detect: Any) -> Analysis:
    return analysis(config(detect=detect), scene)


def walking(at: float) -> int | None:
    """Comes at 10 s, stands still from 14 to 40 s, has left by 44 s."""
    if 10 <= at < 14:
        return 200 + round((at - 10) * 100)
    if 14 <= at < 40:
        return 600
    return 600 + round((at - 40) * 100) if 40 <= at < 43 else None


def test_a_quiet_picture_is_detected_on_now_and_then_only_and_a_still_person_stays() -> None:
    scene = Scene()
    found = gated(scene, full_look_s=5)
    seen = [(at, found.look(scene.frame(at, walking(at))).view.tracks) for at in times(0, 60)]
    there = [at for at, tracks in seen if tracks]
    assert 10 <= min(there) <= 10.6
    assert 42.6 <= max(there) <= 43.2
    assert {len(tracks) for at, tracks in seen if 11 < at < 42} == {1}
    assert len({track.id for _, tracks in seen for track in tracks}) == 1
    # One look in 5 s while nobody is there; one a second while somebody who has stopped is still
    # new to the gate (25 s), then one in 3 s.
    assert len([at for at in scene.asked if 3 < at < 9.9]) <= 2
    assert len([at for at in scene.asked if 18 < at < 40]) <= 25
    assert len([at for at in scene.asked if 50 < at < 60]) <= 3
    assert len([at for at in scene.asked if 10 <= at <= 14]) >= 19


def test_where_nothing_moves_each_camera_says_that_it_is_idle() -> None:
    scene = Scene()
    found = gated(scene)
    for at in times(0, 9.8):
        found.look(scene.frame(at, walking(at)))
    assert found.idle_s > 5
    for at in times(10, 13):
        found.look(scene.frame(at, walking(at)))
    assert found.idle_s == 0


def test_without_the_gate_each_frame_is_detected_on() -> None:
    scene = Scene()
    found = gated(scene, motion_gate=False)
    for at in times(0, 10):
        found.look(scene.frame(at, None))
    assert len(scene.asked) == len(times(0, 10))


class Together:
    """A detector that answers only when three pictures are under way, the last one first."""

    labels = ("person",)
    depth = 3
    cost_s = None

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[list[Detection]], Frame]] = []

    def submit(self, seen: Frame) -> Future[list[Detection]]:
        future: Future[list[Detection]] = Future()
        self.waiting.append((future, seen))
        if len(self.waiting) == self.depth:
            for each, picture in reversed(self.waiting):
                x = 100 + 10 * picture.index
                each.set_result([Detection("person", 0.8, standing(x, 800))])
            self.waiting.clear()
        return future

    def close(self) -> None: ...


def test_as_many_frames_are_under_way_as_the_detector_works_on_and_come_out_in_order() -> None:
    found = Analysis(config(), "door", Together())
    seen = list(looks(found, map(frame, times(0, 1))))
    assert [look.view.monotonic for look in seen] == [5000.0 + at for at in times(0, 1)]
    feet = [track.path[-1].x for look in seen for track in look.view.tracks]
    assert feet == sorted(feet)
    assert len(feet) == len(seen) - 1  # a track begins at its second look


class Failing:
    """A rule of the user's own that fails in every look."""

    def __init__(self, *_: object) -> None:
        pass

    def update(self, view: View) -> list[Finding]:
        raise RuntimeError("no")

    state = restore = update


def test_a_rule_of_the_users_own_that_fails_takes_nothing_down_and_is_counted() -> None:
    rules = {"person": {"type": "zone"}, "fails": {"type": f"{__name__}:Failing"}}
    found = analysis(config(rules=rules))
    assert [type(a) for a in actions(found, times(0, 2))] == [Open]
    assert found.rule_failures == {"fails": 11}
    assert json.loads(json.dumps(found.state()))["rules"]["fails"] == {}


@pytest.mark.parametrize("change", ["2026-10-25T01:00:00", "2026-03-29T01:00:00"])
def test_an_event_of_the_night_in_which_clocks_are_changed_is_not_an_hour_off(change: str) -> None:
    keys = {"source": "a.mp4", "detect": {"motion_gate": False}, "rules": LOITER}
    settings = {"timezone": "Europe/Berlin", "cameras": {"door": keys}}
    found = analysis(validate(settings, where="test", folder=Path()))
    changed = datetime.fromisoformat(change).replace(tzinfo=UTC)
    begun: list[Action] = []
    for at in times(-2, 10):
        seen = replace(frame(at), captured_at=changed + timedelta(seconds=at))
        begun += found.look(seen).actions
    (opened, *_), (closed,) = begun, found.interrupt("stopped")
    assert isinstance(opened, Open)
    assert isinstance(closed, Close)
    assert (opened.rules[0].started - changed).total_seconds() == pytest.approx(-1.8)
    assert (closed.at - changed).total_seconds() == pytest.approx(10)
