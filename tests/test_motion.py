"""What the motion gate tells of made pictures: brightness of 160 by 90 pixels, five a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import cv2
import handmade
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.motion import MotionGate
from pipeline.types import Frame, Luma, Motion, Size

WIDTH, HEIGHT = 160, 90
FRAME = (1920, 1080)
Light = NDArray[np.float64]


class Brightness:
    """A picture of which nothing but its brightness is there."""

    def __init__(self, luma: Luma) -> None:
        self._luma = luma

    def luma(self, size: Size) -> Luma:
        assert size == (WIDTH, HEIGHT)
        return self._luma


def ground(seed: int = 3) -> Light:
    """A yard with detail, of middle brightness."""
    random = np.random.default_rng(seed)
    coarse = random.uniform(80, 160, (HEIGHT // 10 + 2, WIDTH // 10 + 2)).astype(np.float32)
    large = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return large + random.uniform(-12, 12, (HEIGHT, WIDTH))


def somebody(light: Light, x: float, *, height: int = 12, coat: float = 50.0) -> Light:
    """Somebody with the left edge at `x`, in a plain coat of some brightness."""
    seen = light.copy()
    left = round(x)
    seen[50 - height : 50, max(left, 0) : max(left + height // 2, 0)] = coat
    return seen


def watch(
    scene: Callable[[float], Light],
    seconds: float,
    *,
    fps: float = 5.0,
    noise: float = 1.0,
    sensitivity: float = 0.5,
    gate: MotionGate | None = None,
    begin: float = 0.0,
) -> list[tuple[float, Motion]]:
    random = np.random.default_rng(5)
    gate = gate or MotionGate(sensitivity)
    seen = []
    for number in range(round(seconds * fps)):
        at = begin + number / fps
        noisy = scene(at) + random.normal(0, noise, (HEIGHT, WIDTH))
        luma = np.clip(noisy, 0, 255).astype(np.uint8)
        frame = replace(handmade.frame(at), size=FRAME, picture=Brightness(luma))
        seen.append((at, gate.look(frame)))
    return seen


def moved(seen: list[tuple[float, Motion]], begin: float, end: float) -> float:
    """In which share of the looks between two moments something moved."""
    looks = [motion.any for at, motion in seen if begin <= at < end]
    return sum(looks) / len(looks)


@pytest.mark.parametrize("noise", [0.0, 1.0, 3.0, 6.0])
def test_the_noise_of_a_sensor_is_no_motion(noise: float) -> None:
    yard = ground()
    seen = watch(lambda _: yard, 60, noise=noise)
    assert moved(seen, 10, 60) <= 0.02


def test_the_first_picture_is_new_all_over() -> None:
    yard = ground()
    assert watch(lambda _: yard, 0.2)[0][1].whole


@pytest.mark.parametrize("height", [6, 12, 40])
def test_somebody_who_walks_by_is_seen_for_all_the_time_and_where_he_is(height: int) -> None:
    yard = ground()

    def scene(at: float) -> Light:
        return somebody(yard, (at - 20) * 8, height=height) if 20 <= at < 38 else yard

    seen = watch(scene, 45)
    assert moved(seen, 20.5, 37.5) == 1.0
    for at, motion in seen:
        if 21 <= at < 37:
            x = ((at - 20) * 8 + height / 4) * FRAME[0] / WIDTH
            y = (50 - height / 2) * FRAME[1] / HEIGHT
            assert any(box.x1 <= x <= box.x2 and box.y1 <= y <= box.y2 for box in motion.regions)
            assert motion.share < 0.2


def test_who_stops_is_told_of_for_a_while_and_then_belongs_to_the_scene() -> None:
    yard = ground()

    def scene(at: float) -> Light:
        if at < 20:
            return yard
        x = min((at - 20) * 10, 60) + max(at - 90, 0) * 10
        return somebody(yard, x) if x < WIDTH else yard

    seen = watch(scene, 115)
    assert moved(seen, 26, 40) >= 0.9
    assert moved(seen, 65, 89) <= 0.05
    assert moved(seen, 90.6, 99) >= 0.9  # he goes on
    assert moved(seen, 104, 115) <= 0.05


def test_dawn_and_clouds_are_no_motion() -> None:
    yard = ground()
    seen = watch(lambda at: yard * (0.4 + 0.6 * min(at / 120, 1.0)), 120)
    assert moved(seen, 10, 120) <= 0.02
    clouds = watch(lambda at: yard * (0.8 + 0.2 * np.cos(at / 6)), 60)
    assert moved(clouds, 10, 60) <= 0.05


def test_a_lamp_that_goes_on_changes_all_for_a_moment() -> None:
    yard = ground()
    seen = watch(lambda at: yard * (0.4 if at < 20 else 1.0), 40)
    (when,) = [at for at, motion in seen if motion.whole and at > 1]
    assert when == 20
    assert moved(seen, 21, 40) <= 0.02


def test_rain_is_learnt_and_somebody_in_it_is_seen() -> None:
    yard = ground()
    random = np.random.default_rng(9)

    def scene(at: float) -> Light:
        wet = somebody(yard, (at - 60) * 8, height=30) if 60 <= at < 76 else yard.copy()
        for _ in range(40):
            x, y = random.integers(0, WIDTH), random.integers(0, HEIGHT - 8)
            wet[y : y + 8, x] += 40
        return wet

    seen = watch(scene, 80)
    assert moved(seen, 30, 59) <= 0.1
    assert moved(seen, 62, 74) >= 0.9


def test_branches_that_sway_are_learnt() -> None:
    yard = ground()

    def scene(at: float) -> Light:
        shift = np.float32([[1, 0, 0.7 * np.sin(3 * at)], [0, 1, 0]])
        tree = yard.copy()
        tree[10:40, 20:60] = cv2.warpAffine(yard[10:40, 20:60], shift, (40, 30), borderMode=2)
        return tree

    assert moved(watch(scene, 60), 30, 60) <= 0.1


def test_what_masks_hide_never_moves() -> None:
    yard = ground()

    def scene(at: float) -> Light:
        seen = somebody(yard, at * 8 % WIDTH)
        seen[30:60] = -100  # hidden: 0, whatever is there
        return seen

    assert moved(watch(scene, 20), 1, 20) == 0


@pytest.mark.parametrize("fps", [0.5, 2.0, 30.0])
def test_it_learns_by_the_second_and_not_by_the_picture(fps: float) -> None:
    yard = ground()

    def scene(at: float) -> Light:
        return somebody(yard, 60, height=30) if 30 <= at < 100 else yard

    seen = watch(scene, 110, fps=fps)
    assert moved(seen, 30, 40) >= 0.8
    assert moved(seen, 75, 99) <= 0.1


def test_sensitivity_is_how_little_counts() -> None:
    yard = ground()

    def scene(at: float) -> Light:
        return somebody(yard, (at - 20) * 8, height=5) if 20 <= at < 38 else yard

    shares = [moved(watch(scene, 38, sensitivity=value), 20.5, 37) for value in (0.0, 0.5, 1.0)]
    assert shares[0] <= 0.1
    assert shares == sorted(shares)
    assert shares[2] >= 0.9


def test_a_jump_in_time_and_another_size_begin_anew() -> None:
    yard = ground()
    gate = MotionGate(0.5)
    watch(lambda _: yard, 10, gate=gate)
    luma = yard.astype(np.uint8)

    def frame(at: float, **changed: object) -> Frame:
        keys = {"size": FRAME, "picture": Brightness(luma), **changed}
        return replace(handmade.frame(at), **keys)

    assert gate.look(frame(10.0, discontinuity=True)).whole
    assert not gate.look(frame(10.2)).any
    assert gate.look(frame(10.4, size=(960, 540))).whole
    assert gate.look(frame(0.0)).whole


def test_the_same_pictures_give_the_same_answers() -> None:
    yard = ground()

    def answers() -> Iterator[Motion]:
        for _, motion in watch(lambda at: somebody(yard, at * 6 % WIDTH), 20):
            yield motion

    assert list(answers()) == list(answers())
