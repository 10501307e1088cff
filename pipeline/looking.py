"""How often a camera is detected on: by what happens in it, within what the machine can do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pipeline.geometry import overlap
from pipeline.types import Box, Detection, Motion, Track

AFTER_S = 1.0
"""So long after the last motion a camera is still looked at as if something moved: who stands
still for a moment moves on."""
SETTLING_LOOKS = 3
"""Looks after the last motion, or at something new, before what is there is taken to stay, and what
was found in none of them to be gone: a detector misses things now and then."""
STILL_LOOK_S = 3.0
"""While something is tracked and nothing moves it is looked for anew so often: who leaves without
being noticed is not kept for longer."""
FRUITLESS_S = 2.0
"""Motion in which nothing is found for so long (branches, rain, light) is looked at half as often,
and again, ..."""
FRUITLESS_FPS = 1.0
"""...but so often at least."""
PERSON = "person"
PACE = 0.3
"""The share of the newest gap between frames in what a camera's frames come at."""
EARLY = 0.1
"""A frame that comes this share of a period early is still the one that is due."""


class Activity(StrEnum):
    """What happens in a camera's pictures."""

    IDLE = "idle"
    """Nothing moves, and nothing is tracked."""
    STILL = "still"
    """What is tracked stands still."""
    MOTION = "motion"
    """Something moves, and none of what is tracked."""
    TRACKED = "tracked"
    """Something that is tracked moves."""


class Choice(StrEnum):
    """What becomes of a frame whose turn it is."""

    DETECT = "detect"
    HOLD = "still"
    """Nothing has changed: what was found last is taken to be there still."""
    PASS = "over_budget"  # noqa: S105 (no password)
    """Other cameras' turn: all of them together ask for more than the detector can do."""


class Attention:
    """Chooses, for one camera, which frames are detected on. Pure: time comes in with the frames.

    Args:
        fps: looks per second while something happens.
        full_look_s: a frame so long after the last one that was detected on is detected on, too.
        posture: whether it matters how a person moves who stays in one place, as for falls: such
            motion is none in which nothing is found.
    """

    def __init__(self, *, fps: float, full_look_s: float, posture: bool = False) -> None:
        self._fps, self._full_look_s = fps, full_look_s
        self._gap_s = 1.0 / fps
        self.allowed_fps: float | None = None
        """The most looks a second that this camera may have; None for any number."""
        self._now = self._moved_at = self._detected_at = self._paid_at = float("-inf")
        self._unsettled = SETTLING_LOOKS
        self._gated = False
        self._fruitless_since: float | None = None
        self._seen: tuple[tuple[int, str], ...] = ()
        self._moves = False
        self._moving_regions: tuple[Box, ...] = ()
        self._posture = posture
        self._idle_since: float | None = None

    def choose(self, at: float, motion: Motion | None, *, fresh: bool) -> Choice:
        """What becomes of the frame of time `at`, in seconds.

        `motion` is what moved since the frame before; None where nobody looks for it, and each
        frame is detected on. `fresh` frames do not go on from those before.
        """
        if not fresh:
            gap_s = min(at - self._now, self._full_look_s)
            self._gap_s += PACE * (gap_s - self._gap_s)
        self._now, self._gated = at, motion is not None
        if fresh:
            self._moved_at = self._detected_at = self._paid_at = float("-inf")
            self._fruitless_since, self._seen, self._moves = None, (), False
        if motion is not None and motion.any:
            self._moving_regions = motion.regions
        if fresh or motion is None or motion.any:
            self._moved_at, self._unsettled = at, SETTLING_LOOKS
        if self.activity is not Activity.IDLE:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = at
        if not self._due(at):
            return Choice.HOLD
        if not self._pay(at):
            # Else what stands there would be lost for want of looks, and found anew with each.
            return Choice.HOLD if self.activity is Activity.STILL else Choice.PASS
        self._detected_at = at
        if not self._moving(at):
            self._unsettled = max(self._unsettled - 1, 0)
        return Choice.DETECT

    def failed(self) -> None:
        """A frame that was to be detected on was not: another one takes its place."""
        self._unsettled = min(self._unsettled + 1, SETTLING_LOOKS)

    def saw(self, at: float, tracks: Sequence[Track], detections: int) -> None:
        """What a frame that was detected on came to: the tracks that are seen in it, and how many
        detections there are, tracked or not."""
        seen = tuple(sorted((track.id, track.label) for track in tracks))
        self._moves = any(track.stationary_since is None for track in tracks)
        fruitful = self._moves or detections > len(tracks) or self._stirs(tracks)
        if fruitful or not self._gated or not self._moving(at):
            self._fruitless_since = None
        elif self._fruitless_since is None:
            self._fruitless_since = at
        changed = seen != self._seen or detections > len(tracks)
        # Once: what flickers at the detector's threshold must not keep it busy.
        if changed and not self._unsettled:
            self._unsettled = SETTLING_LOOKS
        self._seen = seen

    def _stirs(self, tracks: Sequence[Track]) -> bool:
        """Whether what moved last may be a person who is tracked, where that matters."""
        return self._posture and any(
            overlap(track.detection.box, region)
            for track in tracks
            if track.label == PERSON
            for region in self._moving_regions
        )

    @property
    def activity(self) -> Activity:
        """What happens as of the last frame."""
        if self._moving(self._now) or self._unsettled:
            return Activity.TRACKED if self._moves else Activity.MOTION
        return Activity.STILL if self._seen else Activity.IDLE

    @property
    def idle_s(self) -> float:
        """For how long nothing has moved, and nothing was tracked."""
        return 0.0 if self._idle_since is None else self._now - self._idle_since

    @property
    def wanted_fps(self) -> float:
        """Looks a second that would be right for what happens."""
        match self.activity:
            case Activity.IDLE:
                return min(1.0 / self._full_look_s, self._fps)
            case Activity.STILL:
                return min(1.0 / min(STILL_LOOK_S, self._full_look_s), self._fps)
            case _:
                return self._busy_fps

    @property
    def demanded_fps(self) -> float:
        """Looks a second that it can use: no more than there are frames."""
        return min(self.wanted_fps, 1.0 / max(self._gap_s, 1e-3))

    @property
    def _busy_fps(self) -> float:
        since = self._fruitless_since  # which the thread that looks may unset at any time
        if since is None:
            return self._fps
        halvings = int((self._now - since) / FRUITLESS_S)
        return max(self._fps * 0.5 ** min(halvings, 10), min(FRUITLESS_FPS, self._fps))

    def _moving(self, at: float) -> bool:
        return at - self._moved_at <= AFTER_S

    def _due(self, at: float) -> bool:
        fps = self.wanted_fps
        # Each frame that comes is due at the full rate: the camera's pace was kept before.
        return fps >= self._fps or not self._too_soon(at, fps)

    def _pay(self, at: float) -> bool:
        """Whether the allowance has a look at this time, which is then used.

        What a frame came late is credited to the next, up to one period: of frames that come five
        times a second 4.4 may be looked at, not every second one.
        """
        allowed = self.allowed_fps  # which another thread sets
        if allowed is None:
            self._paid_at = at
            return True
        period = 1.0 / allowed
        passed = at - self._paid_at
        if passed < (1.0 - EARLY) * period:
            return False
        self._paid_at = at if passed >= 2.0 * period else self._paid_at + period
        return True

    def _too_soon(self, at: float, fps: float) -> bool:
        return at - self._detected_at < (1.0 - EARLY) / fps


@dataclass(frozen=True, slots=True)
class Demand:
    """How many looks a second a camera wants, and for how many seconds one of them keeps the
    detector busy."""

    fps: float
    cost_s: float


def fair_fps(demands: Iterable[Demand], capacity: float) -> float | None:
    """The looks a second that each camera may have at most, so that all together cost at most
    `capacity` seconds of the detector a second; None where they want no more than that.

    Max-min fair (Bertsekas and Gallager, Data Networks, 1992, section 6.5.2): who wants less than
    the others' rate gets what it wants, and what it leaves is theirs.
    """
    wanting = sorted(demands, key=lambda demand: demand.fps)
    left, cost = capacity, sum(demand.cost_s for demand in wanting)
    for demand in wanting:
        if demand.fps * cost > left * (1 + 1e-9):  # else a rounding would be a shortage
            return left / cost
        left -= demand.fps * demand.cost_s
        cost -= demand.cost_s
    return None


class Kept:
    """What is taken to be there while nothing moves: each track as it was detected last, unless
    `SETTLING_LOOKS` looks in a row did not find it."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Detection, int]] = {}

    def saw(self, tracks: Iterable[Track]) -> None:
        """What a look found."""
        missed = {
            key: (detection, misses + 1)
            for key, (detection, misses) in self._known.items()
            if misses + 1 < SETTLING_LOOKS
        }
        self._known = missed | {track.id: (track.detection, 0) for track in tracks}

    def clear(self) -> None:
        """Nothing of before goes on."""
        self._known.clear()

    @property
    def detections(self) -> list[Detection]:
        return [detection for detection, _ in self._known.values()]
