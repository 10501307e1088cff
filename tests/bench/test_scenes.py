"""Made scenes: everybody is where the scene says, the truth follows from it, and what disturbs them
does so as it says, from a seed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.bench.scenes.actors import (
    LYING,
    RUN,
    STANDING,
    WALK,
    Actor,
    Lens,
    bag,
    person,
)
from pipeline.bench.scenes.case import Case
from pipeline.bench.scenes.feeding import analysed, perfect_views
from pipeline.bench.scenes.films import film_of, walker
from pipeline.bench.scenes.noise import CLEAN, HARD, Noise, looks, with_stranger
from pipeline.bench.scenes.places import LEFT, MIDDLE, RIGHT, YARD, through, yard
from pipeline.bench.scenes.scene import CAMERA, CLOCK_S, Scene, SceneLook
from pipeline.bench.scenes.table import cases
from pipeline.bench.scenes.truth import Happening, crossings, spells, stays
from pipeline.incidents import Open
from pipeline.types import Box

INSIDE = {"type": "zone", "zone": "yard"}


def case(scene: Scene, **rule: object) -> Case:
    return Case("a test", "zone inside", INSIDE | rule, scene)


def only(scene: Scene, **rule: object) -> Happening:
    (happening,) = case(scene, **rule).truth
    return happening


def found(looks: list[SceneLook], name: str) -> list[float]:
    return [look.at for look in looks if name in [made.who for made in look.made]]


# Who is where


def test_a_walk_has_the_speed_that_it_is_given_in_own_heights() -> None:
    ann = person("Ann", (100, 600), start=2, height=200).goes((900, 600), speed=0.8)
    assert ann.now == pytest.approx(2 + 800 / 200 / 0.8)
    assert ann.foot(4.5) == pytest.approx((500, 600))
    assert ann.speed(4.5) == pytest.approx((0.8, 0))
    assert ann.box(4.5) == pytest.approx(Box(500 - 38, 400, 500 + 38, 600))


def test_far_from_the_camera_a_walk_is_as_fast_in_own_heights() -> None:
    lens = Lens(near=700, horizon=100)
    ann = person("Ann", (600, 250), height=300, lens=lens).goes((600, 700))
    assert ann.tall(0) == pytest.approx(75)
    assert ann.tall(ann.now) == pytest.approx(300)
    for at in np.linspace(0.1, ann.now - 0.1, 7):
        assert ann.speed(float(at))[1] == pytest.approx(WALK, rel=0.01)


def test_postures_change_the_box_evenly_and_keep_the_foot() -> None:
    ann = person("Ann", (600, 600), height=200).falls(0.6).stays(2)
    assert ann.whole_box(0) == pytest.approx(Box(562, 400, 638, 600))
    half = ann.whole_box(0.3)
    assert half.height == pytest.approx(100 * (STANDING.height + LYING.height))
    assert ann.whole_box(1) == pytest.approx(Box(510, 550, 690, 600))


def test_the_pictures_edge_cuts_a_box_off_and_who_is_outside_is_not_seen() -> None:
    ann = person("Ann", (-100, 600), height=200).goes((300, 600))
    assert not ann.visible(0)
    at = 100 / 160
    assert ann.box(at).x1 == 0
    assert ann.box(at).x2 == pytest.approx(38)
    assert ann.visible(at)
    assert not ann.visible(ann.now + 0.01)


def test_who_is_hidden_is_there_but_not_seen() -> None:
    ann = person("Ann", MIDDLE).stays(2).unseen(3).stays(1)
    seen = [at for at in (1.9, 2.1, 4.9, 5.1) if ann.visible(at)]
    assert seen == [1.9, 5.1]
    assert all(ann.there(at) for at in (1.9, 2.1, 4.9, 5.1))


# What is true


def test_the_truth_says_to_the_millisecond_when_somebody_is_in_a_zone() -> None:
    happening = only(yard(13, through("Ann")))
    # From column 512 to 768 at 160 pixels a second, from column -60 at second 1.
    assert happening.begins == pytest.approx(1 + 572 / 160, abs=1e-3)
    assert happening.ends == pytest.approx(1 + 828 / 160, abs=1e-3)
    assert (happening.who, happening.place, happening.rule) == (("Ann",), "yard", "zone")


def test_what_lasts_is_due_after_as_long_as_the_rule_waits() -> None:
    stands = person("Ann", LEFT, start=1).goes(MIDDLE).stays(12).goes(RIGHT)
    happening = only(yard(30, stands), type="loiter", seconds=10)
    assert happening.due == pytest.approx(happening.begins + 10)
    assert not case(yard(30, stands), type="loiter", seconds=14).truth


def test_the_truth_knows_the_side_to_which_a_line_is_crossed() -> None:
    upwards = [(0.5, 0.95), (0.5, 0.6)]
    scene = yard(13)
    ((at, way),) = crossings(scene, through("Ann"), upwards)
    assert at == pytest.approx(1 + 700 / 160, abs=1e-3)
    assert way == "to_right"
    ((back, other),) = crossings(scene, through("Ann"), upwards[::-1])
    assert (back, other) == (pytest.approx(at, abs=1e-3), "to_left")
    assert crossings(scene, through("Ann"), [(0.5, 0.2), (0.5, 0.1)]) == []


def test_a_thing_is_alone_from_when_its_owner_is_as_far_as_the_rule_says() -> None:
    owner = person("Ann", (600, 600), height=200).stays(2).goes((1200, 600))
    case_ = bag("case", (600, 600)).stays(20)
    rule = {"type": "abandoned", "labels": ["suitcase"], "seconds": 5, "near": 1.5, "zone": None}
    happening = only(yard(20, owner, case_), **rule)
    assert happening.begins == pytest.approx(2 + 300 / 160, abs=1e-3)
    assert happening.due == pytest.approx(happening.begins + 5)


def test_a_span_is_found_where_a_condition_changes_between_two_steps() -> None:
    assert spells(lambda at: 1.2345 <= at < 3.3333, 0, 10) == [
        pytest.approx((1.2345, 3.3333), abs=1e-3)
    ]
    assert spells(lambda at: True, 2, 5) == [(2, 5)]
    assert spells(lambda at: False, 2, 5) == []


@pytest.mark.parametrize("each", cases(), ids=lambda each: f"{each.kind}: {each.name}")
def test_each_scene_holds_as_many_happenings_as_its_author_meant(each: Case) -> None:
    assert len(each.truth) == each.happens
    assert all(0 <= h.begins <= h.due <= each.scene.seconds for h in each.truth)


def test_each_kind_of_rule_has_scenes_with_and_without_anything_to_find() -> None:
    for kind in {each.kind for each in cases()} - {"novelty"}:
        numbers = [each.happens for each in cases() if each.kind == kind]
        assert sum(number > 0 for number in numbers) >= 2, kind
        assert numbers.count(0) >= 3, kind


# What disturbs


def pair() -> Scene:
    bob = person("Bob", RIGHT, start=1).goes(LEFT)
    return yard(13, through("Ann"), bob)


def same(one: list[SceneLook], other: list[SceneLook]) -> bool:
    return [(look.at, look.made) for look in one] == [(look.at, look.made) for look in other]


def test_without_noise_everybody_is_found_exactly_where_they_are() -> None:
    scene = pair()
    clean = list(looks(scene, CLEAN, seed=3))
    assert same(clean, list(scene.looks()))
    for look in clean:
        expected = {name for name, actor in scene.named.items() if actor.visible(look.at)}
        assert {made.who for made in look.made} == expected
        for made in look.made:
            assert made.detection.box == scene.named[made.who or ""].box(look.at)


@pytest.mark.parametrize("kind", HARD)
def test_the_same_seed_disturbs_in_the_same_way_and_another_in_another(kind: str) -> None:
    scene = pair()
    assert same(list(looks(scene, HARD[kind], seed=1)), list(looks(scene, HARD[kind], seed=1)))
    assert not same(list(looks(scene, HARD[kind], seed=1)), list(looks(scene, HARD[kind], seed=2)))


def test_boxes_tremble_as_much_as_is_said() -> None:
    scene = yard(200, person("Ann", MIDDLE, height=200).stays(200))
    boxes = [look.detections[0].box for look in looks(scene, Noise(jitter=0.03))]
    assert np.std([box.y1 for box in boxes]) == pytest.approx(0.03 * 200, rel=0.1)
    assert np.mean([box.y2 for box in boxes]) == pytest.approx(600, abs=1)


def test_as_many_looks_miss_somebody_as_is_said_several_in_a_row() -> None:
    scene = yard(1000, person("Ann", MIDDLE).stays(1000))
    seen = [bool(look.made) for look in looks(scene, Noise(missed=0.2, missed_run_s=0.8))]
    assert seen.count(False) / len(seen) == pytest.approx(0.2, abs=0.03)
    runs = sum(before and not after for before, after in pairwise(seen))
    assert seen.count(False) / runs / 5 == pytest.approx(0.8, abs=0.15)


def test_now_and_then_a_box_shows_nobody() -> None:
    scene = yard(500, person("Ann", MIDDLE).stays(500))
    ghosts = [made for look in looks(scene, Noise(invented=0.2)) for made in look.made]
    ghosts = [made for made in ghosts if made.who is None]
    # One in five seconds, for one look or two.
    assert len(ghosts) == pytest.approx(150, rel=0.25)
    assert {ghost.detection.label for ghost in ghosts} == {"person"}


def test_in_the_dark_nobody_is_found_for_a_second() -> None:
    scene = yard(60, person("Ann", MIDDLE).stays(60))
    missed = sorted(
        {look.at for look in scene.looks()}
        - {look.at for look in looks(scene, Noise(dark=2), seed=1) if look.made}
    )
    assert len(missed) == 10


def test_who_passes_behind_a_pillar_is_not_found_meanwhile() -> None:
    seen = found(list(looks(yard(13, through("Ann")), Noise(pillar=0.08))), "Ann")
    (gap,) = [after - before for before, after in pairwise(seen) if after - before > 0.3]
    assert 0.4 < gap < 1.0


def test_two_who_meet_are_one_box_for_a_moment() -> None:
    numbers = [len(look.made) for look in looks(pair(), Noise(crossing=True)) if 3 < look.at < 8]
    assert set(numbers) == {1, 2}
    assert numbers.count(1) <= 2


def test_a_stranger_passes_straight_through_somebody() -> None:
    scene = yard(20, person("Ann", LEFT, start=1).goes(MIDDLE).stays(10))
    more = with_stranger(scene, ["person"], seed=1)
    ann, stranger = more.actors
    gaps = [abs(ann.foot(at)[0] - stranger.foot(at)[0]) for _, at in more.times()]
    assert min(gaps) < 40
    assert len(stays(more, stranger, "yard")) == 1
    assert with_stranger(scene, ["car"]) == scene


def test_who_stands_still_is_lost_once() -> None:
    scene = yard(20, person("Ann", LEFT, start=1).goes(MIDDLE).stays(10))
    seen = found(list(looks(scene, Noise(gone_s=2.4))), "Ann")
    (gap,) = [after - before for before, after in pairwise(seen) if after - before > 0.3]
    assert gap == pytest.approx(2.4, abs=0.21)
    assert min(at for at, after in pairwise(seen) if after - at > 0.3) > 5


def test_people_look_alike_as_much_as_they_do_to_a_real_detector() -> None:
    """The area under the curve, of the same against different people, is 0.8 to 0.94 there."""
    scene = yard(40, *(person(name, MIDDLE).stays(40) for name in ("Ann", "Bob", "Cid", "Dan")))
    seen: dict[str, list[np.ndarray]] = {}
    for look in looks(scene, Noise(appearance=HARD["identity"].appearance)):
        for made in look.made:
            seen.setdefault(made.who or "", []).append(made.detection.embedding)
    same = [float(a @ b) for each in seen.values() for a, b in pairwise(each)]
    different = [float(a @ b) for a, b in zip(seen["Ann"], seen["Bob"], strict=True)]
    order = np.argsort(np.argsort(same + different))
    area = (order[: len(same)].sum() - len(same) * (len(same) - 1) / 2) / len(same) / len(different)
    assert 0.8 < area < 0.97


# Before the product's stages


def test_a_scene_goes_through_tracking_rules_and_incidents() -> None:
    each = case(yard(13, through("Ann")))
    seen = list(analysed(each.scene, each.config()))
    (opened,) = [(look, a) for look in seen for a in look.actions if isinstance(a, Open)]
    assert opened[0].pts == pytest.approx(each.truth[0].due, abs=1)
    assert opened[1].finding.zone == "yard"
    assert {look.detections for look in seen} == {0, 1}


def test_a_rule_alone_sees_tracks_that_never_err() -> None:
    scene = yard(22, through("Ann"), person("Bob", MIDDLE, start=3).stays(8))
    each = case(scene)
    views = list(perfect_views(scene, each.config().cameras[CAMERA]))
    assert {track.id for view in views for track in view.tracks} == {1, 2}
    ann = next(view.tracks[0] for view in views if view.monotonic == CLOCK_S + 7)
    assert ann.velocity == pytest.approx((WALK, 0))
    assert ann.dwell["yard"] == pytest.approx(256 / 160, abs=0.21)
    bob = next(view.tracks[1] for view in views if view.monotonic == CLOCK_S + 8)
    assert bob.stationary_since == CLOCK_S + 3
    lost = [(view.monotonic - CLOCK_S, track.id) for view in views for track in view.lost]
    assert [track_id for _, track_id in lost] == [1, 2]
    assert lost[1][0] == pytest.approx(13.2, abs=0.21)


# As films


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scene, list[np.ndarray]]:
    ann: Actor = walker("Ann", LEFT, start=1).goes(MIDDLE, speed=RUN).stays(4)
    scene = yard(6, ann, light=((4.5, 0.5),))
    path: Path = film_of(scene, tmp_path_factory.mktemp("film") / "a.mp4")
    with av.open(str(path)) as container:
        pictures = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    return scene, pictures


def test_in_a_film_somebody_is_drawn_where_the_scene_says(film: tuple[Scene, list]) -> None:
    scene, pictures = film
    empty = pictures[0].astype(int)
    for index in (25, 40):
        changed = np.abs(pictures[index] - empty) > 40
        rows, columns = np.nonzero(changed)
        box = scene.actors[0].box(index / 10)
        drawn = [columns.min(), rows.min(), columns.max(), rows.max()]
        assert drawn == pytest.approx([edge / 2 for edge in box], abs=4)


def test_in_a_film_the_light_changes_when_the_scene_says(film: tuple[Scene, list]) -> None:
    _, pictures = film
    means = [float(picture.mean()) for picture in pictures]
    steps = [index for index, (a, b) in enumerate(pairwise(means), 1) if abs(a - b) > 10]
    assert steps == [45]
    assert means[46] / means[44] == pytest.approx(0.5, abs=0.05)
    assert len(pictures) == 60


def test_a_scene_can_be_changed_by_copy() -> None:
    scene = replace(yard(13, through("Ann")), seconds=3)
    assert [at for _, at in scene.times()][-1] == pytest.approx(2.8)
    assert scene.zones == {"yard": YARD}
