"""The slot between a decoding and an analysing thread."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from pipeline.queues import Slot, SlotClosed, SlotWoken, newest_frame
from pipeline.types import Frame, Image, Size

WAIT_S = 30.0


class NoPicture:
    def bgr(self, size: Size) -> Image:
        raise AssertionError("nobody looks at it")


def frame(index: int, *, discontinuity: bool = False) -> Frame:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Frame("door", index, now, 0.0, 0.0, (2, 2), NoPicture(), discontinuity)


def test_the_newest_live_item_wins_and_the_others_are_counted() -> None:
    slot: Slot[int] = Slot()
    for item in range(5):
        assert slot.put(item, replaceable=True)
    assert slot.get(0) == 4
    assert slot.dropped == {"replaced": 4}
    with pytest.raises(TimeoutError):
        slot.get(0)


def test_a_film_hands_over_every_item_in_order() -> None:
    slot: Slot[int] = Slot()

    def produce() -> None:
        for item in range(500):
            assert slot.put(item, replaceable=False)
        slot.close()

    producer = threading.Thread(target=produce)
    producer.start()
    taken = [slot.get(10) for _ in range(500)]
    with pytest.raises(SlotClosed):
        slot.get(10)
    producer.join(10)
    assert taken == list(range(500))
    assert slot.dropped == {}


def test_what_waits_at_the_end_is_still_handed_over() -> None:
    slot: Slot[None] = Slot()
    slot.put(None, replaceable=False)
    slot.close()
    assert slot.get(0) is None
    with pytest.raises(SlotClosed):
        slot.get(0)


def test_what_waits_is_discarded_and_counted_on_request() -> None:
    slot: Slot[int] = Slot()
    slot.put(1, replaceable=True)
    slot.close(discard=True)
    with pytest.raises(SlotClosed):
        slot.get(0)
    assert slot.dropped == {"closed": 1}


def test_closing_releases_a_thread_that_waits_to_put() -> None:
    slot: Slot[int] = Slot()
    slot.put(1, replaceable=False)
    results: list[bool] = []
    waiting = threading.Thread(target=lambda: results.append(slot.put(2, replaceable=False)))
    waiting.start()
    slot.close()
    waiting.join(10)
    assert results == [False]
    assert slot.get(0) == 1


def test_closing_releases_a_thread_that_waits_to_get() -> None:
    slot: Slot[int] = Slot()
    results: list[str] = []

    def consume() -> None:
        try:
            slot.get(60)
        except SlotClosed:
            results.append("closed")

    waiting = threading.Thread(target=consume)
    waiting.start()
    slot.close()
    waiting.join(10)
    assert results == ["closed"]


def test_nothing_is_replaced_once_it_is_closed() -> None:
    slot: Slot[int] = Slot()
    slot.put(1, replaceable=True)
    slot.close()
    assert not slot.put(2, replaceable=True)
    assert slot.get(0) == 1
    assert slot.dropped == {}


def test_a_replaced_frame_leaves_its_jump_to_the_next() -> None:
    slot: Slot[Frame] = Slot(newest_frame)
    slot.put(frame(0, discontinuity=True), replaceable=True)
    slot.put(frame(1), replaceable=True)
    slot.put(frame(2), replaceable=True)
    taken = slot.get(0)
    assert (taken.index, taken.discontinuity) == (2, True)
    slot.put(frame(3), replaceable=True)
    assert not slot.get(0).discontinuity


def test_who_waits_is_woken_for_something_else_to_do_but_takes_what_waits_first() -> None:
    slot: Slot[int] = Slot()
    to_do = threading.Event()
    woken = threading.Thread(target=lambda: (to_do.set(), slot.wake()))
    woken.start()
    with pytest.raises(SlotWoken):
        slot.get(WAIT_S, unless=to_do.is_set)
    woken.join()
    slot.put(1, replaceable=True)
    assert slot.get(WAIT_S, unless=to_do.is_set) == 1
    slot.close()
    with pytest.raises(SlotClosed):
        slot.get(WAIT_S, unless=to_do.is_set)
