"""How a real detector errs, on made scenes: boxes that tremble, things missed, hidden, confused and
invented. Everything follows from a seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from pipeline.bench.scenes.actors import Actor, Pose
from pipeline.bench.scenes.scene import DIMENSIONS, FPS, Made, Scene, SceneLook, covered, unit
from pipeline.types import Box, Detection

HIDDEN_FROM = 0.6
"""Who is covered by so much of the box by somebody nearer is not found."""
ONE_FROM = 0.45
"""Two that cover one another by so much are found as one: the nearer, looking like both."""


@dataclass(frozen=True, slots=True)
class Noise:
    """What goes wrong; with all defaults nothing does.

    Args:
        jitter: how much each edge of a box trembles, standard deviation in shares of its side.
        confidence: how much it varies, standard deviation; below the camera's least nothing is
            found.
        fainter: how much lower it is on average.
        appearance: how much embeddings vary, beside the length of 1.
        missed: the share of looks in which somebody who is there is not found...
        missed_run_s: ...for so long each time, on average.
        invented: how many boxes that show nobody come up a second, for one or two looks each.
        crossing: whether people hide one another.
        pillar: a pillar of so many shares of the picture's width stands before those who pass.
        gone_s: who stays in one place for longer is not found for so long once meanwhile.
        stranger: whether one more passes by, straight through somebody; see `with_stranger`.
        dark: so often in the scene nobody is found for `dark_s`.
    """

    jitter: float = 0.0
    confidence: float = 0.0
    fainter: float = 0.0
    appearance: float = 0.0
    missed: float = 0.0
    missed_run_s: float = 0.4
    invented: float = 0.0
    crossing: bool = False
    pillar: float = 0.0
    gone_s: float = 0.0
    stranger: bool = False
    dark: int = 0
    dark_s: float = 1.0


CLEAN = Noise()
_COMMON = Noise(jitter=0.02, confidence=0.08, appearance=0.5)
HARD = {
    "flicker": replace(
        _COMMON, jitter=0.03, confidence=0.15, fainter=0.25, missed=0.15, invented=0.1
    ),
    "occlusion": replace(_COMMON, crossing=True, pillar=0.08),
    "identity": replace(_COMMON, crossing=True, stranger=True),
    "loss": replace(_COMMON, gone_s=2.4),
    "light": replace(_COMMON, dark=2, fainter=0.1),
}
"""The hard ones: each disturbs in one way, on boxes that tremble a little. In `identity` two meet
and are one box for a moment, so that a tracker may take one for the other; in `loss` who stands
still is lost for longer than a track is kept, and comes back under another number unless
recognised."""

_TRIES = 20
"""Places for the pillar, of which the best is taken."""
_MARGIN = 60.0
"""Who is so many pixels outside of the picture is not seen."""
_LEAST = 0.3
"""The least confidence of a camera that does not say otherwise."""


def looks(
    scene: Scene, noise: Noise = CLEAN, *, seed: int = 0, fps: float = FPS
) -> Iterator[SceneLook]:
    """The scene's looks as a detector that errs like this sees them."""
    return Disturbed(scene, noise, seed, fps).looks()


def with_stranger(scene: Scene, labels: Sequence[str], seed: int = 0) -> Scene:
    """The scene with one more, of these labels too, who walks straight through somebody and looks
    no more like them than anybody else; what truly happens is then to be worked out anew. Scenes
    without such, and those of whole days, stay as they are."""
    actors = scene.labelled(labels)
    if not actors or scene.eventful:
        return scene
    random = np.random.default_rng(seed)
    met = actors[int(random.integers(len(actors)))]
    at = met.begins + (min(met.ends, scene.seconds) - met.begins) * random.uniform(0.4, 0.6)
    x, y = met.foot(at)
    left, right = -_MARGIN, scene.size[0] + _MARGIN
    here, there = (left, right) if x - left < right - x else (right, left)
    shape = met.poses[0].shape
    comes = replace(met, name="a stranger", hidden=(), poses=(Pose(0.0, (here, y), shape),))
    start = max(at - comes.goes((x, y)).now, 0.0)
    walks = replace(comes, poses=(Pose(start, (here, y), shape),)).goes((there, y))
    return replace(scene, actors=(*scene.actors, walks))


class Disturbed:
    """One scene disturbed in one way: what is chosen for all of it is chosen here."""

    def __init__(self, scene: Scene, noise: Noise, seed: int, fps: float) -> None:
        self._scene, self._noise, self._fps = scene, noise, fps
        self._random = np.random.default_rng(seed)
        self._missing: dict[str, bool] = {}
        self._gone = {actor.name: self._absence(actor) for actor in scene.actors}
        span = noise.dark_s
        self._dark = [
            (begin, begin + span)
            for begin in self._random.uniform(0.0, max(scene.seconds - span, 0.0), noise.dark)
        ]
        self._pillar = self._column()
        self._invented: list[tuple[int, Detection]] = []

    def looks(self) -> Iterator[SceneLook]:
        """In order; to be asked for once."""
        for look in self._scene.looks(self._fps):
            found = [made for made in self._seen(look) if self._is_found(made, look.at)]
            found = [kept for made in found if (kept := self._trembling(made)) is not None]
            yield replace(look, made=(*found, *self._ghosts()))

    def _column(self) -> Box:
        """Where the pillar stands: not before anybody who stays in one place, if it can be so."""
        width, height = self._scene.size
        half = self._noise.pillar * width / 2
        kept = [
            actor.whole_box(before.time)
            for actor in self._scene.actors
            for before, after in pairwise(actor.poses)
            if before.foot == after.foot
        ]
        middles = self._random.uniform(0.25, 0.75, _TRIES) * width
        columns = [Box(float(x) - half, 0.0, float(x) + half, float(height)) for x in middles]
        return min(columns, key=lambda column: sum(covered(box, column) > 0 for box in kept))

    def _absence(self, actor: Actor) -> tuple[float, float]:
        lasts = self._noise.gone_s
        stays = [
            (before.time, after.time - lasts)
            for before, after in pairwise(actor.poses)
            if lasts and before.foot == after.foot and after.time - before.time > lasts
        ]
        if not stays:
            return 0.0, 0.0
        begin = float(self._random.uniform(*stays[int(self._random.integers(len(stays)))]))
        return begin, begin + lasts

    def _seen(self, look: SceneLook) -> Sequence[Made]:
        """Who is not hidden by others, nearest first: whose feet are lowest in the picture."""
        if not self._noise.crossing:
            return look.made
        nearest = sorted(look.made, key=lambda made: -made.detection.box.y2)
        seen: list[Made] = []
        for made in nearest:
            box = made.detection.box
            if any(covered(box, other.detection.box) >= HIDDEN_FROM for other in seen):
                continue
            one = next((n for n, s in enumerate(seen) if self._are_one(s, made)), None)
            if one is None:
                seen.append(made)
            else:
                seen[one] = _mixed(seen[one], made)
        return seen

    @staticmethod
    def _are_one(nearer: Made, farther: Made) -> bool:
        a, b = nearer.detection, farther.detection
        return a.label == b.label and min(covered(a.box, b.box), covered(b.box, a.box)) >= ONE_FROM

    def _is_found(self, made: Made, at: float) -> bool:
        if any(begin <= at < end for begin, end in self._dark):
            return False
        begin, end = self._gone[made.who or ""]
        if begin <= at < end:
            return False
        if covered(made.detection.box, self._pillar) >= HIDDEN_FROM:
            return False
        return not self._overlooked(made.who or "")

    def _overlooked(self, who: str) -> bool:
        """A chain of two states, which stays in `missed` for `missed_run_s` on average."""
        if not self._noise.missed:
            return False
        leave = min(1.0 / (self._noise.missed_run_s * self._fps), 1.0)
        enter = min(leave * self._noise.missed / (1.0 - self._noise.missed), 1.0)
        drawn = self._random.random()
        missing = drawn >= leave if self._missing.get(who) else drawn < enter
        self._missing[who] = missing
        return missing

    def _trembling(self, made: Made) -> Made | None:
        noise, found = self._noise, made.detection
        confidence = found.confidence - noise.fainter
        confidence = min(confidence + self._random.normal() * noise.confidence, 0.99)
        if confidence <= _LEAST:
            return None
        width, height = found.box.width, found.box.height
        moved = self._random.normal(size=4) * noise.jitter * (width, height, width, height)
        x1, y1, x2, y2 = (float(edge) for edge in np.add(found.box, moved))
        embedding = found.embedding
        if embedding is not None and noise.appearance:
            wobble = unit(self._random.normal(size=len(embedding)))
            embedding = unit(embedding + noise.appearance * wobble)
        right, bottom = map(float, self._scene.size)
        box = Box(max(x1, 0.0), max(y1, 0.0), min(x2, right), min(y2, bottom))
        return replace(made, detection=Detection(found.label, confidence, box, embedding))

    def _ghosts(self) -> list[Made]:
        """Boxes that show nobody; each stays where it is for one look or two."""
        self._invented = [(left - 1, ghost) for left, ghost in self._invented if left > 1]
        actors = self._scene.actors
        if actors and self._random.random() < self._noise.invented / self._fps:
            like = actors[self._random.integers(len(actors))]
            width, height = self._scene.size
            x, y = self._random.uniform(0.1, 0.9) * width, self._random.uniform(0.4, 0.95) * height
            half = like.height / 4
            ghost = Detection(
                like.label,
                float(self._random.uniform(_LEAST, 0.5)),
                Box(x - half, y - like.height, x + half, y),
                unit(self._random.normal(size=DIMENSIONS)),
            )
            self._invented.append((int(self._random.integers(1, 3)), ghost))
        return [Made(None, ghost) for _, ghost in self._invented]


def _mixed(nearer: Made, farther: Made) -> Made:
    a, b = nearer.detection, farther.detection
    if a.embedding is None or b.embedding is None:
        return nearer
    return replace(nearer, detection=replace(a, embedding=unit(2 * a.embedding + b.embedding)))
