"""What is hidden in a clip, and whether it is known where that lies in its pictures."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from pipeline.amendment import Footage
from pipeline.clips.cut import Cut
from pipeline.masking import WHOLE
from pipeline.sources.thresholds import ASPECT
from pipeline.types import Event, Polygon

logger = logging.getLogger(__name__)


class Hiding:
    """The masks of all cameras, for whoever makes something of their clips.

    Masks are drawn in the pictures that detection sees. Where a clip shows something else, as
    where `record.source` is of another shape or turned otherwise, nobody knows where they lie in
    it: then all of it is hidden, and `problem` says why.
    """

    def __init__(self, masks: Mapping[str, tuple[Polygon, ...]] | None = None) -> None:
        self._masks = masks or {}
        self._problems: dict[str, str] = {}

    @property
    def problem(self) -> str | None:
        """A sentence for people, of a camera whose newest masked clip is hidden all over."""
        return next(iter(self._problems.values()), None)

    def masks(self, made: Cut, event: Event, footage: Footage) -> tuple[Polygon, ...]:
        """What is hidden in a clip: what was when the event began, when it was cut, and is now."""
        now = self._masks.get(event.camera, ())
        masks = tuple(dict.fromkeys((*footage.masks, *made.masks, *now)))
        if not masks:
            return ()
        why = _misplaced(made, event, footage)
        if why is None:
            self._problems.pop(event.camera, None)
            return masks
        problem = (
            f"Clips of {event.camera_name} are shown black all over, since nobody knows where its "
            f"masks lie in them: {why}"
        )
        if self._problems.get(event.camera) != problem:
            self._problems[event.camera] = problem
            logger.warning("%s", problem)
        return (*masks, WHOLE)


def _misplaced(made: Cut, event: Event, footage: Footage) -> str | None:
    """Why what lies somewhere in detection's pictures lies elsewhere in the clip's; None if not."""
    (width, height), (seen_width, seen_height) = made.size, event.frame_size
    if abs(width * seen_height / (height * seen_width) - 1) > ASPECT:
        return (
            f"the recorded pictures ({width}x{height}) have another shape than those that are "
            f"looked at ({seen_width}x{seen_height}). Choose sizes of one shape for `source` and "
            "`record.source`."
        )
    if made.turns != footage.turns:
        return (
            "the recorded pictures are not turned as those are that are looked at. Have the camera "
            "turn both of its streams, or neither."
        )
    return None
