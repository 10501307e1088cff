"""The outbox holds every version in order until it is published, and as history after that."""

from __future__ import annotations

from happenings import NOW, after, created, ended, updated

from pipeline.store import Store


def test_rows_come_in_order_after_the_one_named(store: Store) -> None:
    for number in range(5):
        store.amend(f"e{number}", created(), now=NOW)
    rows = store.outbox.pending(after=1, limit=3)
    assert [(row.sequence, row.event.id) for row in rows] == [(2, "e1"), (3, "e2"), (4, "e3")]
    assert store.outbox.pending(after=5, limit=3) == []


def test_the_acknowledged_sequence_never_goes_back(store: Store) -> None:
    store.amend("e1", created(), now=NOW)
    assert store.outbox.acknowledged() == 0
    store.outbox.acknowledge(1)
    store.outbox.acknowledge(0)
    assert store.outbox.acknowledged() == 1


def test_old_history_goes_but_never_what_is_unpublished(store: Store) -> None:
    store.amend("e1", created(), now=NOW)
    store.amend("e1", updated(), now=after(1))
    store.amend("e1", ended(), now=after(100))
    store.outbox.acknowledge(1)
    assert store.outbox.prune(after(50)) == 1
    assert [event.version for event in store.versions("e1")] == [2, 3]
    store.outbox.acknowledge(3)
    assert store.outbox.prune(after(200)) == 1
    assert [event.version for event in store.versions("e1")] == [3], "the last of all"
    newest = store.event("e1")
    assert newest is not None
    assert newest.version == 3


def test_a_sequence_is_never_given_twice(store: Store) -> None:
    store.amend("e1", created(), now=NOW)
    store.amend("e2", created(announced=False), now=NOW)
    store.outbox.acknowledge(1)
    assert store.outbox.prune(after(1)) == 1
    assert store.outbox.newest() == 1
    store.amend("e3", created(), now=NOW)
    assert [row.sequence for row in store.outbox.pending(0, 10)] == [2]


def test_a_page_that_has_read_all_is_not_ahead_when_the_history_is_gone(store: Store) -> None:
    store.amend("e1", created(), now=NOW)
    store.amend("e1", ended(), now=after(1))
    store.outbox.acknowledge(2)
    read = store.outbox.last()
    store.outbox.prune(after(100))
    assert store.outbox.last() == read == 2
    store.amend("e2", created(), now=after(200))
    assert [row.sequence for row in store.outbox.after(read, 10)] == [3]
