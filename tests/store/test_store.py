"""Events are written by one door, whole or not at all."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from happenings import NOW, after, asked, created, ended, judged, scene, track, updated

from pipeline.errors import AmendmentError
from pipeline.store import JobKind, Store
from pipeline.types import Event, Outcome, State


def test_an_amendment_is_there_for_every_later_reader(store: Store, tmp_path: Path) -> None:
    event = store.amend("e1", created(), now=NOW)
    with Store.open(tmp_path / "data") as other:
        assert other.event("e1") == event
    assert store.event("e2") is None


def test_creating_twice_changes_nothing(store: Store) -> None:
    event = store.amend("e1", asked(), now=NOW)
    assert store.amend("e1", created(rule="another"), now=after(1)) == event
    assert [row.event for row in store.outbox.pending(0, 10)] == [event]


def test_each_version_is_kept_in_order_as_a_whole(store: Store) -> None:
    versions = [
        store.amend("e1", amendment, now=after(seconds))
        for seconds, amendment in enumerate([asked(), updated(), judged(), ended()])
    ]
    assert [event.version for event in versions] == [1, 2, 3, 4]
    assert store.versions("e1") == versions
    assert store.event("e1") == versions[-1]


def test_what_cannot_be_changes_nothing(store: Store) -> None:
    with pytest.raises(AmendmentError):
        store.amend("e1", updated(), now=NOW)
    assert store.event("e1") is None
    assert store.outbox.newest() == 0


def test_a_model_is_asked_only_where_there_is_a_scene(store: Store) -> None:
    assert store.amend("quiet", created(), now=NOW).state is State.UNJUDGED
    assert store.amend("e1", asked(), now=NOW).state is State.DETECTED
    job = store.jobs.lease(JobKind.JUDGE, now=NOW, lease_s=10, worker="w")
    assert job is not None
    assert (job.event_id, job.scene, job.deadline) == ("e1", scene(), after(60))
    assert store.jobs.lease(JobKind.JUDGE, now=NOW, lease_s=10, worker="w") is None


def test_an_answer_closes_the_question(store: Store) -> None:
    store.amend("e1", asked(), now=NOW)
    store.amend("e1", judged(), now=after(1))
    assert store.jobs.lease(JobKind.JUDGE, now=after(2), lease_s=10, worker="w") is None
    assert store.sweep_deadlines(after(100)) == []


def test_open_events_are_those_of_the_camera_that_have_not_ended(store: Store) -> None:
    for event_id, camera in [("e1", "door"), ("e2", "yard"), ("e3", "door"), ("e4", "door")]:
        store.amend(event_id, created(camera=camera), now=NOW)
    store.amend("e3", ended(), now=NOW)
    assert [event.id for event in store.open_events("door")] == ["e1", "e4"]
    assert store.open_events("attic") == []


def test_events_come_in_pages_the_newest_first(store: Store) -> None:
    for number in range(5):
        store.amend(f"e{number}", created(camera="ab"[number % 2]), now=NOW)
    first = store.search(2)
    assert [event.id for event in first] == ["e4", "e3"]
    assert [event.id for event in store.search(2, before=first[-1].id)] == ["e2", "e1"]
    assert [event.id for event in store.search(camera="b")] == ["e3", "e1"]


def test_all_that_a_look_came_to_is_kept_together(store: Store) -> None:
    state = {"tracks": [1, 2], "rule": {"since": 1.5}}
    made = store.amend_all(
        [("e1", created()), ("e2", created()), ("e1", ended())],
        now=NOW,
        camera_state=("door", state),
    )
    assert [(event.id, event.version) for event in made] == [("e1", 1), ("e2", 1), ("e1", 2)]
    assert store.load_camera_state("door") == state
    assert store.load_camera_state("yard") == {}


def test_all_that_a_look_came_to_is_left_out_together(store: Store) -> None:
    with pytest.raises(AmendmentError):
        store.amend_all(
            [("e1", created()), ("e2", ended())], now=NOW, camera_state=("door", {"a": 1})
        )
    assert store.event("e1") is None
    assert store.load_camera_state("door") == {}


def test_the_installation_keeps_its_name(store: Store, tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as again, Store.open(tmp_path / "elsewhere") as other:
        assert len(store.installation) == 36
        assert again.installation == store.installation != other.installation


def test_writers_at_the_same_time_leave_no_gap(store: Store) -> None:
    store.amend("e1", asked(), now=NOW)

    def write(worker: int) -> None:
        for number in range(20):
            store.amend("e1", updated(tracks=(track(100 * worker + number),)), now=NOW)

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    versions = store.versions("e1")
    assert [event.version for event in versions] == list(range(1, 82))
    assert len(versions[-1].tracks) == 81
    assert [row.sequence for row in store.outbox.pending(0, 100)] == list(range(1, 82))


def test_times_keep_their_moment_whatever_their_zone(store: Store) -> None:
    event = store.amend("e1", asked(), now=NOW.astimezone())
    assert event.updated_at == NOW
    found = store.event("e1")
    assert isinstance(found, Event)
    assert (found.started, found.updated_at) == (NOW, NOW)


@pytest.mark.parametrize("outcome", Outcome)
def test_a_verdict_twice_is_one_version(store: Store, outcome: Outcome) -> None:
    store.amend("e1", asked(), now=NOW)
    once = store.amend("e1", judged(outcome), now=after(1))
    assert store.amend("e1", judged(outcome), now=after(2)) == once
