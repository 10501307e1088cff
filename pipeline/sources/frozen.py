"""Cameras that send the same pictures over and over, as if nothing were wrong."""

from __future__ import annotations

from pipeline.types import Frame

LOOK_S = 5.0
"""Keyframes are compared, and a picture so long after the last compared one where they are rarer:
so the same places of a group of pictures that is sent again and again."""
SOONEST_S = 0.4
"""And none sooner, since cameras may send nothing but keyframes."""
MEMORY_S = 300.0
"""A picture that came before, but longer ago than this, counts as a new one: somebody shows a film
over and over, as simulated cameras do."""


class FrozenPictures:
    """Tells whether a camera has shown nothing new for `after_s` seconds (None: never told): only
    pictures that had come before, within as long a time.

    A live picture is never exactly the same twice, if only for the noise of its sensor; an encoder
    that is given the same picture, or sends the same packets, soon repeats itself to the bit. A
    clock that the camera writes into a frozen picture hides it.
    """

    def __init__(self, after_s: float | None) -> None:
        self._after_s = after_s
        self._known: dict[int, float] = {}
        self._compared = float("-inf")
        self._changed: float | None = None
        self.frozen = False

    def look(self, frame: Frame) -> bool:
        """Whether the camera is frozen as of this frame."""
        if self._after_s is None:
            return False
        now = frame.monotonic
        if self._changed is None:
            self._changed = now
        if frame.discontinuity:
            # A camera may send its last seconds over and over with the times they had.
            self._compared = float("-inf")
        since = now - self._compared
        if since < SOONEST_S or (not frame.keyframe and since < LOOK_S):
            return self.frozen
        self._compared = now
        memory_s = min(self._after_s, MEMORY_S)
        self._known = {known: at for known, at in self._known.items() if now - at < memory_s}
        fingerprint = frame.picture.fingerprint()
        if fingerprint not in self._known:
            self._changed = now
        self._known[fingerprint] = now
        self.frozen = now - self._changed >= self._after_s
        return self.frozen
