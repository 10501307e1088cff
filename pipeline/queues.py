"""What stands between the thread that decodes a camera and the one that analyses it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Generic, TypeVar

from pipeline.types import Frame

T = TypeVar("T")


class SlotClosed(Exception):
    """The slot was closed and nothing waits in it."""


class SlotWoken(Exception):
    """Nothing has come, but there is something else to do."""


class Slot(Generic[T]):
    """Room for one item, from one thread to another.

    With `put(..., replaceable=True)` the newest wins, as a live camera needs it: what still waits
    is dropped and counted. Without, `put` waits until the item before was taken, as a film needs
    it, of which nothing is to be missed.

    `merge(old, new)` makes what takes the place of a dropped item; without it that is the new one.
    """

    def __init__(self, merge: Callable[[T, T], T] | None = None) -> None:
        self._merge = merge
        self._items: list[T] = []  # none or one; a list, since T may include None
        self._closed = False
        self._changed = threading.Condition()
        self._dropped: Counter[str] = Counter()

    @property
    def dropped(self) -> Mapping[str, int]:
        """Cause -> items never taken: `replaced` by a newer one, or left when it was `closed`."""
        with self._changed:
            return dict(self._dropped)

    def put(self, item: T, *, replaceable: bool) -> bool:
        """Hand an item over; False if the slot is closed, and the item then was not taken."""
        with self._changed:
            if replaceable and self._items and not self._closed:
                old = self._items.pop()
                self._dropped["replaced"] += 1
                item = self._merge(old, item) if self._merge else item
            self._changed.wait_for(lambda: self._closed or not self._items)
            if self._closed:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def get(self, timeout_s: float, unless: Callable[[], bool] = lambda: False) -> T:
        """The waiting item, or the next one to come within `timeout_s`.

        Raises:
            TimeoutError: none came in time.
            SlotWoken: none waits, and `unless` is true, now or when `wake` was called.
            SlotClosed: none waits and none will come.
        """
        with self._changed:
            if not self._changed.wait_for(
                lambda: self._closed or self._items or unless(), timeout_s
            ):
                raise TimeoutError
            if not self._items:
                raise SlotClosed if self._closed else SlotWoken
            item = self._items.pop()
            self._changed.notify_all()
            return item

    def wake(self) -> None:
        """Have `get` ask its `unless` again."""
        with self._changed:
            self._changed.notify_all()

    def close(self, *, discard: bool = False) -> None:
        """Accept nothing more; who waits is woken.

        What waits can still be taken, unless `discard` is set: the end of a film, and the end of
        the work.
        """
        with self._changed:
            self._closed = True
            if discard and self._items:
                self._items.clear()
                self._dropped["closed"] += 1
            self._changed.notify_all()


def newest_frame(old: Frame, new: Frame) -> Frame:
    """The newer frame, which also stands for the older one's jump in time; for `Slot(merge=)`."""
    if old.discontinuity and not new.discontinuity:
        return replace(new, discontinuity=True)
    return new
