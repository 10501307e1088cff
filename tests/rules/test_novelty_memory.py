"""What the rule `novelty` has learned is kept, small, forgotten slowly, and survives a restart."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from handmade import BEGIN, view
from passing_by import (
    DAY_S,
    HOUR_S,
    MIDNIGHT_S,
    idle,
    knowing,
    noon,
    ordinary_days,
    passing,
    rule,
    watch,
)

from pipeline.config import NoveltyRule
from pipeline.rules.novelty import AWAY_S, Novelty
from pipeline.rules.passages import Passage


def test_what_is_new_becomes_usual(learned: dict[str, Any]) -> None:
    novelty = knowing(learned)
    assert watch(novelty, passing(1, noon(10), y=400.0))
    for index in range(60):
        watch(novelty, passing(2 + index, noon(10) + 100 + 100 * index, y=400.0))
    assert not watch(novelty, passing(99, noon(11), y=400.0))


def test_what_was_usual_is_forgotten(learned: dict[str, Any]) -> None:
    elsewhere = knowing(learned, forget_days=2)
    for day in range(10, 30):
        for index in range(20):
            begins = noon(day) + 300 * index
            watch(elsewhere, passing(day * 100 + index, begins, y=600.0))
        idle(elsewhere, noon(day) + 6100, noon(day) + DAY_S)
    assert watch(elsewhere, passing(1, noon(30), y=800.0))


def test_a_week_without_watching_forgets_nothing(learned: dict[str, Any]) -> None:
    novelty = knowing(learned)
    assert not watch(novelty, passing(1, noon(17)))
    assert watch(novelty, passing(2, noon(17) + 200, y=400.0))


def test_the_memory_is_small(learned: dict[str, Any]) -> None:
    assert len(json.dumps(learned)) < 20_000


def test_a_passage_is_learned_once_though_its_track_is_lost_and_found_again() -> None:
    novelty = rule()
    looks = list(passing(1, 0.0))
    for at, track in looks[:10]:
        novelty.update(view(at, [track]))
    gone = looks[9][1]
    novelty.update(replace(view(looks[9][0] + 1), lost=(replace(gone, lost=True),)))
    for at, track in looks[14:]:
        novelty.update(view(at, [track]))
    assert novelty.memory()["passages"] == 0
    novelty.update(view(looks[-1][0] + AWAY_S + 1))
    novelty.update(view(looks[-1][0] + AWAY_S + 40))
    assert novelty.memory()["passages"] == 1


def test_what_stands_there_for_good_is_learned_when_it_came_and_never_again() -> None:
    novelty = rule()
    looks = list(passing(1, 0.0))
    for at, track in looks:
        novelty.update(view(at, [track]))
    last = looks[-1][1]
    for at in np.arange(20.0, 400.0, 5.0):
        novelty.update(view(float(at), [replace(last, settled=True)]))
    assert novelty.memory()["passages"] == 1


def test_a_passage_goes_on_over_a_restart() -> None:
    looks = list(passing(1, 0.0))
    passages: list[Passage] = []
    config = NoveltyRule(type="novelty")
    first, second, whole = (
        Novelty("novelty", config, None, lambda _, passage, __: passages.append(passage))
        for _ in range(3)
    )
    for at, track in looks[:8]:
        first.update(view(at, [track]))
    second.restore(json.loads(json.dumps(first.state())))
    watch(second, iter(looks[8:]))
    watch(whole, iter(looks))
    resumed, one = passages
    # The look right after the restart may come too soon to count.
    assert one.looks - resumed.looks <= 1
    assert {min(one.cells), max(one.cells)} <= resumed.cells <= one.cells
    assert resumed.paces() == one.paces()


@pytest.mark.parametrize(
    "damage",
    [
        {"cells": [24 * 14]},
        {"ways": [[-1, 0.0, 1.0]]},
        {"heights": [[14, -1.0, 1]]},
        {"speeds": [[0, 24, 1]]},
        {"speeds": [[0, 1]]},
        {"label": "cow"},
        {"hour": 24.0},
        {"began_s": None},
    ],
)
def test_a_passage_under_way_of_another_form_is_refused_before_the_first_view(
    damage: dict[str, Any],
) -> None:
    before, after = rule(), rule()
    for at, track in list(passing(1, 0.0))[:4]:
        before.update(view(at, [track]))
    state = before.state()
    with pytest.raises((AttributeError, KeyError, TypeError, ValueError)):
        after.restore({"2": state["1"], "1": {**state["1"], **damage}})
    after.update(view(4.0))
    assert after.state() == {}


def test_while_the_stream_is_broken_off_nothing_is_watched() -> None:
    novelty = rule()
    for at in (0.0, 600.0):
        novelty.update(view(at))
    novelty.update(replace(view(8 * HOUR_S), broken_off=True))
    novelty.update(view(8 * HOUR_S + 600))
    assert novelty.memory()["watched_s"] == 1200


def test_the_same_days_give_the_same_memory() -> None:
    memories = []
    for _ in range(2):
        novelty = rule()
        ordinary_days(novelty, range(2))
        memories.append(novelty.memory())
    assert memories[0] == memories[1]


@pytest.mark.parametrize(
    "damage",
    [
        {"peaks": "x"},
        {"labels": {"person": "AAAA"}},
        {"peaks": 3},
        {"passages": float("inf")},
        {"watched_s": float("nan")},
    ],
)
def test_a_damaged_memory_is_refused_and_nothing_of_it_taken_over(
    learned: dict[str, Any], damage: dict[str, Any]
) -> None:
    novelty = rule()
    with pytest.raises((KeyError, TypeError, ValueError)):
        novelty.recall({**learned, **damage})
    assert novelty.memory() == rule().memory()


def test_the_memory_of_another_version_is_refused(learned: dict[str, Any]) -> None:
    earlier = {**learned, "lately_s": 864_000.0}
    del earlier["watched"]
    with pytest.raises((KeyError, ValueError)):
        rule().recall(earlier)


def test_nobody_is_found_for_coming_on_the_first_weekend() -> None:
    novelty = rule(warm_up_hours=24)
    # From a Monday to a Friday.
    ordinary_days(novelty, range(1, 6))
    found = ordinary_days(novelty, range(6, 8))
    assert not any("at an unusual hour" in finding.rule_reason for finding in found)


def test_weekends_are_other_days() -> None:
    novelty = rule(warm_up_hours=24)
    # The first day is a Sunday: two weeks in which nobody comes at weekends.
    working = [day for day in range(1, 15) if day % 7 not in (0, 6)]
    for day in range(1, 15):
        if day in working:
            ordinary_days(novelty, [day])
        else:
            idle(novelty, MIDNIGHT_S + day * DAY_S, MIDNIGHT_S + (day + 1) * DAY_S)
    assert (BEGIN + timedelta(seconds=noon(20))).weekday() == 5
    memory = novelty.memory()
    saturday, monday = rule(), rule()
    for other in (saturday, monday):
        other.recall(memory)
    found = watch(saturday, passing(1, noon(20)))
    assert found
    assert "at an unusual hour" in found[0].rule_reason
    assert not watch(monday, passing(1, noon(22)))
