"""What one client is sent: one line of time, whatever is shown on it."""

from __future__ import annotations

from itertools import islice, pairwise
from pathlib import Path

import pytest
from films import make_film

from pipeline.simulate import FaultKind, Reel, copies, load
from pipeline.simulate.feed import Feed, Material

PERIOD = 9000
SEAM = 900_000


@pytest.fixture(scope="module")
def reel(tmp_path_factory: pytest.TempPathFactory) -> Reel:
    """Three seconds of 10 pictures, a keyframe each half second."""
    folder = tmp_path_factory.mktemp("reel")
    return load(make_film(folder / "yard.mp4", frames=30, gop=5), folder)


@pytest.fixture
def material(reel: Reel) -> Material:
    made = Material(reel, 0.0)
    made.keep(10_000_000)
    return made


def steps(pictures: list) -> set[int]:
    return {after.pts - before.pts for before, after in pairwise(pictures)}


def test_the_film_begins_anew_without_a_gap_in_time_and_its_leap_is_told(
    material: Material,
) -> None:
    feed = Feed(material, loop=True)
    found = [feed.next(None) for _ in range(65)]
    assert steps(found) == {PERIOD}
    assert [p.due_s for p in found] == pytest.approx([i / 10 for i in range(65)])
    assert [p.leap for p in found] == [0] * 30 + [SEAM] * 30 + [2 * SEAM] * 5
    once = Feed(material, loop=False)
    assert len(list(iter(lambda: once.next(None), None))) == 30


@pytest.mark.parametrize("room", [10_000_000, 0], ids=["in memory", "from the disk"])
def test_a_camera_may_begin_further_on_in_the_film_and_goes_round_like_the_others(
    reel: Reel, room: int
) -> None:
    material = Material(reel, 0.0)
    material.keep(room)
    film = [unit.units for unit in material.film()]
    feed = Feed(material, loop=True, ahead_s=1.7, seam_s=0.0)
    found = [feed.next(None) for _ in range(65)]
    # A keyframe each half second: the last one before 1.7 s is at 1.5 s.
    assert [p.units for p in found] == (film[15:] + film + film)[:65]
    assert [p.film_s for p in found[:2]] == pytest.approx([1.5, 1.6])
    assert (found[0].due_s, found[0].pts) == (0.0, 0)
    assert steps(found) == {PERIOD}
    assert {p.leap for p in found} == {0}


def test_after_a_variant_the_film_goes_on_at_its_next_keyframe(material: Material) -> None:
    for kind in (FaultKind.FROZEN, FaultKind.RESOLUTION):
        material.prepare(kind)
        feed = Feed(material, loop=True)
        film = list(material.film())
        before = [feed.next(None) for _ in range(3)]
        # longer than what has been made of the film: it begins anew without a leap
        variant = [feed.next(kind) for _ in range(70)]
        after = [feed.next(None) for _ in range(5)]
        assert steps(before + variant + after) == {PERIOD}
        assert {p.leap for p in before + variant + after} == {0}
        assert after[0].units == film[5].units
        made = material.variants[kind]
        assert [p.units for p in variant] == [made[i % len(made)].units for i in range(70)]
        assert made[0].keyframe


def test_after_silence_the_film_goes_on_at_a_keyframe_and_the_times_have_run(
    material: Material,
) -> None:
    feed = Feed(material, loop=True)
    film = list(material.film())
    for _ in range(3):
        feed.next(None)
    feed.resume(7.25)
    resumed = feed.next(None)
    assert resumed.units == film[5].units
    assert (resumed.due_s, resumed.pts) == (7.25, round(7.25 * 90_000))


def test_slow_pictures_are_twice_as_far_apart(material: Material) -> None:
    feed = Feed(material, loop=True)
    found = [feed.next(None)] + [feed.next(FaultKind.SLOW) for _ in range(4)] + [feed.next(None)]
    assert [b.pts - a.pts for a, b in pairwise(found)] == [2 * PERIOD] * 4 + [PERIOD]


def test_a_film_with_pictures_out_of_order_keeps_their_times(tmp_path: Path) -> None:
    import av

    path = tmp_path / "b.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=10, options={"bf": "2", "b_strategy": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for frame in (av.VideoFrame(64, 64, "yuv420p") for _ in range(20)):
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    feed = Feed(Material(load(path, tmp_path), 0.0), loop=True)
    found = [feed.next(None) for _ in range(40)]
    assert [p.due_s for p in found] == sorted(p.due_s for p in found)
    assert len({p.pts for p in found}) == 40
    in_order = sorted(p.pts for p in found)
    assert {b - a for a, b in pairwise(in_order[:20])} == {PERIOD}
    assert in_order != [p.pts for p in found]


def test_a_film_that_does_not_fit_into_memory_is_read_anew(reel: Reel) -> None:
    size = reel.path.stat().st_size
    kept, read = Material(reel, 0.0), Material(reel, 0.0)
    assert kept.keep(size) == size
    assert read.keep(size - 1) == 0
    assert list(kept.film()) == list(read.film())
    assert kept.film() is kept.film()
    assert read.film() is not read.film()


def test_a_film_is_shown_under_as_many_names_as_wanted(reel: Reel) -> None:
    assert copies({"yard": reel}, 1) == {"yard": reel}
    assert list(copies({"a": reel, "b": reel}, 2)) == ["a-1", "a-2", "b-1", "b-2"]
    assert list(islice(copies({"a": reel}, 12), 9, 11)) == ["a-10", "a-11"]
