"""Cameras that send the same pictures over and over, as if nothing were wrong."""

from __future__ import annotations

from pipeline.types import Frame

LOOK_S = 5.0
"""Keyframes are compared, and a picture so long after the last compared one where they are rarer:
so the same places of a group of pictures that is sent again and again."""
SOONEST_S = 0.4
"""And none sooner, since cameras may send nothing but keyframes."""
MOST = 4096
"""So many pictures are remembered; a camera that shows more before it repeats is not frozen."""


class FrozenPictures:
    """Tells whether a camera has shown nothing new for `after_s` seconds (None: never told).

    A live picture is never exactly the same twice, if only for the noise of its sensor; an encoder
    that is given the same picture, or sends the same packets, soon repeats itself to the bit. A
    clock that the camera writes into a frozen picture hides it.
    """

    def __init__(self, after_s: float | None) -> None:
        self._after_s = after_s
        self._known: set[int] = set()
        self._compared = self._changed = float("-inf")
        self.frozen = False

    def look(self, frame: Frame) -> bool:
        """Whether the camera is frozen as of this frame."""
        if self._after_s is None:
            return False
        now = frame.monotonic
        if frame.discontinuity:
            self._known.clear()
            self._compared, self._changed, self.frozen = float("-inf"), now, False
        since = now - self._compared
        if since < SOONEST_S or (not frame.keyframe and since < LOOK_S):
            return self.frozen
        self._compared = now
        fingerprint = frame.picture.fingerprint()
        if fingerprint not in self._known or len(self._known) >= MOST:
            self._known = self._known if len(self._known) < MOST else set()
            self._known.add(fingerprint)
            self._changed = now
        self.frozen = now - self._changed >= self._after_s
        return self.frozen
