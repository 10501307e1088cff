"""How somebody goes down, as their boxes tell it: what a fall is made of.

A fall is told by what a person's box does, measured in the person's own height a moment before, so
that it does not matter how far away or how tall somebody is:

- The **top** (the head) comes down by about half of that height or more. Sitting down lowers it by
  about a quarter: a seat is at a quarter of the stature, and sitting height is 0.52 of it (Drillis
  and Contini, Body Segment Parameters, 1966). Of those who lie on the ground it is 0.6 and more.
- What is left is **flat**, or as low as nobody sits, kneels or squats.
- It goes **quickly**. Falling takes 0.6 to 1 s (Hsiao and Robinovitch, Journal of Biomechanics 31,
  1998), lying down and sitting down on the ground two to four times as long.
- The **bottom** stays where it was, or goes down: whoever lies down on a bed draws up the feet.

All boxes are in pixels, all heights in standing heights, all times `monotonic` seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from pipeline.types import Box, Size

DROP = 0.48
"""How far the top of the box comes down at least."""
UP = 0.24
"""Whose top is up to this again, as of those who sit, is not down any more."""
LOW = 0.42
"""Nobody who squats or sits on the ground is lower."""
FLAT = 0.85
"""Height per width of the lying, at most; who sits on the ground is about as high as wide."""
RISE = 0.16
"""The bottom of the box comes up by no more; on a bed it does."""
SPEED = 0.4
"""Standing heights a second at which the top comes down by half of `DROP`, at least."""
FALL_S = 1.0
"""A fall takes no longer, mostly."""
DESCENT_S = 3.0
"""So far back somebody's highest is looked for."""
MEMORY_S = 15.0
"""So far back the standing height is looked for, where somebody stood as low in the picture..."""
PLACE = 0.15
"""...give or take so many heights."""
UPRIGHT = 2.0
"""Who stands, or sits on a chair, is at least so many times as high as wide. Of whom is not, a part
is hidden or has gone down before: so many widths are taken for the height."""
LOST_DROP = 0.15
"""Who is lost on the way down has come down by so much at least, and at `SPEED` over..."""
LOST_S = 0.5
"""...so many seconds."""
GROWTH = 1.25
"""Who has grown by so much was coming nearer."""
LENGTH = 0.6
"""Who lies is at least so many standing heights wide, where nothing else can be relied on."""
MOMENT_S = 1e-3
"""Two frames may be of one moment."""
EDGE = 0.02
"""A box that ends within this share of the picture's edge may be cut off by it."""


class Seen(NamedTuple):
    """A person's box at a moment."""

    at: float
    box: Box


@dataclass(frozen=True, slots=True)
class Descent:
    """Somebody has gone down since `began`, by `drop` heights at `speed` heights a second; `top`
    is where the top of the box was before, and `height` the standing height, in pixels."""

    began: float
    top: float
    height: float
    drop: float
    speed: float

    def dropped(self, box: Box) -> float:
        """How far below its old place the top of the box is, in heights."""
        return (box.y1 - self.top) / self.height

    def down(self, box: Box) -> bool:
        """Whether this is somebody who lies."""
        return self.dropped(box) >= DROP and lies(box, self.height)


def standing_height(box: Box) -> float:
    """How high somebody with this box is when standing, in pixels, at least."""
    return max(box.height, UPRIGHT * box.width, 1.0)


def lies(box: Box, height: float) -> bool:
    """Whether a box is flat or low enough for somebody of this standing height who lies."""
    return box.height <= FLAT * box.width or box.height <= LOW * height


def gone_down(seen: Sequence[Seen], size: Size) -> Descent | None:
    """How a person who now lies has gone down within the last `DESCENT_S`, if so."""
    now, box = seen[-1]
    recent, highest, height = _standing(seen)
    descent = Descent(now, highest.y1, height, (box.y1 - highest.y1) / height, 0.0)
    if not descent.down(box) or highest.y2 - box.y2 > RISE * height:
        return None
    if _cut(box, size) - _cut(highest, size) and _leaves(recent, box, height):
        return None
    speed = _fastest(recent, height)
    if speed < SPEED:
        return None
    began = max(one.at for one in recent if descent.dropped(one.box) < DROP / 3)
    return Descent(began, highest.y1, height, descent.drop, speed)


def going_down(seen: Sequence[Seen], size: Size) -> Descent | None:
    """How a person was going down who was seen last at the end of `seen`, if so, and did not leave
    by the picture's edge."""
    last_at, box = seen[-1]
    if _cut(box, size):
        return None
    recent, highest, height = _standing(seen)
    drop = (box.y1 - highest.y1) / height
    before = next(one for one in recent if one.at >= last_at - LOST_S)
    speed = (box.y1 - before.box.y1) / height / max(last_at - before.at, MOMENT_S)
    if drop < LOST_DROP or speed < SPEED or highest.y2 - box.y2 > RISE * height:
        return None
    # A box that comes down as a whole has slipped to somebody else.
    if box.height > (1 - drop / 2) * height:
        return None
    return Descent(before.at, highest.y1, height, drop, speed)


def gap(one: Box, other: Box) -> float:
    """How far apart two boxes are in pixels, along the axis where that is more; 0 if they touch."""
    across = max(one.x1, other.x1) - min(one.x2, other.x2)
    along = max(one.y1, other.y1) - min(one.y2, other.y2)
    return max(across, along, 0.0)


def _leaves(seen: Sequence[Seen], box: Box, height: float) -> bool:
    """Whether somebody whom an edge of the picture cuts off is on the way out, not down: of those
    who walk on less and less is seen, to the last head, shoulder or foot."""
    tallest = max(one.box.height for one in seen)
    return (
        box.height > FLAT * box.width or tallest > GROWTH * height or box.width < LENGTH * tallest
    )


def _standing(seen: Sequence[Seen]) -> tuple[Sequence[Seen], Box, float]:
    """The looks of the last `DESCENT_S`, the box that reached highest in them, and the height of
    somebody who stands there: who stood equally low in the picture stood equally far away."""
    recent = [one for one in seen if one.at >= seen[-1].at - DESCENT_S]
    highest = min((one.box for one in recent), key=lambda box: box.y1)
    height = standing_height(highest)
    same = (one.box.height for one in seen if abs(one.box.y2 - highest.y2) <= PLACE * height)
    return recent, highest, max(height, *same)


def _fastest(seen: Sequence[Seen], height: float) -> float:
    """The most heights a second at which the top came down by half of `DROP` or more. Of somebody
    who was not found meanwhile nobody knows: it is taken to have lasted as long as falls do."""
    fastest = 0.0
    for (i, before), (j, after) in combinations(enumerate(seen), 2):
        drop = (after.box.y1 - before.box.y1) / height
        if drop >= DROP / 2:
            took_s = max(after.at - before.at, MOMENT_S)
            fastest = max(fastest, drop / (min(took_s, FALL_S) if j == i + 1 else took_s))
    return fastest


def _cut(box: Box, size: Size) -> frozenset[str]:
    """The edges of the picture that may cut off a box. Nobody leaves by the upper one in going
    down."""
    width, height = size
    ends = {
        "left": box.x1 <= EDGE * width,
        "right": box.x2 >= (1 - EDGE) * width,
        "below": box.y2 >= (1 - EDGE) * height,
    }
    return frozenset(edge for edge, cut in ends.items() if cut)
