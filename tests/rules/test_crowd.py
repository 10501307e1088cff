from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace

import handmade
import pytest
from handmade import times

from pipeline.config import CrowdRule
from pipeline.protocols import Rule
from pipeline.rules import make_rule
from pipeline.types import Finding, Track, Zone

YARD = Zone("yard", "the yard", ((0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0)))
Seen = Callable[[float], Iterable[int]]


def rule(**keys: object) -> Rule:
    config = CrowdRule.model_validate(
        {"type": "crowd", "zone": "yard", "count": 4, "seconds": 3, **keys}
    )
    return make_rule("gathering", config, {"yard": YARD})


def person(number: int, at: float, **keys) -> Track:
    return handmade.track(number, 60 + 110 * (number % 9), 800, at=at, height=100, **keys)


def told(
    watching: Rule, seen: Seen, begin: float = 0, end: float = 20, step: float = 0.2
) -> list[tuple[float, Finding]]:
    """What is found where those of these numbers are seen."""
    found = []
    for at in times(begin, end, step):
        now = replace(handmade.view(at, [person(n, at) for n in seen(at)]), period_s=step)
        found += [(at, finding) for finding in watching.update(now)]
    return found


@pytest.mark.parametrize("step", [0.5, 0.2, 0.04])
def test_as_many_as_that_for_so_long_are_a_crowd(step):
    found = told(rule(), lambda at: range(4) if at >= 4 else range(3), step=step)
    assert found[0][0] == pytest.approx(4 + 0.4 + 3, abs=0.61)
    at, finding = found[-1]
    assert at == pytest.approx(20.0)
    assert finding.group
    assert [track.id for track in finding.tracks] == [0, 1, 2, 3]
    assert finding.rule_reason.startswith("4 people are in the yard, 4 or more for 1")
    assert finding.question == "Are 4 or more people in the yard?"
    assert finding.evidence["count"] == 4.0
    assert finding.strength == 0.5


def test_fewer_or_shorter_are_none():
    assert not told(rule(), lambda at: range(3))
    assert not told(rule(), lambda at: range(5) if 4 <= at < 6.8 else range(3))


def test_who_stands_outside_does_not_count():
    watching = rule()
    for at in times(0, 10):
        seen = [*(person(n, at) for n in range(3)), handmade.track(8, 500, 300, at=at)]
        assert not watching.update(handmade.view(at, seen))


def test_those_who_are_missed_in_some_looks_count():
    def flickers(at: float) -> list[int]:
        look = round(at * 5)
        return [n for n in range(4) if (look + n) % 4]

    found = told(rule(), flickers)
    assert found[0][0] == pytest.approx(3.6, abs=0.5)
    assert found[-1][1].evidence["count"] == 4.0


def test_one_who_goes_on_under_another_number_is_not_two():
    def changes(at: float) -> list[int]:
        # Numbers that are nine apart stand in one place.
        return [0, 1, 2 if int(at) % 2 else 11]

    watching = rule(seconds=0)
    for at in times(0, 20):
        began = float(int(at))
        seen = [person(n, at, since=began if n > 2 or n == 2 else 0.0) for n in changes(at)]
        assert not watching.update(handmade.view(at, seen))


def test_a_crowd_that_is_lost_for_a_moment_goes_on():
    found = told(rule(), lambda at: range(4) if at < 8 or at >= 12 else range(2))
    assert found[-1][1].started == found[0][1].started
    assert found[-1][1].evidence["lasted_s"] > 18


def test_a_crowd_that_has_gone_begins_anew():
    found = told(rule(), lambda at: range(4) if at < 8 or at >= 16 else range(2), end=30)
    assert len({finding.started for _, finding in found}) == 2


GROWING = {"growing_by": 3, "growing_s": 10}


def test_growing_counts_from_the_least_number_lately():
    found = told(rule(**GROWING), lambda at: range(5) if at >= 10 else range(1), end=40)
    assert found[0][1].rule_reason == (
        "5 people are in the yard, up from 1 within 10 s, 4 or more for 3 s, 02:14."
    )
    # What has grown once stays a crowd.
    assert found[-1][0] == pytest.approx(40.0)


def test_growing_slowly_is_no_growing():
    assert not told(rule(**GROWING), lambda at: range(min(int(at / 8) + 1, 5)), end=60)


def test_those_who_were_there_from_the_beginning_have_not_come():
    assert not told(rule(**GROWING), lambda at: range(5), end=30)


def test_after_an_outage_nobody_has_come_but_those_who_come():
    watching = rule(**GROWING)
    assert not told(watching, lambda at: range(1), end=10)
    assert not told(watching, lambda at: range(10, 15), begin=40, end=60)


def test_strength_is_a_half_at_the_number_and_one_at_twice_as_many():
    strengths = {n: told(rule(), lambda at, n=n: range(n))[-1][1].strength for n in (4, 6, 8)}
    assert strengths == pytest.approx({4: 0.5, 6: 0.75, 8: 1.0})


def test_several_labels_are_counted_together_and_named_each():
    watching = rule(labels=("person", "dog"))
    for at in times(0, 5):
        seen = [*(person(n, at) for n in range(3)), person(5, at, label="dog")]
        found = watching.update(handmade.view(at, seen))
    assert found[0].rule_reason.startswith("3 people and 1 dog are in the yard, 4 or more for")
    assert found[0].question == "Are 4 or more people or dogs in the yard?"


def test_settled_things_and_other_labels_do_not_count():
    watching = rule()
    for at in times(0, 10):
        seen = [replace(person(n, at), settled=n == 0) for n in range(4)]
        seen.append(person(6, at, label="dog"))
        assert not watching.update(handmade.view(at, seen))


@pytest.mark.parametrize("stopped", [2.0, 8.0])
def test_a_crowd_goes_on_after_a_restart(stopped):
    before, after = rule(), rule()
    told(before, lambda at: range(4), end=stopped)
    after.restore(json.loads(json.dumps(before.state())))
    found = told(after, lambda at: range(4) if at > 102 else [], begin=100, end=110)
    assert found[0][0] == pytest.approx(102.2)
    assert found[0][1].started == pytest.approx(5100.0 - stopped + 0.4, abs=0.01)


def breaks_off(watching: Rule, at: float, numbers: Iterable[int]) -> list[Finding]:
    seen = [person(n, at) for n in numbers]
    return watching.update(replace(handmade.view(at, seen), broken_off=True))


def test_those_from_before_the_stream_broke_off_do_not_count_with_those_after_it():
    watching = rule()
    assert told(watching, lambda at: range(4), end=5)
    assert not breaks_off(watching, 5.2, [5, 6])
    assert not told(watching, lambda at: [5, 6], begin=5.4)


def test_a_crowd_after_the_stream_broke_off_is_another_and_has_not_grown_from_what_was_before():
    watching = rule()
    assert told(watching, lambda at: range(4), end=8)
    assert not breaks_off(watching, 8.2, range(9, 13))
    found = told(watching, lambda at: range(9, 13), begin=8.4)
    assert found[0][0] == pytest.approx(8.2 + 3.0, abs=0.41)
    watching = rule(**GROWING)
    told(watching, lambda at: range(1), end=8)
    breaks_off(watching, 8.2, range(9, 14))
    assert not told(watching, lambda at: range(9, 14), begin=8.4)


def test_a_crowd_lasts_on_where_the_stream_breaks_off_before_it_is_told_of():
    watching = rule()
    assert not told(watching, lambda at: range(4), end=2)
    assert not breaks_off(watching, 2.2, range(9, 13))
    found = told(watching, lambda at: range(9, 13), begin=2.4)
    assert found[0][0] < 2.2 + 3.0
