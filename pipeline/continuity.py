"""How long what is not seen is still taken to be there."""

from __future__ import annotations

RESUME_WITHIN_S = 15.0
"""After a restart, what was followed before goes on if it is found again within so long: a worker
that starts anew and opens its camera takes 3 to 10 s, and who was gone for longer has left."""
FOUND_AGAIN_WITHIN_S = 5.0
"""Who vanishes within the picture and comes into sight again within so long, after being seen last,
may be the same: its track gets its id back, and its stay goes on."""
PATIENT_LOOKS = 2.5


def patient(limit_s: float, period_s: float) -> float:
    """A limit in seconds, or two and a half looks where looks are rarer than that: what was
    missed in one look must not be over."""
    return max(limit_s, PATIENT_LOOKS * period_s)
