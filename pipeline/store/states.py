"""How an event's state changes: one table of every state and everything that can happen to it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum

from pipeline.amendment import (
    Amendment,
    CameraBack,
    CameraLost,
    EventClipFailed,
    EventClipReady,
    EventCreated,
    EventEnded,
    EventJudged,
    EventUpdated,
)
from pipeline.errors import AmendmentError
from pipeline.types import Event, Outcome, State


class Trigger(StrEnum):
    """What can happen to an event, as far as its state is concerned."""

    CREATED_ASKED = "created, and a model is asked"
    CREATED_UNASKED = "created, and no model is asked"
    UPDATED = "updated"
    ASKED_ANEW = "updated, and a model is asked something new"
    LED_ANEW = "updated, with a new question that no model is asked"
    YES = "judged: yes"
    NO = "judged: no"
    UNSURE = "judged: unsure"
    UNAVAILABLE = "judged: no answer"
    CLIP = "given a clip"
    ENDED = "ended"
    ENDED_AGAIN = "ended, having ended before"
    LOST = "the loss of a camera"
    LOST_AGAIN = "the loss of a camera, having ended before"
    BACK = "the return of a camera"


class Step(Enum):
    """What a trigger does where it does not lead to a state."""

    NOTHING = "the event stays at its version"
    IMPOSSIBLE = "a mistake of the program"


_DETECTED, _CONFIRMED, _REJECTED = State.DETECTED, State.CONFIRMED, State.REJECTED
_UNSURE, _UNVERIFIED, _UNJUDGED = State.UNSURE, State.UNVERIFIED, State.UNJUDGED
_SAME, _NEVER = Step.NOTHING, Step.IMPOSSIBLE
_STATES: tuple[State | None, ...] = (None, *State)

# Four rules stand behind the rows. What is repeated after a crash changes nothing: `created` and
# `ended` twice, and a verdict after an answer, for the first answer stands. A late answer still
# counts where there was none (`unverified`). What was answered to one question says nothing of
# the next: where a more severe rule leads, the event is as at a beginning. And an update is taken
# even after the end, since the worker that saw more may have been slower than the one that ended
# the event after a restart.
# fmt: off
_ROWS: tuple[tuple[State | Step, ...], ...] = (
    # no event   detected      confirmed   rejected   unsure   unverified   unjudged
    (_DETECTED,  _SAME,        _SAME,      _SAME,     _SAME,   _SAME,       _SAME),      # asked
    (_UNJUDGED,  _SAME,        _SAME,      _SAME,     _SAME,   _SAME,       _SAME),      # unasked
    (_NEVER,     _DETECTED,    _CONFIRMED, _REJECTED, _UNSURE, _UNVERIFIED, _UNJUDGED),  # updated
    (_NEVER,     _DETECTED,    _DETECTED,  _DETECTED, _DETECTED, _DETECTED, _DETECTED),  # anew
    (_NEVER,     _UNJUDGED,    _UNJUDGED,  _UNJUDGED, _UNJUDGED, _UNJUDGED, _UNJUDGED),  # led
    (_NEVER,     _CONFIRMED,   _SAME,      _SAME,     _SAME,   _CONFIRMED,  _NEVER),     # yes
    (_NEVER,     _REJECTED,    _SAME,      _SAME,     _SAME,   _REJECTED,   _NEVER),     # no
    (_NEVER,     _UNSURE,      _SAME,      _SAME,     _SAME,   _UNSURE,     _NEVER),     # unsure
    (_NEVER,     _UNVERIFIED,  _SAME,      _SAME,     _SAME,   _SAME,       _NEVER),     # no answer
    (_NEVER,     _DETECTED,    _CONFIRMED, _REJECTED, _UNSURE, _UNVERIFIED, _UNJUDGED),  # clip
    (_NEVER,     _DETECTED,    _CONFIRMED, _REJECTED, _UNSURE, _UNVERIFIED, _UNJUDGED),  # ended
    (_NEVER,     _SAME,        _SAME,      _SAME,     _SAME,   _SAME,       _SAME),      # again
    (_UNJUDGED,  _NEVER,       _NEVER,     _NEVER,    _NEVER,  _NEVER,      _UNJUDGED),  # lost
    (_NEVER,     _SAME,        _SAME,      _SAME,     _SAME,   _SAME,       _SAME),      # again
    (_NEVER,     _NEVER,       _NEVER,     _NEVER,    _NEVER,  _NEVER,      _UNJUDGED),  # back
)
# fmt: on
TABLE: Mapping[tuple[State | None, Trigger], State | Step] = {
    (state, trigger): after
    for trigger, row in zip(Trigger, _ROWS, strict=True)
    for state, after in zip(_STATES, row, strict=True)
}
"""What follows a trigger in each state (None: there is no such event)."""

_VERDICTS = {
    Outcome.YES: Trigger.YES,
    Outcome.NO: Trigger.NO,
    Outcome.UNSURE: Trigger.UNSURE,
    Outcome.UNAVAILABLE: Trigger.UNAVAILABLE,
}


def trigger_of(event: Event | None, amendment: Amendment) -> Trigger:
    """What an amendment means to an event (None: there is no such event)."""
    over = event is not None and event.ended is not None
    match amendment:
        case EventCreated():
            return Trigger.CREATED_UNASKED if amendment.scene is None else Trigger.CREATED_ASKED
        case EventUpdated():
            return _led(event, amendment)
        case EventJudged():
            return _VERDICTS[amendment.verdict.outcome]
        case EventClipReady() | EventClipFailed():
            return Trigger.CLIP
        case EventEnded():
            return Trigger.ENDED_AGAIN if over else Trigger.ENDED
        case CameraLost():
            return Trigger.LOST_AGAIN if over else Trigger.LOST
        case CameraBack():
            return Trigger.ENDED_AGAIN if over else Trigger.BACK


def _led(event: Event | None, amendment: EventUpdated) -> Trigger:
    leading = amendment.leading
    if event is None or leading is None or leading.severity.rank < event.severity.rank:
        return Trigger.UPDATED
    if leading.question != event.question:
        return Trigger.LED_ANEW if leading.scene is None else Trigger.ASKED_ANEW
    # The same question again, which was not asked while nobody was told of the event.
    unasked = event.state is State.UNJUDGED and leading.scene is not None
    return Trigger.ASKED_ANEW if unasked else Trigger.UPDATED


def next_state(event: Event | None, event_id: str, amendment: Amendment) -> State | None:
    """The state an amendment leads to, or None where it changes nothing at all.

    Raises:
        AmendmentError: this cannot happen to an event in its state.
    """
    state = None if event is None else event.state
    cause = trigger_of(event, amendment)
    after = TABLE[state, cause]
    if after is Step.NOTHING:
        return None
    if after is Step.IMPOSSIBLE:
        there = "does not exist" if state is None else f"is {state}"
        raise AmendmentError(f"Event {event_id} {there}, so it cannot be {cause}.")
    assert isinstance(after, State)
    return after
