"""What YOLO11n finds of people on a made street, right and wrong.

How likely each fault is was read off what it finds on TUD-Campus, beside the truth;
docs/tracking.md has the figures. Confidence falls with what is hidden and with size, and trembles
with a memory of about 0.1 s; a box follows the swinging arms and legs, and shrinks to what is
visible; of two boxes that are nearly one the less sure one is dropped, as the detector does it;
things that are nobody are found in the same place again and again. All of it but the
parts goes on from picture to picture, whatever pictures are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.bench.scenes.scene import unit
from pipeline.bench.streets.street import Standing, Street, clipped
from pipeline.bench.streets.walks import Floats, drifting
from pipeline.geometry import iou
from pipeline.types import Box, Detection

LEAST = 0.1
"""Nothing less sure is told."""
SURE = 0.87
"""The confidence in somebody who stands there large and whole."""
HIDDEN = (0.6, 1.7)
"""By the first, times the hidden share to the power of the second, it is less..."""
SMALL = (0.8, 30.0)
"""...and by the first, fading by a factor of e for so many pixels of height in the input..."""
INPUT = 640
"""...whose longer side is this."""
SHY = (0.09, 0.2)
"""Standard deviation of the confidence: of who is whole, and more, times the hidden share."""
SHY_S = 0.13
"""For how long it is remembered."""
EDGES = (0.07, 0.03, 0.07, 0.02)
"""Standard deviations of a box's edges, in shares of its sides..."""
SWING = 0.16
"""...and how far the left and right one go in and out with the steps."""
STEP_S = 0.55
OVERLOOKED = (0.02, 0.5)
"""The share of time in which somebody is not found for no visible reason, for so many seconds."""
SAME_IOU = 0.7
"""Of two boxes that overlap more the less sure one is dropped."""
ONE = (0.35, 0.5, 0.4)
"""Two whose boxes overlap by the first are one box so often a second, for so many seconds."""
PARTS = (0.072, 150.0)
"""In this share of the pictures a part is found besides of who is taller than so many pixels in the
model's input."""
GHOSTS = 3
"""At most so many things stand there that are taken for somebody now and then..."""
GLINTS = (0.3, 0.3)
"""...and so often a second something else is, for so many seconds on average."""
CHANNELS = 24
OWN_CHANNELS = 3
"""People differ in few ways..."""
OWN = 0.2
"""...by this share, the rest is what all people look like."""
WOBBLES = ((0.05, 5.0), (0.07, 0.2), (0.02, 0.001))
"""How looks change: variance beside 1, and the seconds for which it is remembered..."""
WOBBLES_SMALL = 25.0
"""...and by the share of this in the height in the model's input they change more: few cells are
looked at."""


def found(street: Street, standing: list[Standing], seed: int) -> Iterator[list[Detection]]:
    """What is found in each picture, from confidence LEAST on, the surest first.

    Args:
        street: the street.
        standing: who is where in each of its pictures.
        seed: of all that is left to chance.
    """
    random = np.random.default_rng((seed, 1))
    people = [_Person(street, len(standing), random) for _ in street.walks]
    ghosts = _ghosts(street, len(standing), random)
    joined: dict[tuple[int, int], int] = {}
    for index, now in enumerate(standing):
        seen = _people(street, people, index, now)
        _join(now, seen, joined, street.fps, random)
        told = [one for one in seen.values() if one.confidence >= LEAST]
        told += [part for one in told if (part := _part(one, street, random)) is not None]
        yield _suppressed(told + ghosts[index])


class _Person:
    """How one person is seen over all pictures: confidence, edges, looks."""

    def __init__(self, street: Street, count: int, random: np.random.Generator) -> None:
        step = 1 / street.fps
        self.shy = drifting(count, 1, step, SHY_S, random)[:, 0]
        self.trust = SURE + float(random.normal(0, 0.04))
        self.edges = np.array(EDGES) * drifting(count, 4, step, 0.1, random)
        phase = 2 * np.pi * (np.arange(count) * step / STEP_S / 2 + random.random())
        swing: Floats = SWING * np.sin(phase) ** 2 - SWING / 2
        self.edges[:, 0] -= swing
        self.edges[:, 2] += swing
        self.amodal = 1 / (1 + np.exp(-2 * drifting(count, 1, step, 0.3, random)[:, 0]))
        self.overlooked = _spells(count, *OVERLOOKED, street.fps, random)
        common, own = np.zeros(CHANNELS), np.zeros(CHANNELS)
        common[-1] = 1
        own[:OWN_CHANNELS] = unit(random.normal(size=OWN_CHANNELS))
        looks = np.sqrt(1 - OWN) * common + np.sqrt(OWN) * own
        wobble = sum(
            np.sqrt(variance / CHANNELS) * drifting(count, CHANNELS, step, lasts, random)
            for variance, lasts in WOBBLES
        )
        self.wobble = float(random.uniform(0.8, 1.4)) * wobble
        self.own = looks

    def look(self, index: int, tall: float) -> Floats:
        """In one picture, so many pixels tall in the model's input."""
        return np.asarray(self.own + (1 + WOBBLES_SMALL / max(tall, 10.0)) * self.wobble[index])


def _people(
    street: Street, people: list[_Person], index: int, now: Standing
) -> dict[int, Detection]:
    """What is found of each, by row."""
    size, share = street.camera.size, now.share
    scale = INPUT / max(size)
    seen = {}
    for row, who in enumerate(now.who):
        one, box, visible = people[who], now.boxes[row], now.visible[row]
        if share[row] < 0.08 or one.overlooked[index]:
            continue
        hidden = 1 - share[row]
        confidence = one.trust - HIDDEN[0] * hidden ** HIDDEN[1]
        tall = scale * float(box[3] - box[1])
        confidence -= SMALL[0] * np.exp(-tall / SMALL[1])
        confidence += (SHY[0] + SHY[1] * hidden) * one.shy[index]
        sides = np.tile(box[2:] - box[:2], 2)
        edges = one.amodal[index] * box + (1 - one.amodal[index]) * _visible_box(box, visible)
        whole = clipped(edges + one.edges[index] * sides, size)
        if whole.width < 2 or whole.height < 2:
            continue
        look = one.look(index, tall)
        if now.hider[row] >= 0:
            # Within the middle of the box, where the look is taken.
            rest = float(visible[4:-4, 2:-2].mean())
            hider = people[now.who[now.hider[row]]]
            look = rest * look + (1 - rest) * hider.look(index, tall)
        seen[row] = Detection("person", float(np.clip(confidence, 0.0, 0.95)), whole, unit(look))
    return seen


def _visible_box(box: Floats, visible: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> Floats:
    """The least box that holds what is visible."""
    across, down = np.flatnonzero(visible.any(axis=0)), np.flatnonzero(visible.any(axis=1))
    if not len(across):
        return box
    cell = (box[2:] - box[:2]) / visible.shape[::-1]
    low = box[:2] + cell * (across[0], down[0])
    high = box[:2] + cell * (across[-1] + 1, down[-1] + 1)
    return np.concatenate((low, high))


def _join(
    now: Standing,
    seen: dict[int, Detection],
    joined: dict[tuple[int, int], int],
    fps: float,
    random: np.random.Generator,
) -> None:
    """Now and then two who are close are one box for a while; changes `seen` and `joined`, which
    tells for how many pictures more by the numbers of both."""
    least, often, lasts = ONE
    for near in sorted(seen):
        for far in sorted(seen):
            if far <= near or near not in seen or far not in seen:
                continue
            pair = (int(min(now.who[[near, far]])), int(max(now.who[[near, far]])))
            a, b = seen[near], seen[far]
            close = iou(a.box, b.box) >= least
            left = joined.pop(pair, 0)
            if close and not left and random.random() < often / fps:
                left = 1 + int(random.exponential(lasts) * fps)
            if not close or not left:
                continue
            joined[pair] = left - 1
            box = Box(min(a.box.x1, b.box.x1), min(a.box.y1, b.box.y1),
                      max(a.box.x2, b.box.x2), max(a.box.y2, b.box.y2))  # fmt: skip
            assert a.embedding is not None
            assert b.embedding is not None
            look = unit(2 * a.embedding + b.embedding)
            seen[near] = Detection("person", a.confidence, box, look)
            seen[far] = Detection("person", 0.0, b.box, b.embedding)


def _part(one: Detection, street: Street, random: np.random.Generator) -> Detection | None:
    """A second, smaller box of the upper body of who is near."""
    share, least = PARTS
    tall = one.box.height * INPUT / max(street.camera.size)
    if tall < least or random.random() > share:
        return None
    box = one.box
    low = box.y1 + box.height * float(random.uniform(0.4, 0.75))
    return Detection("person", one.confidence * float(random.uniform(0.3, 0.7)),
                     Box(box.x1, box.y1, box.x2, low), one.embedding)  # fmt: skip


def _ghosts(street: Street, count: int, random: np.random.Generator) -> list[list[Detection]]:
    """What is found in each picture where nobody is."""
    told: list[list[Detection]] = [[] for _ in range(count)]
    step = 1 / street.fps
    for _ in range(int(random.integers(0, GHOSTS + 1))):
        box, look = _somewhere(street, random)
        sure = random.uniform(0.1, 0.6) + 0.08 * drifting(count, 1, step, 0.3, random)[:, 0]
        _haunt(told, street, box, look, range(count), sure, random)
    for _ in range(random.poisson(GLINTS[0] * count * step)):
        box, look = _somewhere(street, random)
        begin = int(random.integers(count))
        span = range(begin, min(begin + 1 + int(random.exponential(GLINTS[1]) / step), count))
        sure = np.full(count, random.uniform(0.1, 0.5))
        _haunt(told, street, box, look, span, sure, random)
    return told


def _haunt(
    told: list[list[Detection]],
    street: Street,
    box: Floats,
    look: Floats,
    span: range,
    sure: Floats,
    random: np.random.Generator,
) -> None:
    for index in span:
        shift = np.tile(street.shifts[index], 2)
        moved = box + shift + random.normal(0, 0.02, 4) * np.tile(box[2:] - box[:2], 2)
        shown = clipped(moved, street.camera.size)
        if sure[index] >= LEAST and shown.width > 2 and shown.height > 2:
            now = unit(look + 0.3 * unit(random.normal(size=CHANNELS)))
            told[index].append(Detection("person", float(min(sure[index], 0.95)), shown, now))


def _somewhere(street: Street, random: np.random.Generator) -> tuple[Floats, Floats]:
    width, height = street.camera.size
    tall = random.uniform(0.06, 0.35) * height
    x, y = random.uniform(0, width), random.uniform(0.4, 1.0) * height
    box = np.array((x - 0.2 * tall, y - tall, x + 0.2 * tall, y))
    look = 0.6 * np.eye(CHANNELS)[-1] + 0.8 * unit(random.normal(size=CHANNELS))
    return box, look


def _suppressed(told: list[Detection]) -> list[Detection]:
    kept: list[Detection] = []
    for one in sorted(told, key=lambda one: -one.confidence):
        if all(iou(one.box, other.box) <= SAME_IOU for other in kept):
            kept.append(one)
    return kept


def _spells(
    count: int, share: float, lasts: float, fps: float, random: np.random.Generator
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """A chain of two states, true for this share of the time, for `lasts` seconds each time."""
    leave = min(1 / (lasts * fps), 1.0)
    enter = leave * share / (1 - share)
    state, told = False, np.zeros(count, np.bool_)
    for index, drawn in enumerate(random.random(count)):
        state = drawn >= leave if state else drawn < enter
        told[index] = state
    return told
