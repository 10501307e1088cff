"""Where tracks are in a clip."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from pipeline.clips.cut import CutLook
from pipeline.types import LoggedTrack

APART_S = 1.2
"""Between looks that are further apart nobody knows where a track was."""


class Tracks:
    """Where each track is at any second of a clip, between its looks too."""

    def __init__(self, looks: Sequence[CutLook]) -> None:
        self._times: dict[int, list[float]] = {}
        self._seen: dict[int, list[LoggedTrack]] = {}
        for look in looks:
            for track in look.tracks:
                self._times.setdefault(track.id, []).append(look.t)
                self._seen.setdefault(track.id, []).append(track)

    def at(self, t: float) -> list[LoggedTrack]:
        """The tracks at a second of the clip, boxes between two looks on the line between."""
        return [track for number in self._times if (track := self._one(number, t)) is not None]

    def _one(self, number: int, t: float) -> LoggedTrack | None:
        times, seen = self._times[number], self._seen[number]
        # The picture that was looked at may differ from its own time by a rounding.
        after = bisect_right(times, t + 1e-3)
        if after == 0:
            return None
        before = seen[after - 1]
        if t - times[after - 1] <= 2e-3:
            return before
        if after == len(times) or times[after] - times[after - 1] > APART_S:
            return None
        share = (t - times[after - 1]) / (times[after] - times[after - 1])
        x1, y1, x2, y2 = (
            a + share * (b - a) for a, b in zip(before.box, seen[after].box, strict=True)
        )
        return LoggedTrack(before.id, before.label, before.confidence, (x1, y1, x2, y2))
