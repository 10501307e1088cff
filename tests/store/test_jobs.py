"""Jobs are leased: by one worker at a time, the best first, and never past their deadline."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest
from happenings import NOW, after, asked, judged, python, updated

from pipeline.store import Job, Reason, Store
from pipeline.store.jobs import MAX_ATTEMPTS
from pipeline.types import Event, Outcome, State


def lease(store: Store, seconds: float = 0, lease_s: float = 10, worker: str = "w") -> Job | None:
    return store.jobs.lease("judge", now=after(seconds), lease_s=lease_s, worker=worker)


def take(store: Store, seconds: float = 0, lease_s: float = 10, worker: str = "w") -> Job:
    job = lease(store, seconds, lease_s, worker)
    assert job is not None
    return job


def only(events: list[Event]) -> Event:
    (event,) = events
    return event


@pytest.fixture
def one(store: Store) -> Store:
    """A store with one question, to be answered within 60 seconds."""
    store.amend("e1", asked(), now=NOW)
    return store


def test_the_highest_score_comes_first(store: Store) -> None:
    for event_id, contribution in [("low", -1.0), ("high", 2.0), ("middle", 0.0)]:
        store.amend(event_id, asked(event_id, scores={"rule": contribution}), now=NOW)
    store.amend("low", updated(scores={"rule": 9.0}), now=NOW)
    assert [take(store).event_id for _ in range(3)] == ["low", "high", "middle"]


def test_a_leased_job_is_not_given_out_again(one: Store) -> None:
    job = take(one)
    assert (job.attempt, job.worker, job.leased_until) == (1, "w", after(10))
    assert lease(one, 9.9) is None


def test_a_lease_that_ran_out_is_taken_over_and_lost_to_the_first(one: Store) -> None:
    first = take(one, worker="a")
    second = take(one, 10, worker="b")
    assert (second.id, second.attempt) == (first.id, 2)
    assert not one.jobs.extend(first, now=after(11), lease_s=10)
    assert not one.jobs.release(first, retry_at=after(11))
    assert one.jobs.extend(second, now=after(11), lease_s=10)


def test_an_extended_lease_holds(one: Store) -> None:
    job = take(one)
    assert one.jobs.extend(job, now=after(9), lease_s=10)
    assert lease(one, 18) is None
    assert take(one, 19).attempt == 2


def test_a_released_job_waits_for_its_time(one: Store) -> None:
    job = take(one)
    assert one.jobs.release(job, retry_at=after(5))
    assert lease(one, 4.9) is None
    assert take(one, 5).attempt == 2


def test_nobody_gets_a_job_past_its_deadline(one: Store) -> None:
    assert lease(one, 60) is None


def test_an_answered_job_is_nobody_s(one: Store) -> None:
    job = take(one)
    one.amend("e1", judged(), now=after(1))
    assert not one.jobs.extend(job, now=after(2), lease_s=10)
    assert not one.jobs.release(job, retry_at=after(2))


def test_nothing_is_swept_before_its_deadline(one: Store) -> None:
    assert one.sweep_deadlines(after(59.9)) == []
    event = only(one.sweep_deadlines(after(60)))
    assert (event.version, event.state, event.type.value) == (2, State.UNVERIFIED, "judged")
    assert one.event("e1") == event
    assert one.sweep_deadlines(after(61)) == []


def test_a_judge_that_had_no_answer_in_time_is_the_deadline(one: Store) -> None:
    take(one, 55)
    assert only(one.sweep_deadlines(after(60))).state_reason == Reason.DEADLINE


def test_a_question_nobody_took_means_that_no_judge_was_there(one: Store) -> None:
    assert only(one.sweep_deadlines(after(60))).state_reason == Reason.JUDGE_DOWN


def test_a_question_passed_over_for_others_means_a_full_queue(store: Store) -> None:
    store.amend("urgent", asked("urgent", scores={"rule": 5.0}, judge_within_s=600), now=NOW)
    store.amend("e1", asked(), now=NOW)
    assert take(store, 1, lease_s=120).event_id == "urgent"
    assert only(store.sweep_deadlines(after(60))).state_reason == Reason.QUEUE_FULL


def test_judges_that_ended_long_before_do_not_count_as_at_work(store: Store) -> None:
    store.amend("early", asked("early"), now=NOW)
    take(store)
    store.amend("early", judged(), now=after(5))
    store.amend("e1", asked(), now=after(100))
    assert only(store.sweep_deadlines(after(160))).state_reason == Reason.JUDGE_DOWN


def test_a_job_that_keeps_ending_its_judges_is_given_up(one: Store) -> None:
    for attempt in range(MAX_ATTEMPTS):
        take(one, attempt, lease_s=1)
    last = MAX_ATTEMPTS - 1
    assert one.sweep_deadlines(after(last + 0.5)) == []
    assert lease(one, last + 1) is None
    assert only(one.sweep_deadlines(after(last + 1))).state_reason == Reason.ATTEMPTS


def test_the_reason_a_judge_left_is_the_one_people_read(one: Store) -> None:
    one.jobs.release(take(one), retry_at=after(1), reason="model_unavailable")
    one.jobs.release(take(one, 1), retry_at=after(2))
    assert only(one.sweep_deadlines(after(60))).state_reason == "model_unavailable"


def test_a_late_verdict_still_counts(one: Store) -> None:
    take(one)
    one.sweep_deadlines(after(60))
    event = one.amend("e1", judged(Outcome.YES), now=after(61))
    assert (event.version, event.state, event.state_reason) == (3, State.CONFIRMED, None)


def test_threads_that_lease_at_once_get_different_jobs(store: Store) -> None:
    for number in range(30):
        store.amend(f"e{number}", asked(f"e{number}"), now=NOW)
    taken: list[str] = []

    def work(name: str) -> None:
        while job := lease(store, worker=name):
            taken.append(job.event_id)

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(f"e{number}" for number in range(30))


WORK = """
import sys
from pathlib import Path
from happenings import NOW, judged
from pipeline.store import Store
store = Store.open(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
while job := store.jobs.lease("judge", now=NOW, lease_s=30, worker=sys.argv[2]):
    print(job.event_id)
    store.amend(job.event_id, judged(), now=NOW)
"""


def test_processes_that_judge_at_once_share_the_work(store: Store, tmp_path: Path) -> None:
    for number in range(60):
        store.amend(f"e{number}", asked(f"e{number}"), now=NOW)
    processes = []
    for name in "abc":
        command, options = python(WORK, tmp_path / "data", name)
        processes.append(
            subprocess.Popen(
                command, **options, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        )
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    taken = [
        event_id
        for process in processes
        for event_id in process.communicate("go\n", timeout=60)[0].split()
    ]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sorted(taken) == sorted(f"e{number}" for number in range(60))
    assert [event.version for event in store.search(60)] == [2] * 60
