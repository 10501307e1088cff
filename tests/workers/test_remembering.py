"""What a camera has learned outlives any stop, however long; what cannot be read is said."""

from __future__ import annotations

import json
import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from handmade import BEGIN, frame, standing, times, view

from pipeline.config import Config
from pipeline.configfile import validate
from pipeline.incidents import Open
from pipeline.media import LocalMedia
from pipeline.queues import Slot
from pipeline.store import Store
from pipeline.stubs import StubDetector
from pipeline.types import Detection, Frame
from pipeline.workers import analyst as module
from pipeline.workers.analysis import Analysis
from pipeline.workers.analyst import Analyst, Arrived
from pipeline.workers.handover import Handover, Report
from pipeline.workers.look import Look
from pipeline.workers.watch import remembered
from pipeline.workers.writer import Writer

RULES = {"odd": {"type": "novelty"}, "person": {"type": "zone"}}


def settings() -> Config:
    camera = {"source": "a.mp4", "detect": {"motion_gate": False, "fps": 5}, "rules": RULES}
    return validate({"cameras": {"door": camera}}, where="test", folder=Path())


def somebody(seen: Frame) -> list[Detection]:
    """A person who walks by within six seconds."""
    x = 100 + 100 * seen.pts
    return [Detection("person", 0.8, standing(x, 800))] if x < 700 else []


def analysis() -> Analysis:
    config = settings()
    detector = StubDetector(somebody).for_camera("door", config.cameras["door"])
    return Analysis(config, "door", detector)


def passed(found: Analysis) -> int:
    memory = found.memory()
    count: int = memory["rules.odd"]["passages"]
    return count


def learned() -> dict[str, Any]:
    """What was learned of one passage, as JSON."""
    found = analysis()
    for at in times(0, 60, 0.25):
        found.look(frame(at))
    memory: dict[str, Any] = json.loads(json.dumps(found.memory()))
    return memory


def test_what_was_learned_goes_on_after_a_week() -> None:
    memory = learned()
    assert memory["rules.odd"]["passages"] == 1
    after = analysis()
    after.recall(memory)
    after.look(frame(7 * 86_400.0))
    assert passed(after) == 1


def test_what_people_were_told_of_is_remembered_too() -> None:
    assert len(learned()["incidents"]["told"]) == 1


@pytest.mark.parametrize(
    ("part", "damaged"),
    [
        ("rules.odd", {"passages": 3}),
        ("rules.odd", "nothing"),
        ("incidents", {"told": 3}),
        ("incidents", {"told": {"e": ["yesterday", "alert"]}, "ended": {}}),
    ],
)
def test_a_part_that_cannot_be_read_begins_anew_and_the_others_go_on(
    part: str, damaged: Any, caplog: pytest.LogCaptureFixture
) -> None:
    found = analysis()
    with caplog.at_level(logging.WARNING):
        found.recall({**learned(), part: damaged})
    (record,) = caplog.records
    assert record.getMessage() == (
        f"Camera door: what it had learned ({part}) cannot be read, so it learns anew."
    )
    found.look(frame(100.0))
    assert passed(found) == (0 if part == "rules.odd" else 1)


def test_a_rule_whose_state_cannot_be_read_begins_anew_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before, after = analysis(), analysis()
    for at in times(0, 3):
        before.look(frame(at))
    state: dict[str, Any] = json.loads(json.dumps(before.state()))
    state["rules"]["odd"] = {"1": {"label": "person"}}
    with caplog.at_level(logging.WARNING):
        after.resume(state, 1.0)
        looks = [after.look(frame(at)) for at in times(4, 5)]
    assert caplog.messages == [
        "Camera door: what was under way for its rule odd cannot be read, so the rule begins anew."
    ]
    # The visitor of before is still the same event.
    assert not any(isinstance(action, Open) for look in looks for action in look.actions)
    assert list(after.state()["rules"]["person"]) == ["1"]


def test_a_camera_of_a_damaged_store_begins_anew_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Store.open(tmp_path / "data") as store:
        store.amend_all([], now=BEGIN, camera_state=("door", {}), memory={"a": {}})
        with closing(sqlite3.connect(tmp_path / "data" / "vigil.db")) as raw, raw:
            raw.execute("UPDATE camera_memories SET memory = 'x'")
        with caplog.at_level(logging.WARNING):
            assert remembered(store, "door") == {}
    assert caplog.messages == [
        "Camera door: what it had learned cannot be read, so it learns anew."
    ]


def reports(memory: dict[str, Any] | None, seconds: float) -> list[Report]:
    """What an analyst reports of a film."""
    config = settings()
    moments = iter(times(0, seconds, 0.2))
    slot: Slot[Arrived] = Slot()
    found: list[Report] = []

    class Fed(Slot[Arrived]):
        def get(self, timeout_s: float, unless: object = None) -> Arrived:
            at = next(moments, None)
            return slot.get(0.0) if at is None else Arrived(frame(at), 0.0)

    analyst = Analyst(
        config,
        "door",
        StubDetector(somebody).for_camera("door", config.cameras["door"]),
        Fed(),
        found.append,
        logged=lambda _: None,
        idling=lambda _: None,
        live=lambda: False,
        resume=None,
        run="r",
        memory=memory,
    )
    slot.close()
    analyst.run()
    return found


def test_what_was_learned_is_handed_over_at_the_end() -> None:
    *before, last = reports(learned(), 40.0)
    assert [report.memory for report in before] == [None] * len(before)
    assert last.memory is not None
    assert last.memory["rules.odd"]["passages"] == 2


def test_it_is_handed_over_now_and_then_but_not_with_each_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(module, "REMEMBER_EVERY_S", 0.0)
    assert all(report.memory is not None for report in reports(None, 4.0))
    monkeypatch.setattr(module, "REMEMBER_EVERY_S", 3600.0)
    assert sum(report.memory is not None for report in reports(None, 4.0)) == 1


def test_the_writer_keeps_it(tmp_path: Path) -> None:
    look = Look(None, view(1.0), 0, ())
    left = Handover(saved_at=BEGIN, run="r", film_pts=None, analysis={"incidents": {"open": []}})
    with Store.open(tmp_path / "data") as store:
        writer = Writer(settings(), store, LocalMedia(tmp_path / "media"))
        # Before it runs, so that the second one waits behind the first.
        for memory in ({"odd": {"passages": 1}}, {"odd": {"passages": 2}}):
            writer.report(Report("door", (), look, left, memory))
        writer.start()
        assert writer.finish(10)
        assert remembered(store, "door") == {"odd": {"passages": 2}}
