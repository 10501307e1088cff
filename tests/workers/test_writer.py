"""What cameras report is committed in order, whatever the disk does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from handmade import BEGIN, frame, track, view
from running import until

from pipeline.config import Config
from pipeline.configfile import validate
from pipeline.errors import StoreError
from pipeline.incidents import Action, Close, Open, Update
from pipeline.media import LocalMedia
from pipeline.store import Store
from pipeline.types import EventType, Finding
from pipeline.workers import writer as module
from pipeline.workers.handover import Handover, Report
from pipeline.workers.look import Look
from pipeline.workers.writer import Writer


def finding(strength: float = 0.5) -> Finding:
    return Finding(
        rule="person",
        tracks=(track(1, 500, 800, at=1),),
        zone=None,
        started=5000.0,
        rule_reason="A person is at the back door, 02:14.",
        strength=strength,
        evidence={},
        question="Is a person at the back door?",
    )


def report(*actions: Action, state: int = 0) -> Report:
    look = Look(frame(1.0), view(1.0), 1, actions)
    analysis = {"incidents": {"open": []}, "number": state}
    left = Handover(saved_at=BEGIN, run="run-1", film_pts=None, analysis=analysis)
    return Report("back-door", actions, look, left)


def fail_times(store: Store, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the store's disk be full for the next so many commits."""
    commit, failures = store.amend_all, iter(range(times))

    def failing(*arguments: Any, **options: Any) -> Any:
        if next(failures, None) is not None:
            raise StoreError("The disk of /data is full; free some space on it.")
        return commit(*arguments, **options)

    monkeypatch.setattr(store, "amend_all", failing)


@pytest.fixture
def settings() -> Config:
    return validate({"cameras": {"back-door": {"source": "a.mp4"}}}, where="test", folder=Path())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def writer(settings: Config, store: Store, tmp_path: Path) -> Writer:
    return Writer(settings, store, LocalMedia(tmp_path / "media"))


def test_an_event_begins_changes_and_ends_with_its_pictures(
    writer: Writer, store: Store, tmp_path: Path
) -> None:
    writer.start()
    writer.report(report(Open("e1", finding())))
    writer.report(report(Update("e1", finding(0.9))))
    writer.report(report(Close("e1", BEGIN, "quiet"), state=7))
    assert writer.finish(10)
    versions = store.versions("e1")
    assert [e.type for e in versions] == [EventType.CREATED, EventType.UPDATED, EventType.ENDED]
    assert versions[0].started == BEGIN
    for image in versions[0].images:
        assert (tmp_path / "media" / image.key).is_file()
    assert store.load_camera_state("back-door")["analysis"]["number"] == 7


def test_while_the_store_fails_reports_wait_and_none_is_lost(
    writer: Writer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", (0.01,))
    fail_times(store, 5, monkeypatch)
    writer.start()
    writer.report(report(Open("e1", finding())))
    writer.report(report(Close("e1", BEGIN, "quiet")))
    until(lambda: [event.version for event in store.versions("e1")] == [1, 2])
    assert writer.finish(10)
    assert writer.problem is None
    assert writer.counters["reports_lost"] == 0


def test_a_store_that_fails_for_good_is_told_and_does_not_hold_up_the_end(
    writer: Writer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*arguments: Any, **options: Any) -> Any:
        raise StoreError("The disk of /data is full; free some space on it.")

    monkeypatch.setattr(store, "amend_all", failing)
    monkeypatch.setattr(module, "RETRY_S", (60.0,))
    writer.start()
    writer.report(report(Open("e1", finding())))
    until(lambda: writer.problem)
    assert not writer.finish(5)
    assert not writer._thread.is_alive()


def test_what_waited_for_the_disk_is_tried_once_more_at_the_end(
    writer: Writer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", (60.0,))
    fail_times(store, 1, monkeypatch)
    writer.start()
    writer.report(report(Open("e1", finding())))
    until(lambda: writer.problem)
    assert writer.finish(5)
    assert store.event("e1") is not None


def test_an_amendment_that_cannot_be_does_not_hold_up_the_others(
    writer: Writer, store: Store
) -> None:
    writer.start()
    writer.report(report(Close("never-begun", BEGIN, "quiet"), Open("e1", finding())))
    assert writer.finish(10)
    assert store.event("e1") is not None
    assert writer.counters["amendments_refused"] == 1


def test_what_does_not_fit_any_more_is_counted(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(module.WAITING + 3):
        writer.report(report(Open(f"e{number}", finding())))
    assert writer.counters["reports_lost"] == 3


def test_frames_do_not_pile_up_while_the_disk_fails(writer: Writer) -> None:
    for number in range(module.WAITING // 4 + 5):
        writer.report(report(Open(f"e{number}", finding())))
    writer.report(report(Close("e1", BEGIN, "quiet")))
    waiting = list(writer._waiting.queue)
    kept = sum(item.look.frame is not None for item in waiting)
    assert kept == module.WAITING // 4 + 1
    assert waiting[-1].look.frame is None


def test_a_state_alone_gives_way_to_what_waits(writer: Writer, store: Store) -> None:
    writer.report(report(Open("e1", finding()), state=1))
    writer.report(report(state=2))
    writer.start()
    assert writer.finish(10)
    assert store.load_camera_state("back-door")["analysis"]["number"] == 1
