"""How long a description may keep a verdict waiting.

At its deadline an event is marked unverified by whoever looks after deadlines, so an answer that
is known must be on its way well before.
"""

from __future__ import annotations

RESERVE_S = 2.0
"""Left over before the deadline for the verdict's way into the database."""
DESCRIPTION_S = 10.0
"""An answer is worth more now than with a sentence in a minute: people wait for it."""


def for_description(left_s: float) -> float:
    """Seconds that a description may take when `left_s` remain to the deadline; zero or less
    where there is no time for one."""
    return min(left_s - RESERVE_S, DESCRIPTION_S)
