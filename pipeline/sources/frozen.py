"""Cameras that send the same pictures over and over, as if nothing were wrong."""

from __future__ import annotations

import zlib

from pipeline.types import Frame

LOOK_S = 5.0
"""Keyframes are compared, and a picture so long after the last compared one where they are rarer:
so the same places of a group of pictures that is sent again and again."""
SOONEST_S = 0.4
"""And none sooner, since cameras may send nothing but keyframes."""
ROWS = 4
"""Every fourth row is enough: noise changes all of them."""
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
        self._compared = float("-inf")
        self._changed: float | None = None
        self._seen = float("-inf")
        self.frozen = False

    def look(self, frame: Frame) -> bool:
        """Whether the camera is frozen as of this frame."""
        if self._after_s is None:
            return False
        now = frame.monotonic
        if self._changed is None:
            self._changed = self._seen = now
        if frame.discontinuity:
            # A camera may send its last seconds over and over with the times they had.
            self._compared = float("-inf")
        if now - self._seen > LOOK_S:
            # It was away, and what it shows first may well be what it showed before.
            self._changed = max(self._changed, now - self._after_s / 2)
        self._seen = now
        since = now - self._compared
        if since < SOONEST_S or (not frame.keyframe and since < LOOK_S):
            return self.frozen
        self._compared = now
        fingerprint = zlib.crc32(frame.picture.luma()[::ROWS].tobytes())
        if fingerprint not in self._known or len(self._known) >= MOST:
            self._known = self._known if len(self._known) < MOST else set()
            self._known.add(fingerprint)
            self._changed = now
        self.frozen = now - self._changed >= self._after_s
        return self.frozen
