"""What becomes of an event when a more severe rule leads it, and of one that nobody is told of."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from happenings import (
    NOW,
    after,
    asked,
    created,
    ended,
    judged,
    leading,
    picture,
    scene,
    updated,
)

from pipeline.store import JobKind, Store
from pipeline.types import Event, EventRule, Outcome, Severity, State

RULES = (
    EventRule(rule="lingers", severity=Severity.NOTICE, started=NOW, rule_reason="It lingers."),
    EventRule(rule="falls", severity=Severity.ALERT, started=after(3), rule_reason="It falls."),
)
FALL = scene().model_copy(update={"question": leading().question})


def question(store: Store) -> str | None:
    """What a judge would be asked next."""
    job = store.jobs.lease(JobKind.JUDGE, now=after(10), lease_s=1, worker="w")
    return None if job is None else job.scene.question


def test_a_more_severe_rule_leads_with_all_that_is_its_own(store: Store) -> None:
    store.amend("e1", created(severity=Severity.NOTICE), now=NOW)
    fallen = picture().model_copy(update={"key": "events/e1/falls-frame.jpg"})
    amendment = updated(leading=leading(images=(fallen,)), rules=RULES, rule_reason="It falls.")
    event = store.amend("e1", amendment, now=after(3))
    assert (event.rule, event.severity, event.zone) == ("falls", Severity.ALERT, None)
    assert (event.question, event.rule_reason) == (leading().question, "It falls.")
    assert (event.description, event.images) == (leading().description, (fallen,))
    assert event.rules == RULES
    assert store.search(severity=Severity.ALERT, rule="falls") == [event]
    again = store.amend("e1", amendment, now=after(4))
    assert again == event


def test_a_severity_never_falls(store: Store) -> None:
    before = store.amend("e1", created(severity=Severity.ALERT), now=NOW)
    milder = updated(leading=leading(severity=Severity.INFO), rules=RULES)
    event = store.amend("e1", milder, now=after(1))
    assert (event.rule, event.severity, event.question) == (
        before.rule,
        Severity.ALERT,
        before.question,
    )


@pytest.mark.parametrize("outcome", [None, *Outcome])
def test_a_model_is_asked_the_new_question_and_the_old_answer_does_not_count(
    store: Store, outcome: Outcome | None
) -> None:
    store.amend("e1", asked(severity=Severity.NOTICE), now=NOW)
    if outcome is not None:
        store.amend("e1", judged(outcome), now=after(1))
    event = store.amend("e1", updated(leading=leading(scene=FALL)), now=after(2))
    assert event.state is State.DETECTED
    assert (event.probability, event.judged_by, event.judge_reason) == (None, None, None)
    assert "model" not in event.scores
    assert question(store) == leading().question


def test_an_answer_to_the_question_before_changes_nothing_and_the_new_one_is_still_asked(
    store: Store,
) -> None:
    store.amend("e1", asked(severity=Severity.NOTICE), now=NOW)
    led = store.amend("e1", updated(leading=leading(scene=FALL)), now=after(2))
    assert store.amend("e1", judged(Outcome.NO), now=after(3)) == led
    assert question(store) == leading().question
    answer = judged(Outcome.YES, question=leading().question)
    assert store.amend("e1", answer, now=after(12)).state is State.CONFIRMED
    assert question(store) is None


def test_where_nobody_is_asked_the_new_question_the_event_is_unjudged(store: Store) -> None:
    store.amend("e1", asked(severity=Severity.NOTICE), now=NOW)
    led = store.amend("e1", updated(leading=leading()), now=after(2))
    assert led.state is State.UNJUDGED
    assert question(store) is None
    # The judge was at the question before.
    assert store.amend("e1", judged(Outcome.YES), now=after(3)) == led
    assert store.sweep_deadlines(after(100)) == []


def test_what_nobody_is_told_of_is_kept_and_seen_but_not_published(store: Store) -> None:
    store.amend("e1", created(), now=NOW)
    store.amend("e2", created(announced=False), now=NOW)
    store.amend("e2", ended(), now=after(1))
    store.amend("e3", created(), now=after(2))
    assert [event.id for event in store.search()] == ["e3", "e2", "e1"]
    assert [event.version for event in store.versions("e2")] == [1, 2]
    assert [(row.sequence, row.event.id) for row in store.outbox.pending(0, 10)] == [
        (1, "e1"),
        (2, "e3"),
    ]
    assert [row.event.id for row in store.outbox.after(0, 10)] == ["e1", "e2", "e2", "e3"]
    assert (store.outbox.newest(), store.outbox.last()) == (2, 4)


def test_from_the_version_on_that_announces_it_it_is_published(store: Store) -> None:
    store.amend("e1", created(announced=False, severity=Severity.NOTICE), now=NOW)
    store.amend("e1", updated(leading=leading(), announced=True), now=after(1))
    store.amend("e1", ended(), now=after(2))
    published = [(row.event.version, row.event.announced) for row in store.outbox.pending(0, 10)]
    assert published == [(2, True), (3, True)]


def test_one_that_was_not_asked_about_in_silence_is_asked_about_when_it_is_announced(
    store: Store,
) -> None:
    store.amend("e1", created(announced=False), now=NOW)
    same = leading(rule="lingers", question=created().question, scene=scene())
    event = store.amend("e1", updated(leading=same, announced=True), now=after(1))
    assert event.state is State.DETECTED
    assert question(store) == created().question


def test_old_silent_history_goes_too_and_no_number_is_given_twice(store: Store) -> None:
    store.amend("e1", created(), now=NOW)
    store.amend("e2", created(announced=False), now=NOW)
    store.amend("e3", created(announced=False), now=NOW)
    assert store.outbox.prune(after(1)) == 1
    store.outbox.acknowledge(1)
    assert store.outbox.prune(after(1)) == 1
    store.amend("e4", created(), now=after(2))
    assert [row.sequence for row in store.outbox.pending(0, 10)] == [2]


def test_events_of_an_earlier_version_are_read_and_go_on(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with Store.open(folder) as store:
        store.amend("e1", created(), now=NOW)
    with closing(sqlite3.connect(folder / "vigil.db")) as raw, raw:
        for table in ("events", "outbox"):
            ((snapshot,),) = raw.execute(f"SELECT snapshot FROM {table}").fetchall()
            old = {
                key: value
                for key, value in json.loads(snapshot).items()
                if key not in ("rules", "announced")
            }
            raw.execute(f"UPDATE {table} SET snapshot = ?", (json.dumps(old),))
        raw.execute("DROP TABLE camera_memories")
        raw.execute("DROP INDEX outbox_number")
        raw.execute("ALTER TABLE outbox DROP COLUMN number")
        raw.execute("UPDATE alembic_version SET version_num = '0004'")
    with Store.open(folder) as store:
        event = store.event("e1")
        assert isinstance(event, Event)
        assert (event.rules, event.announced) == ((), True)
        store.amend("e1", updated(rules=RULES), now=after(1))
        rows = store.outbox.pending(0, 10)
        assert [(row.sequence, len(row.event.rules)) for row in rows] == [(1, 0), (2, 2)]
