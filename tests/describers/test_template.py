from __future__ import annotations

from dataclasses import replace

import handmade
import pytest

from pipeline.describers.template import direction, facts, sentence
from pipeline.types import Finding, PathPoint, Track, Zone

LAWN = Zone("lawn", "the lawn", ((0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0)))


def finding(*tracks: Track, zone: str | None = None) -> Finding:
    reason = "A person has been on the lawn for 12 s, 02:14."
    return Finding("visit", tracks, zone, 5000.0, reason, 0.5, {}, "Is a person there?")


def walker(number: int, dx: float, dy: float, **settings) -> Track:
    """A track that went by (dx, dy) pixels within the last two seconds."""
    still = handmade.track(number, 500.0, 600.0, at=12.0, **settings)
    path = tuple(
        PathPoint(5010.0 + step / 5, 500 + dx * (step - 10) / 10, 600 + dy * (step - 10) / 10)
        for step in range(11)
    )
    return replace(still, path=path)


def told(*tracks: Track, zone: str | None = None, camera: str = "the campus") -> str:
    view = replace(
        handmade.view(12.0, tracks, {"lawn": LAWN}),
        camera_name=camera,
    )
    return sentence(view, finding(*tracks, zone=zone))


def test_a_walk_through_a_zone():
    told_of = told(walker(1, -300, 0), zone="lawn")
    assert told_of == "A person moves to the left on the lawn at the campus, 02:14."


def test_a_walk_through_the_picture():
    assert told(walker(1, 300, 20)) == "A person moves to the right at the campus, 02:14."


def test_somebody_who_does_not_move():
    still = replace(walker(1, 0, 0), stationary_since=5004.0)
    assert told(still, zone="lawn") == "A person stays on the lawn at the campus, 02:14."


def test_somebody_of_whom_only_the_place_is_known():
    assert told(walker(1, 10, 0)) == "A person is in view at the campus, 02:14."
    one_point = handmade.track(1, 500, 600, at=12)
    assert told(one_point, zone="lawn") == "A person is on the lawn at the campus, 02:14."


def test_a_camera_without_an_article_is_called_a_camera():
    assert told(walker(1, 0, 0), camera="cam 1") == "A person is in view on camera cam 1, 02:14."
    assert told(walker(1, 0, 0), camera="camera 1") == "A person is in view on camera 1, 02:14."


def test_several_that_go_the_same_way():
    tracks = (walker(1, -300, 0), walker(2, -250, 10))
    assert told(*tracks) == "Two people move to the left at the campus, 02:14."


def test_several_that_go_different_ways_are_only_there():
    tracks = (walker(1, -300, 0), walker(2, 300, 0), walker(3, 0, 0, label="umbrella"))
    assert told(*tracks) == "Two people and an umbrella are in view at the campus, 02:14."


def test_one_that_stays_beside_one_that_moves_claims_neither():
    still = replace(walker(2, 0, 0), stationary_since=5004.0)
    assert told(walker(1, -300, 0), still) == "Two people are in view at the campus, 02:14."


@pytest.mark.parametrize(
    ("label", "many"),
    [
        ("car", "cars"),
        ("bus", "buses"),
        ("bench", "benches"),
        ("mouse", "mice"),
        ("sheep", "sheep"),
        ("skis", "pairs of skis"),
        ("scissors", "pairs of scissors"),
        ("broccoli", "broccoli"),
    ],
)
def test_plurals(label, many):
    tracks = (walker(1, 0, 0, label=label), walker(2, 0, 0, label=label))
    assert told(*tracks) == f"Two {many} are in view at the campus, 02:14."


def test_one_of_what_has_no_singular():
    assert told(walker(1, 0, 0, label="skis")) == "A pair of skis is in view at the campus, 02:14."
    assert told(walker(1, 0, 0, label="broccoli")) == "Broccoli is in view at the campus, 02:14."


def test_a_finding_without_tracks_claims_nothing():
    assert told() == "Something is in view at the campus, 02:14."


@pytest.mark.parametrize(
    ("dx", "dy", "words"),
    [
        (300, 0, "to the right"),
        (-300, 30, "to the left"),
        (-300, -30, "to the left"),
        (0, 300, "towards the bottom of the picture"),
        (0, -300, "towards the top of the picture"),
        (200, 200, "to the lower right"),
        (-200, 200, "to the lower left"),
        (-200, -200, "to the upper left"),
        (200, -200, "to the upper right"),
        (5, 5, None),
        (0, 0, None),
    ],
)
def test_directions(dx, dy, words):
    assert direction(walker(1, dx, dy)) == words


def test_only_the_newest_part_of_a_path_gives_the_direction():
    there_and_back = walker(1, -300, 0)
    earlier = tuple(PathPoint(5000.0 + n, 100.0 + 50 * n, 600.0) for n in range(9))
    assert direction(replace(there_and_back, path=earlier + there_and_back.path)) == "to the left"


def test_facts_say_why_what_how_long_where_which_way_and_when():
    moving = walker(1, -300, 0, confidence=0.87)
    staying = replace(walker(2, 0, 0, since=2.0), stationary_since=5004.0)
    view = handmade.view(12.0, (moving, staying), {"lawn": LAWN})
    assert facts(view, finding(moving, staying, zone="lawn")) == (
        "A person has been on the lawn for 12 s, 02:14.",
        "A person (confidence 0.87), in view for 12 s, moving to the left.",
        "A person (confidence 0.80), in view for 10 s, without moving for 8 s.",
        "Place: on the lawn.",
        "Local time: Sunday 02:14.",
    )
