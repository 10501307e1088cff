"""When a worker that ended is started again."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient one is with a worker; times in seconds.

    The first restart within `window_s` is made at once, further ones after `first_s`, doubled each
    time. One that ends more than `quick` times within the window is given a rest of `rest_s`,
    doubled with each within `memory_s`, up to `longest_s`. After `hopeless` rests that did not help
    it has failed for good.
    """

    quick: int = 5
    window_s: float = 60.0
    first_s: float = 0.25
    rest_s: float = 60.0
    longest_s: float = 600.0
    memory_s: float = 3600.0
    hopeless: int = 1
    final: bool = True
    """Whether the failure for good of such a worker is one of the whole."""


PATIENT = Policy()

WARY = Policy(quick=0, rest_s=5.0, longest_s=300.0, hopeless=6, final=False)
"""For one that is known to crash: it must not take the others' time by being started too often, nor
end all the rest."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Start again after `delay_s`; `rest` says that this is worth telling people. It has ended
    `times` times within `over_s` seconds."""

    delay_s: float
    rest: bool
    times: int
    over_s: float

    @property
    def often(self) -> str:
        """How often, for the middle of a sentence; empty if it was once."""
        if self.times == 1:
            return ""
        return f" {self.times} times within {self.over_s:.0f} s, at last"


class Restarts:
    """The history of one worker's ends. Time comes in with the calls, in seconds of one clock."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._ends: deque[float] = deque()
        self._rests: deque[float] = deque()

    def ended(self, now: float) -> Wait:
        """It has just ended without being asked to."""
        policy = self._policy
        self._ends.append(now)
        _forget(self._ends, now - (policy.window_s if policy.quick else policy.memory_s))
        _forget(self._rests, now - policy.memory_s)
        times = len(self._ends)
        if times <= policy.quick:
            delay_s = 0.0 if times == 1 else policy.first_s * 2.0 ** (times - 2)
            return Wait(delay_s, False, times, policy.window_s)
        self._rests.append(now)
        rest_s = min(policy.longest_s, policy.rest_s * 2.0 ** min(len(self._rests) - 1, 32))
        return Wait(rest_s, True, times, max(1.0, now - self._ends[0]))

    @property
    def hopeless(self) -> bool:
        """Whether so many rests did not help that it has failed for good."""
        return len(self._rests) >= self._policy.hopeless


def _forget(times: deque[float], before: float) -> None:
    while times and times[0] < before:
        times.popleft()
