"""How a worker ended that nobody had asked to, and whose doing it may have been."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipeline.blackbox import Remains
from pipeline.health import Cause
from pipeline.workers.link import Wedged

_OWN_DOING = frozenset(
    {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP}
)
"""What native code brings upon itself. Others come from outside, as SIGKILL does where memory runs
out: that is nobody's doing in particular."""


@dataclass(frozen=True, slots=True)
class Ending:
    """One end of a worker; `how` in a few words, `last_words` the most telling ones for people.

    `suspects` are those of its subjects whose doing it may have been: one if that is known, none
    if it was nobody's.
    """

    cause: Cause
    how: str
    last_words: str
    suspects: tuple[str, ...]
    at: datetime

    def for_successor(self) -> Mapping[str, Any]:
        """What the worker that comes next is told, in plain values."""
        return {
            "ended_at": self.at.isoformat(),
            "cause": self.cause.value,
            "camera": self.suspects[0] if len(self.suspects) == 1 else None,
        }


def crashed(remains: Remains, status: int | None, last_words: str) -> Ending:
    """It ended with an exit status; None if it had to be killed, since it only closed its pipe."""
    how, suspects = f"status {status}", remains.failed()
    if status is not None and status < 0:
        how = last_words = _signal(-status)
    if remains.hit is not None or (status is not None and -status in _OWN_DOING):
        suspects = remains.suspects()
        how = last_words = f"{how}{_for(suspects)}"
    return Ending(Cause.CRASHED, how, last_words, suspects, datetime.now(UTC))


def wedged(message: Wedged) -> Ending:
    """It ended itself."""
    what = "a rule of your own" if message.what == "rule" else "a native call"
    how = f"{what} for {message.camera} did not return for {message.seconds:.0f} s"
    return Ending(Cause.WEDGED, how, how, (message.camera,), datetime.now(UTC))


def silent(seconds: float, suspects: tuple[str, ...]) -> Ending:
    """It was killed, since it was heard of no more."""
    how = f"it was silent for {seconds:.0f} s{_for(suspects)}"
    return Ending(Cause.SILENT, how, how, suspects, datetime.now(UTC))


def not_started(error: Exception) -> Ending:
    """It could not even be started."""
    words = f"it could not be started ({error})"
    return Ending(Cause.CRASHED, "not started", words, (), datetime.now(UTC))


def _for(suspects: tuple[str, ...]) -> str:
    if len(suspects) == 1:
        return f" in a call for {suspects[0]}"
    return f" in a call for one of {', '.join(suspects)}" if suspects else ""


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
