"""Things that were left behind, and those that were not."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

import handmade
import pytest
from handmade import times, view

from pipeline.config import AbandonedRule
from pipeline.protocols import Rule
from pipeline.rules import make_rule
from pipeline.types import Finding, Track, Zone

HALL = Zone("hall", "the hall", ((0.0, 0.4), (1.0, 0.4), (1.0, 1.0), (0.0, 1.0)))
SPOT = (500.0, 800.0)
FAR = (950.0, 800.0)
"""Of somebody who is 200 pixels high, more than 1.5 heights from the spot."""


def rule(**keys: object) -> Rule:
    config = AbandonedRule.model_validate({"type": "abandoned", "zone": "hall", **keys})
    return make_rule("left", config, {"hall": HALL})


def bag(at: float, number: int = 2, x: float = SPOT[0], *, settled: bool = False) -> Track:
    track = handmade.track(number, x, SPOT[1], at=at, label="suitcase", height=80)
    return replace(track, settled=settled)


def somebody(at: float, x: float, number: int = 1) -> Track:
    return handmade.track(number, x, SPOT[1], at=at)


def walks(at: float, begin: float, number: int) -> list[Track]:
    """Somebody who walks through the picture past the spot, at 0.9 heights a second."""
    x = 180 * (at - begin)
    return [somebody(at, x, number)] if 0 <= x <= 1000 else []


def left_at(at: float, leaves: float, *, comes: float = 6.0) -> list[Track]:
    """An owner who puts down a bag at `comes`, stands beside it, and is off when it `leaves`."""
    owner = somebody(at, FAR[0] if at >= leaves or at < comes else SPOT[0] + 50)
    return [owner, bag(at)] if at >= comes else [owner]


def held(watching: Rule, moments: Sequence[float], tracks) -> list[tuple[float, Finding]]:
    return [(at, finding) for at in moments for finding in watching.update(view(at, tracks(at)))]


def moments(found: Iterable[tuple[float, Finding]]) -> list[float]:
    return [at for at, _ in found]


def test_a_thing_that_was_left_alone_is_found_after_the_limit():
    found = held(rule(), times(0, 100), lambda at: left_at(at, 20))
    assert moments(found)[0] == pytest.approx(80, abs=0.3)
    assert len(found) == pytest.approx(101, abs=2), "and until it is taken"


def test_the_sentence_tells_for_how_long_and_what_the_limit_is():
    _, finding = held(rule(), times(0, 82), lambda at: left_at(at, 20))[0]
    expected = "A suitcase has been alone in the hall for 60 s (limit 60 s), 02:15."
    assert finding.rule_reason == expected
    assert finding.question == "Has a suitcase been left in the hall with nobody near it?"
    assert [track.id for track in finding.tracks] == [2]
    assert finding.zone == "hall"
    assert finding.started == pytest.approx(5020, abs=0.3)
    assert finding.strength == pytest.approx(0.5, abs=0.01)
    assert finding.evidence["alone_s"] == pytest.approx(60, abs=0.3)
    assert finding.evidence["limit_s"] == 60


def test_whose_owner_stands_beside_it_is_not_alone():
    assert not held(rule(), times(0, 200), lambda at: left_at(at, 300))


def test_an_owner_who_comes_back_for_a_moment_begins_it_anew():
    def tracks(at: float) -> list[Track]:
        return [somebody(at, SPOT[0]), bag(at)] if 60 < at < 61 else left_at(at, 20)

    found = held(rule(), times(0, 130), tracks)
    assert moments(found)[0] == pytest.approx(121, abs=0.3)


def test_people_who_walk_past_do_not_keep_a_thing_from_being_alone():
    def tracks(at: float) -> list[Track]:
        passing = [one for k in range(30) for one in walks(at, 22 + 3 * k, 10 + k)]
        return [*left_at(at, 20), *passing]

    found = held(rule(), times(0, 100), tracks)
    assert 80 < moments(found)[0] < 86


def test_the_rule_waits_while_somebody_is_near_who_may_be_the_owner_under_a_new_number():
    def tracks(at: float) -> list[Track]:
        back = [somebody(at, SPOT[0], 9)] if 78 < at < 90 else []
        return [*left_at(at, 20), *back]

    assert moments(held(rule(), times(0, 140), tracks)) == []


def test_another_who_stays_by_it_minds_it():
    def tracks(at: float) -> list[Track]:
        return [*left_at(at, 20), somebody(at, 250, 9)] if 40 < at < 50 else left_at(at, 20)

    assert moments(held(rule(), times(0, 150), tracks))[0] == pytest.approx(110, abs=0.5)


def test_who_joins_the_owner_minds_it_too():
    def tracks(at: float) -> list[Track]:
        joined = [somebody(at, 450, 9)] if 18 < at < 22 else []
        return [*left_at(at, 20), *joined]

    assert moments(held(rule(), times(0, 150), tracks))[0] == pytest.approx(82, abs=0.5)


def test_how_near_is_near_is_measured_in_heights_of_the_person():
    def tracks(at: float) -> list[Track]:
        owner = somebody(at, SPOT[0] if at < 20 else SPOT[0] + 200 * 1.2)
        return [owner, bag(at)] if at > 6 else [owner]

    assert not held(rule(), times(0, 100), tracks)
    assert held(rule(near=1.0), times(0, 100), tracks)


def test_what_was_there_at_the_first_look_is_furniture_though_somebody_stood_by_it():
    def tracks(at: float) -> list[Track]:
        return [bag(at, settled=at > 70), *([somebody(at, SPOT[0])] if at < 20 else [])]

    assert not held(rule(), times(0, 200), tracks)


def test_furniture_that_flickers_is_not_brought_by_who_walks_past():
    def tracks(at: float) -> list[Track]:
        chair = [bag(at, 100 + int(at / 10))] if at % 10 < 3 else []
        return [*chair, *walks(at, 38, 1)]

    assert not held(rule(), times(0, 200), tracks)


def test_what_is_settled_already_is_not_brought():
    def tracks(at: float) -> list[Track]:
        return [bag(at, settled=True), *walks(at, 8, 1)] if at > 10 else walks(at, 8, 1)

    assert not held(rule(), times(0, 200), tracks)


def test_what_nobody_was_near_when_it_was_found_was_not_brought():
    assert not held(rule(), times(0, 200), lambda at: [bag(at)] if at > 10 else [])


def test_a_thing_that_is_found_only_when_its_owner_has_gone_was_brought():
    found = held(
        rule(), times(0, 100), lambda at: [t for t in left_at(at, 20) if at > 26 or t.id == 1]
    )
    assert moments(found)[0] == pytest.approx(80, abs=1)


def test_furniture_that_somebody_moves_was_brought():
    def tracks(at: float) -> list[Track]:
        carried = min(max(at - 20, 0), 5)
        owner = [somebody(at, 200 + 60 * carried)] if 15 < at < 27 else []
        return [bag(at, x=200 + 60 * carried), *owner]

    assert moments(held(rule(), times(0, 120), tracks))[0] == pytest.approx(87, abs=0.5)


def test_a_case_that_is_pulled_along_is_not_left():
    def tracks(at: float) -> list[Track]:
        x = 100 + 30 * (at % 25)
        return [somebody(at, x + 20), bag(at, x=x)] if at > 6 else []

    assert not held(rule(seconds=5), times(0, 60), tracks)


def test_a_thing_goes_on_being_alone_though_it_is_settled():
    found = held(
        rule(),
        times(0, 300, 0.5),
        lambda at: (
            [*left_at(at, 200)[:1], bag(at, settled=at > 100)] if at > 6 else left_at(at, 200)
        ),
    )
    assert moments(found)[0] == pytest.approx(260, abs=0.6)


def test_a_small_thing_that_flickers_is_one_that_stands_there():
    def tracks(at: float) -> list[Track]:
        owner, *things = left_at(at, 20)
        shown = at < 25 or at % 20 < 1
        return [owner, *(replace(one, id=100 + int(at / 20)) for one in things if shown)]

    found = held(rule(), times(0, 100), tracks)
    assert moments(found)[0] == pytest.approx(80, abs=0.3)
    assert moments(found)[-1] < 92, "what is not found for a while is told of no more"


def test_a_box_that_jumps_for_one_look_was_not_moved():
    def tracks(at: float) -> list[Track]:
        owner, *things = left_at(at, 20)
        jumps = bool(things) and round(at * 5) % 50 == 0
        return [owner, bag(at, x=SPOT[0] + 60)] if jumps else [owner, *things]

    assert moments(held(rule(), times(0, 100), tracks))[0] == pytest.approx(80, abs=0.3)


def test_a_thing_is_told_of_once():
    def tracks(at: float) -> list[Track]:
        return left_at(at, 20) if at < 100 or 150 < at < 1500 else []

    found = held(rule(), times(0, 1500, 0.5), tracks)
    assert moments(found)[-1] == pytest.approx(110, abs=1)
    found = held(rule(), times(0, 1500, 0.5), lambda at: left_at(at, 20))
    assert moments(found)[-1] == pytest.approx(680, abs=1)


def test_who_comes_back_ends_it_and_may_leave_it_again():
    def tracks(at: float) -> list[Track]:
        return left_at(at, 150) if at > 100 else left_at(at, 20)

    found = moments(held(rule(), times(0, 220), tracks))
    assert [at for at in found if 100.3 < at < 209] == []
    assert found[0] == pytest.approx(80, abs=0.3)
    assert found[-1] == pytest.approx(220)


def test_what_is_taken_is_no_longer_alone():
    def tracks(at: float) -> list[Track]:
        return left_at(at, 20) if at < 70 else []

    assert not held(rule(), times(0, 150), tracks)


def test_what_is_left_outside_the_zone_does_not_count():
    garden = Zone("hall", "the hall", ((0.0, 0.0), (1.0, 0.0), (1.0, 0.4), (0.0, 0.4)))
    config = AbandonedRule(type="abandoned", zone="hall")
    watching = make_rule("left", config, {"hall": garden})
    assert not held(watching, times(0, 100), lambda at: left_at(at, 20))


def test_other_labels_do_not_count():
    assert not held(rule(labels=["handbag"]), times(0, 100), lambda at: left_at(at, 20))


@pytest.mark.parametrize("numbers", [2, 50], ids=["the same track", "a new track"])
def test_after_a_restart_it_goes_on_being_alone(numbers: int):
    before, after = rule(), rule()
    assert not held(before, times(0, 60), lambda at: left_at(at, 20))
    after.restore(json.loads(json.dumps(before.state())))
    found = held(after, times(100, 130), lambda at: [bag(at, numbers)] if at > 103 else [])
    assert moments(found)[0] == pytest.approx(120, abs=0.3)


def test_after_a_restart_its_owner_still_minds_it_and_nothing_is_told_twice():
    before, after = rule(), rule()
    held(before, times(0, 60), lambda at: left_at(at, 20))
    after.restore(json.loads(json.dumps(before.state())))
    back = held(after, times(100, 140), lambda at: left_at(at, 102))
    assert back == []
    told, again = rule(), rule()
    assert held(told, times(0, 700, 0.5), lambda at: left_at(at, 20))
    again.restore(json.loads(json.dumps(told.state())))
    assert not held(again, times(720, 760), lambda at: left_at(at, 20))
