"""The words of sentences for people: articles, places, durations, times of day."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

_ON = re.compile(
    r"\b(balcony|bridge|deck|drive|driveway|field|floor|grass|lawn|path|pavement|pier|pitch|"
    r"platform|porch|ramp|road|roof|sidewalk|stairs?|staircase|steps?|street|terrace|track|"
    r"walkway)$"
)
_IN = re.compile(
    r"\b(aisle|alley|area|attic|backyard|basement|bay|building|cellar|corridor|courtyard|garage|"
    r"garden|hall|hallway|house|kitchen|lane|lobby|lot|office|park|passage|pool|room|shed|shop|"
    r"square|store|tunnel|warehouse|workshop|yard|zone)$"
)
_OWN = re.compile(
    r"^(at|behind|below|beside|by|in|inside|near|next|on|opposite|outside|over|under) "
)
_SOUNDS_LIKE_YOU = ("eu", "one", "uni", "use", "usu", "uti", "ute")
_PAIRS = ("scissors", "skis")
_UNCOUNTED = ("broccoli",)
_PLURALS = {
    "person": "people",
    "knife": "knives",
    "mouse": "mice",
    "sheep": "sheep",
    "skis": "pairs of skis",
    "scissors": "pairs of scissors",
    "broccoli": "broccoli",
}
_HISSING = ("s", "x", "sh", "ch")
_INTO = {"in": "into", "on": "onto", "at": "to"}
_WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SILENT_H = ("heir", "honest", "honour", "hour")


@lru_cache(maxsize=256)
def article(noun: str) -> str:
    """The noun with `a` or `an`, chosen by its first sound; *a pair of skis*, and *broccoli*."""
    word = noun.lower()
    if word in _UNCOUNTED:
        return noun
    if word in _PAIRS:
        return f"a pair of {noun}"
    vowel = word.startswith(("a", "e", "i", "o", "u")) and not word.startswith(_SOUNDS_LIKE_YOU)
    return f"an {noun}" if vowel or word.startswith(_SILENT_H) else f"a {noun}"


@lru_cache(maxsize=256)
def place(name: str) -> str:
    """Where something is: `on the lawn`, `in the yard`, `at the back door`.

    The preposition goes by the name's last word; a name that begins with one keeps its own.
    """
    lower = name.lower()
    if _OWN.search(lower):
        return name
    preposition = "on" if _ON.search(lower) else "in" if _IN.search(lower) else "at"
    return f"{preposition} {name}"


def into(name: str) -> str:
    """Where something has gone: `onto the lawn`, `into the yard`, `to the back door`."""
    where = place(name)
    return where if where == name else f"{_INTO[where.split(' ')[0]]} {name}"


def has_own_preposition(name: str) -> bool:
    """Whether a place's name says by itself where that is, such as `behind the shed`."""
    return place(name) == name


def plural(noun: str) -> str:
    """Several of a noun: `people`, `buses`, `cell phones`."""
    word = noun.lower()
    return _PLURALS.get(word) or noun + ("es" if word.endswith(_HISSING) else "s")


def counted(number: int, noun: str) -> str:
    """`1 dog`, `5 people`."""
    return f"{number} {noun if number == 1 else plural(noun)}"


def listed(parts: Sequence[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`; with another word before the last one if told."""
    *others, end = parts
    return f"{', '.join(others)} {last} {end}" if others else end


def duration(seconds: float) -> str:
    """Whole seconds up to two minutes, then minutes and seconds: `42 s`, `3 min`, `3 min 20 s`."""
    whole = int(seconds)
    if whole < 120:
        return f"{whole} s" if seconds >= 1 or whole == seconds else f"{seconds:.1f} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def plain_cause(cause: str | None, camera: str) -> str | None:
    """A camera's sentence without its key, where its name stands beside it."""
    if cause is None:
        return None
    rest = cause.removeprefix(f"Camera {camera}: ")
    return rest if "://" in rest.split(" ")[0] else rest[:1].upper() + rest[1:]


def sentence_of(what: str, why: str | None) -> str:
    """One sentence of a statement and its cause, which may be a sentence of its own."""
    return f"{what}." if not why else f"{what}: {why.rstrip('.')}."


def short_id(event_id: str) -> str:
    """The beginning of an event's id, which `vigil clip` takes: its moment to the millisecond (RFC
    9562, version 7)."""
    return event_id[:13]


def clock(moment: datetime) -> str:
    """The time of day as HH:MM, in the moment's own time zone."""
    return f"{moment:%H:%M}"


def day_and_clock(moment: datetime) -> str:
    """The day of the week and the time, in the moment's own time zone: `Sunday 03:12`."""
    return f"{_WEEK[moment.weekday()]} {clock(moment)}"


def sentence(text: str) -> str:
    """Text with a capital first letter and a full stop."""
    return text[:1].upper() + text[1:] + "."
