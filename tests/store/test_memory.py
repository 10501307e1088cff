"""What a camera has learned is kept beside its events, however long it is not watched."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from happenings import NOW, created

from pipeline.amendment import EventJudged
from pipeline.errors import AmendmentError
from pipeline.health import CameraState
from pipeline.store import Store
from pipeline.types import Outcome, Verdict

LEARNED = {"rules.novelty": {"passages": 312}}


def test_what_was_learned_is_found_again_by_its_camera(store: Store) -> None:
    store.amend_all([], now=NOW, camera_state=("door", {}), memory=LEARNED)
    assert store.load_memory("door") == LEARNED
    assert store.load_memory("yard") == {}


def test_the_newest_is_kept_and_a_look_that_brings_none_leaves_it(store: Store) -> None:
    for passages in (1, 2):
        learned = {"rules.novelty": {"passages": passages}}
        store.amend_all([], now=NOW, camera_state=("door", {}), memory=learned)
    store.amend_all([("e1", created())], now=NOW, camera_state=("door", {"looks": 3}))
    assert store.load_memory("door") == learned
    assert store.load_camera_state("door") == {"looks": 3}


def test_it_is_kept_together_with_the_events_or_not_at_all(store: Store) -> None:
    verdict = Verdict(outcome=Outcome.YES, question="Is it?", model="m", prompt_version="1")
    impossible = ("unknown", EventJudged(verdict=verdict, scores={}))
    with pytest.raises(AmendmentError):
        store.amend_all([impossible], now=NOW, camera_state=("door", {}), memory=LEARNED)
    assert store.load_memory("door") == {}


def test_a_damaged_memory_is_told_from_a_failing_store(store: Store, tmp_path: Path) -> None:
    store.amend_all([], now=NOW, camera_state=("door", {}), memory=LEARNED)
    with closing(sqlite3.connect(tmp_path / "data" / "vigil.db")) as raw, raw:
        raw.execute("UPDATE camera_memories SET memory = '{\"rules'")
    with pytest.raises(ValueError, match="string"):
        store.load_memory("door")


def test_what_was_learned_of_a_camera_that_was_removed_goes_once_it_is_old(store: Store) -> None:
    for camera in ("door", "yard", "gate"):
        store.amend_all([], now=NOW, camera_state=(camera, {"looks": 3}), memory=LEARNED)
        store.cameras.enter(camera, CameraState.LIVE, None, NOW)
    store.cameras.seen(["gate"], NOW + timedelta(days=9))
    store.cameras.forget({"door"}, "It is not watched any more.")
    assert store.cameras.prune_learned({"door"}, NOW) == 0
    assert store.cameras.prune_learned({"door"}, NOW + timedelta(days=5)) == 1
    assert [store.load_memory(camera) for camera in ("door", "yard", "gate")] == [
        LEARNED,
        {},
        LEARNED,
    ]
    assert store.load_camera_state("yard") == {}
