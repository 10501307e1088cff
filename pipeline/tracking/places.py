"""Where something stands, and how that is remembered for days."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.protocols import JsonObject
from pipeline.types import Box, Size

SAME_LOOK = 0.5
"""What stands there looks alike by this cosine at least, where both looks are known. It only tells
apart what is plainly another thing: light changes looks (see docs/tracking.md)."""
LEARNS = 0.005
"""The share of the newest look in what a place is known to look like: it follows the light, and not
who walks past."""
EMPTY_S = 10.0
"""A place that was left is forgotten after so long, unless something is found there again: ids may
be swapped when two meet."""
GAP_S = 300.0
"""Of what has not settled yet, and is found on the spot again within so long, the time between
counts as standing: it flickers."""
UNCONFIRMED_S = 3 * 86_400.0
"""A settled place where nothing was found for so long is forgotten: a long week-end."""

Look = NDArray[np.float32]
"""(channels,), of length 1."""


class Moment(NamedTuple):
    """One moment by both clocks: the one for people, and the one for logic."""

    captured_at: datetime
    monotonic: float

    def stamp(self, at: float) -> str:
        """A `monotonic` time as a UTC time stamp."""
        moment = self.captured_at + timedelta(seconds=at - self.monotonic)
        return moment.isoformat(timespec="milliseconds")

    def at(self, stamp: str) -> float:
        """When, on this run's `monotonic` clock, a time stamp was."""
        # What lies in the future by a clock that was set back since was just now.
        ago_s = (self.captured_at - datetime.fromisoformat(stamp)).total_seconds()
        return self.monotonic - max(ago_s, 0.0)


@dataclass(slots=True, eq=False)
class Place:
    """Where something of a family of labels stands; times are `monotonic` seconds."""

    family: str
    box: Box
    """In pixels."""
    since: float
    confirmed: float
    """When it was last found there."""
    settled: bool = False
    look: Look | None = None
    left: float | None = None
    """When what stood there went."""

    def kept(self, now: float) -> bool:
        """Whether it is still remembered."""
        if self.left is not None:
            return now - self.left <= EMPTY_S
        return now - self.confirmed <= (UNCONFIRMED_S if self.settled else GAP_S)

    def is_like(self, look: Look | None) -> bool:
        """Whether what stands there may look like this."""
        if look is None or self.look is None or len(look) != len(self.look):
            return True
        return float(look @ self.look) >= SAME_LOOK

    def learn(self, look: Look | None) -> None:
        """It looks like this now, where that is known."""
        if look is None:
            return
        if self.look is None or len(look) != len(self.look):
            self.look = look
        else:
            self.look = _of_length_1(self.look + LEARNS * (look - self.look))

    def memory(self, now: Moment, size: Size) -> JsonObject:
        """As JSON: the box in fractions of a picture of `size`, moments as UTC time stamps."""
        return {
            "family": self.family,
            "box": [round(value, 5) for value in scaled(self.box, 1 / size[0], 1 / size[1])],
            "since": now.stamp(self.since),
            "confirmed": now.stamp(self.confirmed),
            "settled": self.settled,
            "left": None if self.left is None else now.stamp(self.left),
            "look": None if self.look is None else _packed(self.look),
        }

    @classmethod
    def recalled(cls, memory: JsonObject, now: Moment, size: Size) -> Place:
        """From its `memory`."""
        return cls(
            family=memory["family"],
            box=scaled(Box(*memory["box"]), *size),
            since=now.at(memory["since"]),
            confirmed=now.at(memory["confirmed"]),
            settled=memory["settled"],
            look=None if memory["look"] is None else _unpacked(memory["look"]),
            left=None if memory["left"] is None else now.at(memory["left"]),
        )


def scaled(box: Box, across: float, down: float) -> Box:
    """A box in a picture that is so many times as wide and as high."""
    return Box(box.x1 * across, box.y1 * down, box.x2 * across, box.y2 * down)


def _packed(look: Look) -> str:
    """A byte for each number, as base64: it is enough to tell looks apart."""
    return base64.b64encode(np.round(look * 127).astype(np.int8).tobytes()).decode()


def _unpacked(packed: str) -> Look:
    return _of_length_1(np.frombuffer(base64.b64decode(packed), np.int8).astype(np.float32))


def _of_length_1(look: Look) -> Look:
    return np.asarray(look / max(float(np.linalg.norm(look)), 1e-6), np.float32)
