"""What operators say of events, and how events are looked for."""

from __future__ import annotations

import pytest
from happenings import NOW, after, asked, created, judged

from pipeline.store import Store
from pipeline.types import Mark, MarkKind, Outcome, Severity, State


@pytest.fixture
def filled(store: Store) -> Store:
    store.amend("e1", created(rule="person", severity=Severity.NOTICE), now=NOW)
    store.amend("e2", created(camera="yard", camera_name="the yard", started=after(3600)), now=NOW)
    store.amend("e3", asked(started=after(7200)), now=NOW)
    store.amend("e3", judged(Outcome.YES), now=NOW)
    return store


def mark(store: Store, kind: MarkKind, event_id: str | None = "e1", seconds: float = 0) -> Mark:
    return store.marks.add(
        kind,
        camera="back-door",
        event_id=event_id,
        at=NOW,
        note=None,
        now=after(seconds),
    )


def test_the_newest_mark_of_an_event_holds(filled: Store) -> None:
    mark(filled, MarkKind.FALSE)
    newest = mark(filled, MarkKind.REAL, seconds=1)
    assert filled.marks.current(["e1", "e2"]) == {"e1": newest}


def test_undoing_a_mark_brings_back_the_one_before(filled: Store) -> None:
    first, second = mark(filled, MarkKind.FALSE), mark(filled, MarkKind.REAL)
    undone = filled.marks.undo(second.id, now=after(2))
    assert undone is not None
    assert undone.undone_at == after(2)
    assert filled.marks.current(["e1"]) == {"e1": first}
    assert [one.id for one in filled.marks.of_event("e1")] == [first.id, second.id]


def test_a_mark_is_undone_once(filled: Store) -> None:
    said = mark(filled, MarkKind.REAL)
    filled.marks.undo(said.id, now=after(2))
    again = filled.marks.undo(said.id, now=after(9))
    assert again is not None
    assert again.undone_at == after(2)
    assert filled.marks.undo(99, now=NOW) is None


def test_what_was_missed_needs_no_event_and_says_nothing_of_one(filled: Store) -> None:
    missed = mark(filled, MarkKind.MISSED, None)
    beside = mark(filled, MarkKind.MISSED, "e1")
    assert filled.marks.current(["e1"]) == {}
    assert filled.marks.page(10) == [beside, missed]
    assert filled.marks.page(10, before=beside.id) == [missed]
    with pytest.raises(ValueError, match="needs an event"):
        mark(filled, MarkKind.REAL, None)


def test_events_are_looked_for_by_all_that_the_page_filters_by(filled: Store) -> None:
    def ids(**wanted: object) -> list[str]:
        return [event.id for event in filled.search(**wanted)]  # type: ignore[arg-type]

    assert ids() == ["e3", "e2", "e1"]
    assert ids(camera="yard") == ["e2"]
    assert ids(rule="person") == ["e1"]
    assert ids(state=State.CONFIRMED) == ["e3"]
    assert ids(severity=Severity.ALERT) == ["e3", "e2"]
    assert ids(since=after(3600), until=after(7200)) == ["e2"]
    assert ids(before="e3", limit=1) == ["e2"]


def test_the_facets_are_what_there_is_to_filter_by(filled: Store) -> None:
    facets = filled.facets()
    assert facets.cameras == {"back-door": "the back door", "yard": "the yard"}
    assert facets.rules == ("lingers", "person")
