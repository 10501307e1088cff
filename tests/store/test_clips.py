"""The work on an event's clips: begun with the event, and closed as the clips come."""

from __future__ import annotations

from pathlib import Path

import pytest
from happenings import NOW, after, clip_failed, clip_ready, created, ended, footage

from pipeline.amendment import EventClipReady
from pipeline.store import JobKind, Store
from pipeline.types import ClipReason, EventType

CUTS = (JobKind.CUT_FIRST, JobKind.CUT)
ALL = (*CUTS, JobKind.DRAW)


def drawn() -> EventClipReady:
    return clip_ready(annotated=True, key="events/e1/annotated.mp4")


def kinds(store: Store) -> set[JobKind]:
    return {waiting.kind for waiting in store.jobs.waiting(ALL)}


@pytest.fixture
def begun(store: Store) -> Store:
    store.amend("e1", created(footage=footage()), now=NOW)
    return store


def test_an_event_that_wants_no_clip_asks_for_none(store: Store) -> None:
    store.amend("e1", created(), now=NOW)
    assert kinds(store) == set()


def test_a_new_event_asks_for_its_clips_with_what_they_shall_hold(begun: Store) -> None:
    waiting = begun.jobs.waiting(ALL)
    assert {one.kind for one in waiting} == set(CUTS)
    assert [one.footage for one in waiting] == [footage()] * 2
    assert [one.event.id for one in waiting] == ["e1", "e1"]


def test_what_is_repeated_after_a_crash_asks_for_nothing_twice(begun: Store) -> None:
    begun.amend("e1", created(footage=footage()), now=after(1))
    assert len(begun.jobs.waiting(ALL)) == 2


def test_a_first_clip_is_followed_by_the_one_of_all_of_it_and_that_by_the_annotated_one(
    begun: Store,
) -> None:
    event = begun.amend("e1", clip_ready(final=False, whole=False), now=after(5))
    assert event.type is EventType.CLIP_READY
    assert event.clip is not None
    assert not event.clip.whole
    assert kinds(begun) == {JobKind.CUT}

    begun.amend("e1", ended(), now=after(90))
    event = begun.amend("e1", clip_ready(), now=after(95))
    assert event.clip is not None
    assert event.clip.whole
    assert event.annotated_clip is None
    assert kinds(begun) == {JobKind.DRAW}

    event = begun.amend("e1", drawn(), now=after(99))
    assert event.annotated_clip is not None
    assert event.clip.key != event.annotated_clip.key
    assert kinds(begun) == set()


def test_the_clip_of_all_of_it_makes_a_first_one_needless(begun: Store) -> None:
    begun.amend("e1", clip_ready(), now=after(5))
    assert kinds(begun) == {JobKind.DRAW}


def test_no_drawing_follows_where_none_is_wanted(store: Store) -> None:
    store.amend("e1", created(footage=footage(annotated=False)), now=NOW)
    store.amend("e1", clip_ready(), now=after(5))
    assert kinds(store) == set()


def test_a_restricted_clip_is_drawn_whatever_is_wanted(store: Store) -> None:
    store.amend("e1", created(footage=footage(annotated=False)), now=NOW)
    event = store.amend("e1", clip_ready(restricted=True), now=after(5))
    assert event.clip is not None
    assert event.clip.restricted
    assert kinds(store) == {JobKind.DRAW}


def test_a_failure_that_may_pass_leaves_the_work_open_and_a_clip_takes_its_reason_away(
    begun: Store,
) -> None:
    event = begun.amend("e1", clip_failed(final=False), now=after(5))
    assert event.type is EventType.CLIP_FAILED
    assert event.clip_reason is ClipReason.DISK_FULL
    assert event.clip_error is not None
    assert kinds(begun) == set(CUTS)
    event = begun.amend("e1", clip_ready(), now=after(9))
    assert event.clip_reason is None
    assert event.clip_error is None


def test_the_same_failure_said_again_makes_no_version(begun: Store) -> None:
    first = begun.amend("e1", clip_failed(final=False), now=after(5))
    assert begun.amend("e1", clip_failed(final=False), now=after(6)).version == first.version


def test_a_final_failure_closes_the_work(begun: Store) -> None:
    begun.amend("e1", clip_failed(), now=after(5))
    assert kinds(begun) == set()


def test_a_drawing_that_fails_leaves_the_raw_clip(begun: Store) -> None:
    begun.amend("e1", clip_ready(), now=after(5))
    event = begun.amend("e1", clip_failed(annotated=True), now=after(6))
    assert event.clip is not None
    assert kinds(begun) == set()


def test_a_job_is_taken_by_its_event_and_knows_when_it_is_spent(begun: Store) -> None:
    begun.amend("e2", created(footage=footage()), now=NOW)
    moment = after(1)
    for attempt in range(1, 6):
        job = begun.jobs.lease(JobKind.CUT, now=moment, lease_s=10, worker="w", event_id="e2")
        assert job is not None
        assert (job.event_id, job.attempt, job.footage) == ("e2", attempt, footage())
        moment = moment.replace(minute=moment.minute + 1)
    waiting = {(one.event.id, one.kind): one for one in begun.jobs.waiting(ALL)}
    assert waiting["e2", JobKind.CUT].spent(moment)
    assert not waiting["e1", JobKind.CUT].spent(moment)
    assert begun.jobs.lease(JobKind.CUT, now=moment, lease_s=1, worker="w", event_id="e2") is None


def test_clips_are_no_verdicts_that_could_be_overdue(begun: Store) -> None:
    assert begun.sweep_deadlines(after(40 * 86_400)) == []


def test_an_older_database_is_brought_up_with_what_events_are_looked_up_by(
    tmp_path: Path,
) -> None:
    import sqlite3
    from contextlib import closing

    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine

    from pipeline.store import Store as Reopened

    folder = tmp_path / "data"
    with Store.open(folder) as store:
        event = store.amend("e1", created(started=after(-0.5)), now=NOW)
    engine = create_engine(f"sqlite:///{folder / 'vigil.db'}")
    with closing(sqlite3.connect(folder / "vigil.db")) as raw, raw:
        raw.execute("DROP TABLE marks")
        raw.execute("DROP TABLE camera_states")
        raw.execute("DROP TABLE camera_memories")
        raw.execute("DROP INDEX outbox_number")
        raw.execute("ALTER TABLE outbox DROP COLUMN number")
        for index in ("started", "camera", "rule", "state", "severity"):
            raw.execute(f"DROP INDEX events_{index}")
        for column in ("rule", "severity", "started"):
            raw.execute(f"ALTER TABLE events DROP COLUMN {column}")
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", "pipeline.store:migrations")
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.stamp(config, "0001")
    engine.dispose()
    with Reopened.open(folder) as store:
        assert store.search(rule="lingers", since=after(-0.5), until=after(-0.499)) == [event]
        assert store.search(until=after(-0.5)) == []
        assert store.marks.page(1) == []
        assert store.cameras.periods("door") == []
