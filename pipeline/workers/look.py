"""One frame's way through a camera's stages: begun, and what it came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from pipeline.incidents import Action
from pipeline.looking import Choice
from pipeline.types import Detection, Frame, Motion, View


@dataclass(frozen=True, slots=True)
class Look:
    """What one frame came to; `actions` belong to `view`, `frame` is the one it was made from, or
    None once it was let go.

    `detections` is None where what was there before was taken to be there still. `spent` is how
    many seconds each stage took: gate, detect (waiting for it), track, rules; `pts` is the frame's.
    """

    frame: Frame | None
    view: View
    detections: int | None
    actions: Sequence[Action]
    spent: Mapping[str, float] = field(default_factory=dict)
    pts: float = 0.0


@dataclass(frozen=True, slots=True)
class Begun:
    """A frame whose turn it is, and what became of that; detections come with `future`, where it
    was chosen for them."""

    frame: Frame
    choice: Choice
    motion: Motion | None
    future: Future[list[Detection]] | None
    gate_s: float

    @property
    def ready(self) -> bool:
        """Whether `analysis.Analysis.finish` has nothing to wait for."""
        return self.future is None or self.future.done()
