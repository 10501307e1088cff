"""What is unusual for a camera and hour is found, once it has learned what is usual there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from handmade import BEGIN, standing, view

from pipeline.config import NoveltyRule
from pipeline.rules import make_rule
from pipeline.rules.novelty import AWAY_S, Novelty
from pipeline.rules.passages import Passage
from pipeline.types import Detection, Finding, Track, Zone

DAY_S = 86_400.0
HOUR_S = 3600.0
MIDNIGHT_S = (BEGIN.replace(hour=0, minute=0) - BEGIN).total_seconds()
"""Of the first day, which is a Sunday."""


def rule(**keys: Any) -> Novelty:
    settings = {"type": "novelty", "labels": ["person", "dog"], "warm_up_hours": 48, **keys}
    made = make_rule("novelty", NoveltyRule.model_validate(settings), {"step": STEP})
    assert isinstance(made, Novelty)
    return made


STEP = Zone("step", "the front step", ((0.0, 0.7), (1.0, 0.7), (1.0, 1.0), (0.0, 1.0)))


def passing(
    number: int,
    begins: float,
    *,
    y: float = 800.0,
    pace: float = 0.8,
    height: float = 200.0,
    label: str = "person",
    back: bool = False,
    stays: float = 0.0,
) -> Iterator[tuple[float, Track]]:
    """Somebody walks through the picture from left to right, twice a second seen."""
    at, x, stood = begins, 100.0, 0.0
    while x < 900:
        stands = stood < stays and x > 500
        speed = 0.0 if stands else pace
        track = Track(
            id=number,
            label=label,
            detection=Detection(label, 0.8, standing(1000 - x if back else x, y, height)),
            first_seen=5000.0 + begins,
            last_seen=5000.0 + at,
            velocity=(-speed if back else speed, 0.0),
        )
        yield at, track
        at += 0.5
        stood += 0.5 if stands else 0.0
        x += speed * height * 0.5


def watch(novelty: Novelty, *passages: Iterator[tuple[float, Track]]) -> list[Finding]:
    """What is found while these pass, one after the other, and until they are forgotten."""
    found = []
    for passage in passages:
        looks = list(passage)
        for at, track in looks:
            found += novelty.update(view(at, [track]))
        at, track = looks[-1]
        found += novelty.update(replace(view(at + 2), lost=(replace(track, lost=True),)))
        novelty.update(view(at + AWAY_S + 1))
    return found


def idle(novelty: Novelty, begin: float, end: float) -> None:
    for at in np.arange(begin, end, 50.0):
        novelty.update(view(float(at)))


def ordinary_days(novelty: Novelty, days: Sequence[int], a_day: int = 40) -> list[Finding]:
    """Days with people who pass between 8 and 18 o'clock, by a way that is never quite the same."""
    found = []
    for day in days:
        random = np.random.default_rng(day)
        midnight = MIDNIGHT_S + day * DAY_S
        last = midnight
        for index in range(a_day):
            begins = midnight + (8 + 10 * index / a_day) * HOUR_S + random.uniform(0, 300)
            idle(novelty, last, begins)
            passage = passing(
                day * 1000 + index,
                begins,
                y=800 + random.normal(0, 15),
                pace=random.lognormal(np.log(0.8), 0.15),
                height=200 * random.lognormal(0, 0.06),
                stays=float(random.exponential(8) if random.uniform() < 0.2 else 0),
            )
            found += watch(novelty, passage)
            last = begins + 100
        idle(novelty, last, midnight + DAY_S)
    return found


def noon(day: int) -> float:
    return MIDNIGHT_S + day * DAY_S + 12 * HOUR_S


@pytest.fixture(scope="module")
def learned() -> dict[str, Any]:
    """What was learned in ten days, as JSON."""
    novelty = rule()
    ordinary_days(novelty, range(10))
    return json.loads(json.dumps(novelty.memory()))


def knowing(learned: dict[str, Any], **keys: Any) -> Novelty:
    novelty = rule(**keys)
    novelty.recall(learned)
    return novelty


@pytest.mark.parametrize(
    ("unusual", "sentence"),
    [
        ({"y": 400.0}, "A person is where hardly any was before at this hour"),
        ({"pace": 2.4}, "A person is unusually fast at the back door"),
        ({"height": 380.0}, "A person is unusually large for that place"),
        ({"back": True}, "A person moves in an unusual direction at the back door"),
        ({"stays": 400.0}, "A person is at the back door for unusually long"),
        ({"label": "dog"}, "A dog is a rare sight at the back door"),
    ],
)
def test_what_is_unusual_is_found_and_the_sentence_says_in_which_way(
    learned: dict[str, Any], unusual: dict[str, Any], sentence: str
) -> None:
    found = watch(knowing(learned), passing(1, noon(10), **unusual))
    assert found
    assert found[0].rule_reason.startswith(f"{sentence} (")
    assert "bits, usually under" in found[0].rule_reason
    assert found[0].evidence["surprise_bits"] > found[0].evidence["limit_bits"]


def test_who_comes_at_night_where_nobody_does_is_found(learned: dict[str, Any]) -> None:
    found = watch(knowing(learned), passing(1, noon(10) - 9 * HOUR_S))
    assert found[0].rule_reason.startswith("A person is at the back door at an unusual hour (")
    assert found[0].rule_reason.endswith(", 03:00.")


def test_who_passes_as_others_did_is_not_found(learned: dict[str, Any]) -> None:
    assert not watch(knowing(learned), passing(1, noon(10)))


def test_usual_passages_are_found_less_often_than_allowed(learned: dict[str, Any]) -> None:
    found = ordinary_days(knowing(learned), range(10, 30))
    assert len({finding.tracks[0].id for finding in found}) <= 0.5 * 20


def test_what_is_found_holds_until_it_ends(learned: dict[str, Any]) -> None:
    novelty = knowing(learned)
    held = [bool(novelty.update(view(at, [t]))) for at, t in passing(1, noon(10), y=400.0)]
    first = held.index(True)
    assert all(held[first:])
    assert 3 <= first <= 5


@pytest.mark.parametrize("keys", [{"warm_up_hours": 400}, {"warm_up_passages": 5000}])
def test_it_is_silent_during_its_warm_up(learned: dict[str, Any], keys: dict[str, Any]) -> None:
    assert not watch(knowing(learned, **keys), passing(1, noon(10), y=400.0))


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


def test_only_what_is_in_the_zone_counts(learned: dict[str, Any]) -> None:
    novelty = knowing(learned, zone="step")
    assert not watch(novelty, passing(1, noon(10), y=400.0))
    assert novelty.memory()["passages"] == learned["passages"]


def test_the_same_days_give_the_same_memory() -> None:
    memories = []
    for _ in range(2):
        novelty = rule()
        ordinary_days(novelty, range(2))
        memories.append(novelty.memory())
    assert memories[0] == memories[1]


@pytest.mark.parametrize("damage", [{"peaks": "x"}, {"labels": {"person": "AAAA"}}, {"peaks": 3}])
def test_a_damaged_memory_is_refused_and_nothing_of_it_taken_over(
    learned: dict[str, Any], damage: dict[str, Any]
) -> None:
    novelty = rule()
    with pytest.raises((KeyError, TypeError, ValueError)):
        novelty.recall({**learned, **damage})
    assert novelty.memory() == rule().memory()


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
