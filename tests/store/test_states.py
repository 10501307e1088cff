"""Every state meets everything that can happen to it."""

from __future__ import annotations

import pytest
from happenings import (
    NOW,
    asked,
    back,
    clip_ready,
    created,
    ended,
    judged,
    leading,
    lost,
    scene,
    updated,
)

from pipeline.amendment import Amendment
from pipeline.errors import AmendmentError
from pipeline.store.fold import fold
from pipeline.store.states import TABLE, Trigger, trigger_of
from pipeline.types import Event, Outcome, State

AMENDMENTS: dict[Trigger, tuple[Amendment, ...]] = {
    Trigger.CREATED_ASKED: (asked(),),
    Trigger.CREATED_UNASKED: (created(),),
    Trigger.UPDATED: (updated(),),
    Trigger.ASKED_ANEW: (updated(leading=leading(scene=scene())),),
    Trigger.LED_ANEW: (updated(leading=leading()),),
    Trigger.YES: (judged(Outcome.YES),),
    Trigger.NO: (judged(Outcome.NO),),
    Trigger.UNSURE: (judged(Outcome.UNSURE),),
    Trigger.UNAVAILABLE: (judged(Outcome.UNAVAILABLE),),
    Trigger.CLIP: (clip_ready(),),
    Trigger.ENDED: (ended(),),
    Trigger.ENDED_AGAIN: (ended(), ended(120)),
    Trigger.LOST: (lost(),),
    Trigger.LOST_AGAIN: (ended(), lost()),
    Trigger.BACK: (back(),),
}
WAYS: dict[State, tuple[Amendment, ...]] = {
    State.DETECTED: (asked(),),
    State.CONFIRMED: (asked(), judged(Outcome.YES)),
    State.REJECTED: (asked(), judged(Outcome.NO)),
    State.UNSURE: (asked(), judged(Outcome.UNSURE)),
    State.UNVERIFIED: (asked(), judged(Outcome.UNAVAILABLE)),
    State.UNJUDGED: (created(),),
}
ANSWERS = {
    Trigger.YES: State.CONFIRMED,
    Trigger.NO: State.REJECTED,
    Trigger.UNSURE: State.UNSURE,
}
WAITING = {State.DETECTED, State.UNVERIFIED}
ANSWERED = set(ANSWERS.values())


def event_in(state: State | None) -> Event | None:
    event = None
    for amendment in WAYS[state] if state else ():
        event = fold(event, "e1", amendment, NOW)
    assert event is None or event.state is state
    return event


def expected(state: State | None, trigger: Trigger) -> State | str:
    """What the design says, in other words than the table's."""
    if state is None:
        begins = {
            Trigger.CREATED_ASKED: State.DETECTED,
            Trigger.CREATED_UNASKED: State.UNJUDGED,
            Trigger.LOST: State.UNJUDGED,
        }
        return begins.get(trigger, "impossible")
    if trigger in (
        Trigger.CREATED_ASKED,
        Trigger.CREATED_UNASKED,
        Trigger.ENDED_AGAIN,
        Trigger.LOST_AGAIN,
    ):
        return "nothing"
    if trigger in (Trigger.LOST, Trigger.BACK):
        return state if state is State.UNJUDGED else "impossible"
    if trigger is Trigger.ASKED_ANEW:
        return State.DETECTED
    if trigger is Trigger.LED_ANEW:
        return State.UNJUDGED
    if trigger in (Trigger.UPDATED, Trigger.CLIP, Trigger.ENDED):
        return state
    if state is State.UNJUDGED:
        return "impossible"
    if state in ANSWERED:
        return "nothing"
    if trigger is Trigger.UNAVAILABLE:
        return State.UNVERIFIED if state is State.DETECTED else "nothing"
    assert state in WAITING
    return ANSWERS[trigger]


def outcome_of(state: State | None, trigger: Trigger) -> State | str:
    event = event_in(state)
    amendments = AMENDMENTS[trigger]
    try:
        for amendment in amendments[:-1]:
            event = fold(event, "e1", amendment, NOW)
        assert trigger_of(event, amendments[-1]) is trigger or state is None
        folded = fold(event, "e1", amendments[-1], NOW)
    except AmendmentError:
        return "impossible"
    return "nothing" if folded is event else folded.state


@pytest.mark.parametrize("trigger", Trigger)
@pytest.mark.parametrize("state", [None, *State])
def test_every_state_takes_every_amendment_as_designed(
    state: State | None, trigger: Trigger
) -> None:
    assert outcome_of(state, trigger) == expected(state, trigger)


def test_the_table_has_a_place_for_every_pair() -> None:
    assert set(TABLE) == {(state, trigger) for state in (None, *State) for trigger in Trigger}


def test_every_amendment_of_every_outcome_is_a_trigger() -> None:
    seen = {
        trigger_of(event_in(state), amendment)
        for state in (None, *State)
        for amendments in AMENDMENTS.values()
        for amendment in amendments
    }
    over = fold(event_in(State.DETECTED), "e1", ended(), NOW)
    seen |= {trigger_of(over, ended()), trigger_of(over, lost())}
    assert seen == set(Trigger)


def test_the_sentence_names_the_event_and_its_state() -> None:
    with pytest.raises(AmendmentError, match="Event e1 is unjudged, so it cannot be judged: yes"):
        fold(event_in(State.UNJUDGED), "e1", judged(), NOW)
    with pytest.raises(AmendmentError, match="Event e1 does not exist, so it cannot be updated"):
        fold(None, "e1", updated(), NOW)
