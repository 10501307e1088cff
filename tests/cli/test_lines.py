"""The lines that `vigil run` and `vigil subscribe` write about events."""

from __future__ import annotations

from itertools import pairwise

import pytest
from happenings import NOW, asked, created, judged

from pipeline.cli.events import line
from pipeline.cli.table import Display
from pipeline.incidents import uuid7
from pipeline.store.fold import fold
from pipeline.wording import short_id


def test_people_who_come_at_once_are_told_apart_by_the_ids_of_their_events(
    capsys: pytest.CaptureFixture[str],
) -> None:
    one, two = (fold(None, uuid7(), created(), NOW) for _ in range(2))
    display = Display((), None)
    display.event(one)
    display.event(two)
    told = capsys.readouterr().err.splitlines()
    assert [said.rpartition("  ")[2] for said in told] == [short_id(one.id), short_id(two.id)]
    assert told[0] != told[1]
    assert line(one) != line(two)


def test_what_the_model_says_is_told_with_the_id_of_its_event(
    capsys: pytest.CaptureFixture[str],
) -> None:
    event_id = uuid7()
    found = fold(None, event_id, asked(), NOW)
    display = Display((), None)
    display.event(found)
    display.event(fold(found, event_id, judged(), NOW))
    told = capsys.readouterr().err.splitlines()
    assert [said.rpartition("  ")[2] for said in told] == [short_id(event_id)] * 2
    assert "the model says yes" in told[1]


def test_events_that_are_found_at_one_moment_have_different_short_ids() -> None:
    assert all(short_id(one) < short_id(two) for one, two in pairwise(uuid7() for _ in range(100)))
