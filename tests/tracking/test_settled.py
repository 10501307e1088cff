"""What is part of the place: parked cars, posters, chairs; through flicker, restarts and week-ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import handmade
import numpy as np
import pytest
from handmade import standing, times

from pipeline.config import LoiterRule, ZoneRule
from pipeline.tracking import Settled, Tracking
from pipeline.tracking.places import GAP_S, UNCONFIRMED_S
from pipeline.tracking.settled import MOST_PLACES
from pipeline.types import Box, Detection, Track

HOUR, DAY = 3600.0, 86_400.0
RED, BLUE = np.eye(8, dtype=np.float32)[:2]
LOT = (500.0, 800.0)
"""Where the car is parked."""


def thing(x: float, y: float = LOT[1], label: str = "car", look: np.ndarray | None = None):
    return replace(Detection(label, 0.8, standing(x, y)), embedding=look)


CAR, POSTER = thing(LOT[0]), thing(300, 500, "person")


class Camera:
    """Tracks what is found, and says what of it is settled; a restart begins both anew."""

    def __init__(self, *rules: object) -> None:
        self.rules = rules
        self.settled, self.tracking = Settled(rules), Tracking()

    def look(self, at: float, found: Iterable[Detection]) -> tuple[Track, ...]:
        frame = handmade.frame(at, image=GREY)
        return self.settled.update(frame, *self.tracking.update(frame, list(found)))[0]

    def watch(
        self,
        moments: Sequence[float],
        found: Callable[[float], Iterable[Detection]] | Iterable[Detection],
    ) -> list[tuple[float, Track]]:
        """Every track at every moment."""
        return [
            (at, track)
            for at in moments
            for track in self.look(at, found(at) if callable(found) else found)
        ]

    def restarted(self) -> Camera:
        """Another process, which knows only what was kept for days."""
        after = Camera(*self.rules)
        after.settled.recall(json.loads(json.dumps(self.settled.memory())))
        return after


GREY = np.full((1000, 1000, 3), 114, np.uint8)


def news(seen: Iterable[tuple[float, Track]]) -> list[tuple[float, Track]]:
    """What rules speak of."""
    return [(at, track) for at, track in seen if not track.settled]


@pytest.fixture
def parked() -> Camera:
    """A camera before which a car has stood for two minutes."""
    camera = Camera()
    camera.watch(times(0, 120, 0.5), [CAR])
    return camera


@pytest.mark.parametrize(
    ("label", "seconds"),
    [("car", 60), ("suitcase", 60), ("chair", 60), ("person", 600), ("dog", 600)],
)
def test_what_stands_long_is_part_of_the_place(label: str, seconds: float):
    seen = Camera().watch(times(0, seconds + 20, 0.5), [thing(500, label=label)])
    settled = [at for at, track in seen if track.settled]
    assert settled[0] == pytest.approx(seconds, abs=3)
    assert settled == [at for at, _ in seen if at >= settled[0]]


def test_nothing_settles_before_the_rules_that_wait_have_found_it():
    camera = Camera(LoiterRule(type="loiter", labels=("truck",), seconds=300), ZoneRule())
    seen = camera.watch(times(0, 400, 0.5), [CAR])
    assert min(at for at, track in seen if track.settled) == pytest.approx(330, abs=3)


def test_a_parked_car_that_flickers_through_the_night_is_no_news(parked: Camera):
    night = [at for begin in times(130, 4000, 97) for at in times(begin, begin + 3, 0.5)]
    seen = parked.watch(night, [thing(510, 795, "truck")])
    assert len({track.id for _, track in seen}) > 30
    assert news(seen) == []


@pytest.mark.parametrize("away_s", [HOUR, 2.7 * DAY], ids=["an hour", "a week-end"])
def test_a_parked_car_is_no_news_after_a_restart(parked: Camera, away_s: float):
    seen = parked.restarted().watch(times(away_s, away_s + 20), [CAR])
    assert len(seen) > 90
    assert news(seen) == []


def test_nor_where_it_was_not_found_for_as_long_without_a_restart(parked: Camera):
    assert news(parked.watch(times(2.7 * DAY, 2.7 * DAY + 5), [CAR])) == []


def test_what_was_not_found_for_days_is_forgotten(parked: Camera):
    late = UNCONFIRMED_S + 200
    assert news(parked.watch(times(late, late + 5), [CAR]))
    assert news(parked.restarted().watch(times(late, late + 5), [CAR]))


def test_a_parked_car_that_drives_off_is_news_again(parked: Camera):
    seen = parked.watch(times(120.2, 126), lambda at: [thing(500 + 60 * (at - 120))])
    left = [at for at, _ in news(seen)]
    assert 121 < left[0] < 123
    assert left == [at for at, _ in seen if at >= left[0]]


def test_another_car_that_parks_in_the_same_place_later_is_news(parked: Camera):
    parked.watch(times(120.2, 128), lambda at: [thing(500 + 60 * (at - 120))])
    assert news(parked.watch(times(200, 210), [CAR])), "a place that was left is forgotten"


def test_a_car_that_drives_in_while_another_is_still_remembered_is_news(parked: Camera):
    seen = parked.restarted().watch(
        times(HOUR, HOUR + 30), lambda at: [thing(max(500, 900 - 60 * (at - HOUR)))]
    )
    assert news(seen) == seen


def test_a_car_that_passes_a_parked_one_is_news_and_the_parked_one_stays_settled(parked: Camera):
    parked.watch(times(120.2, 140), [])
    seen = parked.watch(times(150, 156), lambda at: [thing(430 + 60 * (at - 150))])
    assert news(seen), "it began where the parked one was not found for a moment, and moves"
    assert news(parked.watch(times(200, 220), [CAR])) == []


def test_a_parked_car_that_another_has_hidden_is_no_news_when_that_has_gone(parked: Camera):
    def before_it(at: float) -> list[Detection]:
        x = 510 + 80 * (max(0, 125 - at) + max(0, at - 150))
        return [thing(x, 830)] if x < 950 else []

    seen = parked.watch(times(120.2, 160), before_it)
    assert news(seen)
    assert news(parked.watch(times(160.2, 170), [CAR])) == []


def test_a_car_that_parks_where_another_was_towed_away_replaces_it(parked: Camera):
    seen = parked.watch(times(200, 280), lambda at: [thing(max(500, 900 - 60 * (at - 200)), 805)])
    assert news(seen)
    assert len(parked.settled.memory()["places"]) == 1


def test_what_plainly_looks_different_is_another_thing():
    camera = Camera()
    camera.watch(times(0, 120, 0.5), [thing(500, look=RED)])
    after = camera.restarted()
    assert news(after.watch(times(HOUR, HOUR + 5), [thing(500, look=BLUE)]))
    by_night = (0.7 * RED + np.sqrt(1 - 0.7**2) * BLUE).astype(np.float32)
    after = camera.restarted()
    assert news(after.watch(times(HOUR, HOUR + 5), [thing(500, look=by_night)])) == []


def test_what_a_thing_looks_like_may_change_with_the_light():
    def dusk(at: float) -> list[Detection]:
        angle = np.pi / 2 * min(at / 600, 1)
        look = np.cos(angle) * RED + np.sin(angle) * BLUE
        return [thing(500, look=look.astype(np.float32))]

    camera = Camera()
    camera.watch(times(0, 900, 0.8), dusk)
    seen = camera.restarted().watch(times(HOUR, HOUR + 5), [thing(500, look=BLUE)])
    assert news(seen) == []


def test_a_person_is_never_taken_for_a_parked_car(parked: Camera):
    seen = parked.watch(times(200, 205), [thing(500, label="person")])
    assert news(seen) == seen


def test_a_poster_taken_for_a_person_is_news_for_ten_minutes_only_and_never_again():
    camera = Camera()
    seen = camera.watch(times(0, 900, 0.5), [POSTER])
    assert max(at for at, _ in news(seen)) < 605
    assert news(camera.restarted().watch(times(DAY, DAY + 60, 0.5), [POSTER])) == []


def test_somebody_who_walks_past_a_poster_is_news():
    camera = Camera()
    camera.watch(times(0, 900, 0.5), [POSTER])
    seen = camera.watch(
        times(900.2, 912), lambda at: [POSTER, thing(100 + 60 * (at - 900), 520, "person")]
    )
    assert len({track.id for _, track in news(seen)}) == 1
    assert {track.detection.box for _, track in seen if track.settled} == {POSTER.box}


def test_what_flickers_from_the_start_settles_too():
    looks = [at for begin in range(0, 1200, 100) for at in times(begin, begin + 4, 0.5)]
    seen = Camera().watch(looks, [POSTER])
    assert max(at for at, _ in news(seen)) < 620


def test_what_was_found_twice_long_after_each_other_has_not_stood_there_meanwhile():
    camera = Camera()
    camera.watch(times(0, 30, 0.5), [CAR])
    late = 30 + GAP_S + 20
    assert news(camera.watch(times(late, late + 30, 0.5), [CAR]))


def test_what_is_hidden_in_part_for_a_moment_has_not_left(parked: Camera):
    half = replace(CAR, box=Box(CAR.box.x1, CAR.box.y1 + 80, CAR.box.x2, CAR.box.y2))
    aside = replace(CAR, box=Box(*(value + 90 for value in CAR.box)))
    seen = parked.watch(
        times(120.2, 135),
        lambda at: [half] if 122 < at < 128 else [aside] if 130 < at < 130.7 else [CAR],
    )
    assert news(seen) == []


def test_what_trembles_far_off_now_and_then_has_not_left(parked: Camera):
    aside = replace(CAR, box=Box(*(value + 90 for value in CAR.box)))
    seen = parked.watch(times(120.2, 140), lambda at: [aside] if at % 2 < 0.7 else [CAR])
    assert news(seen) == []


def test_when_two_swap_their_numbers_the_parked_one_is_no_news(parked: Camera):
    parked.watch(times(120.2, 124), lambda at: [thing(500 + 60 * (at - 120))])
    seen = parked.watch(times(126, 150), [CAR])
    assert news(seen) == []


def test_who_stands_before_a_poster_for_a_while_does_not_make_it_news():
    camera = Camera()
    camera.watch(times(0, 700, 0.5), [POSTER])
    seen = camera.watch(
        times(700.2, 730),
        lambda at: [POSTER, thing(max(310, 600 - 60 * (at - 700)), 520, "person")],
    )
    assert {track.id for _, track in news(seen)} == {2}
    assert {track.id for at, track in seen if track.settled} == {1}
    assert news(camera.watch(times(740, 760), [POSTER])) == []


def test_who_stands_where_a_car_is_parked_does_not_make_it_news(parked: Camera):
    parked.watch(times(121, 140), [thing(500, label="person")])
    assert news(parked.watch(times(141, 150), [CAR])) == []


def test_a_second_box_that_drifts_off_leaves_the_parked_car_where_it_is(parked: Camera):
    parked.watch(times(120.2, 140), [CAR, thing(515, 790, "truck")])
    parked.watch(times(140.2, 146), lambda at: [CAR, thing(515 + 60 * (at - 140), 790, "truck")])
    parked.watch(times(146.2, 160), [])
    assert news(parked.watch(times(165, 170), [CAR])) == []


def test_a_camera_that_turns_a_little_each_day_keeps_its_places(parked: Camera):
    for day in range(1, 8):
        parked = parked.restarted()
        assert news(parked.watch(times(day * DAY, day * DAY + 20), [thing(500 + 12 * day)])) == []


def test_what_was_found_in_part_at_first_is_told_of_for_no_longer_than_that(parked: Camera):
    parked.watch(times(121, 130), [])
    part = replace(CAR, box=Box(CAR.box.x1, CAR.box.y1, CAR.box.x2, CAR.box.y2 - 110))
    seen = parked.watch(times(130, 150), lambda at: [part] if at < 131.5 else [CAR])
    assert 0 < len(news(seen)) < 15


def test_a_second_box_on_a_parked_car_is_no_news(parked: Camera):
    seen = parked.watch(times(120.2, 140), [CAR, thing(515, 790, "truck")])
    assert len({track.id for _, track in seen}) == 2
    assert news(seen) == []


def test_who_gets_up_after_having_sat_there_for_long_is_news():
    camera = Camera()
    camera.watch(times(0, 700, 0.5), [POSTER])
    seen = camera.watch(times(700.2, 706), lambda at: [thing(300 + 60 * (at - 700), 500, "person")])
    assert news(seen)
    assert news(camera.watch(times(730, 740), [POSTER])), "the place was left"


def test_a_break_in_the_stream_changes_nothing(parked: Camera):
    parked.tracking.reset()
    assert news(parked.watch(times(130, 140), [CAR])) == []


def test_a_picture_of_another_size_changes_nothing(parked: Camera):
    parked.tracking.reset()
    small = np.full((500, 500, 3), 114, np.uint8)
    box = Box(*(value / 2 for value in CAR.box))
    for at in times(130, 140):
        frame = handmade.frame(at, image=small)
        found = parked.tracking.update(frame, [replace(CAR, box=box)])
        assert all(track.settled for track in parked.settled.update(frame, *found)[0])


def test_after_a_short_restart_a_settled_track_goes_on_and_may_leave():
    parked, after = Camera(), Camera()
    parked.watch(times(0, 120, 0.5), lambda at: [thing(max(500, 700 - 60 * at))])
    after.tracking.restore(json.loads(json.dumps(parked.tracking.state())), age_s=5.0)
    after.settled.restore(json.loads(json.dumps(parked.settled.state())))
    assert news(after.watch(times(125, 130), [CAR])) == []
    seen = after.watch(times(130.2, 136), lambda at: [thing(500 + 60 * (at - 130))])
    assert {track.id for _, track in seen} == {1}
    assert news(seen)


def test_it_is_kept_though_nothing_was_looked_at_before_the_next_restart(parked: Camera):
    idle = parked.restarted()
    assert idle.settled.memory() == parked.settled.memory()
    assert news(idle.restarted().watch(times(HOUR, HOUR + 5), [CAR])) == []


@pytest.mark.parametrize("broken", [{}, {"since": "soon"}, {"box": None}])
def test_a_memory_that_cannot_be_read_is_found_out_at_once(parked: Camera, broken: dict):
    (place,) = parked.settled.memory()["places"]
    with pytest.raises((KeyError, TypeError, ValueError)):
        Settled().recall({"places": [{**place, **broken} if broken else {}]})


def test_a_clock_that_was_set_back_forgets_nothing(parked: Camera):
    assert news(parked.restarted().watch(times(-HOUR, 5 - HOUR), [CAR])) == []
    after = parked.restarted()
    after.watch([-30 * DAY], [])
    late = UNCONFIRMED_S + 100 - 30 * DAY
    assert news(after.watch(times(late, late + 5), [CAR])), "nor keeps it for longer"


def test_tracks_that_have_gone_are_not_remembered_each(parked: Camera):
    looks = [at for begin in times(130, 4000, 97) for at in times(begin, begin + 3, 0.5)]
    parked.watch(looks, [CAR])
    assert len(parked.settled.state()["tracks"]) <= 2


def test_what_is_lost_is_told_as_settled_as_it_was(parked: Camera):
    lost = []
    for at in times(120.2, 125):
        frame = handmade.frame(at, image=GREY)
        lost += parked.settled.update(frame, *parked.tracking.update(frame, []))[1]
    assert [track.settled for track in lost] == [True]


def test_no_more_places_are_remembered_than_stated():
    camera = Camera()
    for row in range(15):
        found = [thing(30 + 65 * column, 100 + row * 45, "chair") for column in range(15)]
        boxes = [replace(one, box=standing(*one.box.foot, 40)) for one in found]
        camera.tracking.reset()
        camera.watch(times(row * 100, row * 100 + 70, 1.0), boxes)
    places = camera.settled.memory()["places"]
    assert len(places) == MOST_PLACES
    assert min(place["box"][3] for place in places) > 0.1, "the first row was confirmed longest ago"
