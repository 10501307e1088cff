"""Made scenes as short films, for what only pixels show: the motion gate, a change of light, and
the detector itself."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from pipeline.bench.scenes.actors import Actor, Point, Pose, Shape
from pipeline.bench.scenes.case import Case
from pipeline.bench.scenes.pictures import MAN_WIDTH, CutOut, SensorNoise, body, meadow, still
from pipeline.bench.scenes.places import LEFT, MIDDLE, RIGHT, yard
from pipeline.bench.scenes.scene import Scene
from pipeline.simulate.encoding import write_film
from pipeline.simulate.rtp import CLOCK_HZ
from pipeline.types import Image, Size

if TYPE_CHECKING:
    from av import VideoFrame

FILM_SIZE: Size = (640, 360)
FILM_FPS = 10
HEIGHT = 260.0
"""Of what is seen of the man, in pixels of a scene; half as many in a film."""
UPRIGHT = Shape(MAN_WIDTH, 1.0)


def walker(name: str, at: Point, *, start: float = 0.0) -> Actor:
    """The man who can be drawn."""
    return Actor(name, "person", HEIGHT, (Pose(start, at, UPRIGHT),))


def film_of(scene: Scene, target: Path, *, size: Size = FILM_SIZE, fps: int = FILM_FPS) -> Path:
    """Write a scene as H.264 in MP4 at `target`: its actors, who must be walkers, over a meadow,
    with a sensor's noise; the brightness follows the scene's `light`.

    Raises:
        FilmError: the still that it is made of is not installed, or the film cannot be written.
    """
    write_film(_frames(scene, size, fps), target, Fraction(fps))
    return target


def _frames(scene: Scene, size: Size, fps: int) -> Iterator[tuple[VideoFrame, int]]:
    image = still()
    place, noise = meadow(image, size), SensorNoise(size)
    scale = size[1] / scene.size[1]
    cut_outs = {actor.name: body(image, actor.height * scale) for actor in scene.actors}
    for index in range(round(scene.seconds * fps)):
        at = index / fps
        picture = place
        for actor in scene.actors:
            if actor.visible(at, scene.size):
                picture = _drawn(picture, cut_outs[actor.name], actor, at, scale)
        # Brighter than white stays white, as on a sensor.
        lit = cv2.convertScaleAbs(picture, alpha=_brightness(scene, at))
        yield noise.over(lit), index * CLOCK_HZ // fps


def _drawn(picture: Image, cut_out: CutOut, actor: Actor, at: float, scale: float) -> Image:
    x1, y1, _, _ = actor.whole_box(at)
    return cut_out.over(picture, round(x1 * scale), round(y1 * scale))


def _brightness(scene: Scene, at: float) -> float:
    index = bisect_right(scene.light, at, key=lambda step: step[0])
    return scene.light[index - 1][1] if index else 1.0


def film_cases() -> Iterator[Case]:
    """Scenes for the whole way from pixels to events."""
    inside = {"type": "zone", "zone": "yard"}
    loiter = {"type": "loiter", "zone": "yard", "seconds": 10}
    flicker = ((5.0, 0.55), (9.0, 1.0), (13.0, 0.7))
    through = walker("Ann", LEFT, start=1).goes(RIGHT)
    stands = walker("Ann", LEFT, start=1).goes(MIDDLE).stays(14).goes(LEFT)
    yield Case("somebody walks through", "zone inside", inside, yard(12, through), 1)
    yield Case("nobody is there", "zone inside", inside, yard(12))
    dark = yard(18, light=flicker)
    yield Case("nobody is there, and the light changes", "zone inside", inside, dark)
    lit = yard(24, stands, light=flicker)
    yield Case("somebody stands there, and the light changes", "zone inside", inside, lit, 1)
    yield Case("somebody stands still", "loiter", loiter, yard(24, stands), 1)
    yield Case("somebody walks through", "loiter", loiter, yard(12, through))
