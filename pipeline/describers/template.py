"""A sentence and facts from what the tracks say, without any model.

They claim no more than that: a track has a label, a place and a path, so a person *moves* or
*stays*; whether it walks, stands or lies is not known.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from pipeline.types import Finding, Track, View
from pipeline.wording import article, clock, duration, place
from pipeline.wording import sentence as as_sentence

NAME = "template"
"""`described_by` of an event whose description is `sentence`."""

MOVED_BOXES = 0.3
"""A foot that went less than this share of its box's longer side has not clearly moved."""
RECENT_S = 3.0
"""Seconds of path that tell where a track is heading."""

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_PLURALS = {
    "person": "people",
    "mouse": "mice",
    "knife": "knives",
    "sheep": "sheep",
    "skis": "pairs of skis",
    "scissors": "pairs of scissors",
    "broccoli": "broccoli",
}
_ARTICLES = ("the ", "a ", "an ", "my ", "our ", "your ")
# clockwise from the right, an eighth of a turn each; y grows downwards
_DIRECTIONS = (
    "to the right",
    "to the lower right",
    "towards the bottom of the picture",
    "to the lower left",
    "to the left",
    "to the upper left",
    "towards the top of the picture",
    "to the upper right",
)


def sentence(view: View, finding: Finding) -> str:
    """What the finding's tracks do, where and when, such as
    *A person moves to the left on the lawn at the campus, 14:02.*"""
    tracks = finding.tracks
    who = _things(tracks) or "something"
    action, moves = _action(tracks)
    zone = view.zones.get(finding.zone) if finding.zone else None
    words = [who, action]
    if zone is not None:
        words.append(place(zone.name))
    elif not moves:
        words.append("in view")
    words.append(_camera(view.camera_name))
    return as_sentence(f"{' '.join(words)}, {clock(view.captured_at)}")


def facts(view: View, finding: Finding) -> tuple[str, ...]:
    """What is known without a model, one line each: why the rule fired, what, for how long,
    where, in which direction, and the local time."""
    zone = view.zones.get(finding.zone) if finding.zone else None
    lines = [finding.rule_reason]
    for track in finding.tracks:
        parts = [
            f"{article(track.label)} (confidence {track.detection.confidence:.2f})",
            f"in view for {duration(track.last_seen - track.first_seen)}",
        ]
        if track.stationary_since is not None:
            parts.append(f"without moving for {duration(view.monotonic - track.stationary_since)}")
        elif heading := direction(track):
            parts.append(f"moving {heading}")
        lines.append(as_sentence(", ".join(parts)))
    if zone is not None:
        lines.append(f"Place: {place(zone.name)}.")
    lines.append(f"Local time: {view.captured_at:%A %H:%M}.")
    return tuple(lines)


def direction(track: Track) -> str | None:
    """Where a track heads in the picture, in words, by the last RECENT_S of its path; None when
    it has not clearly moved."""
    if track.stationary_since is not None or len(track.path) < 2:
        return None
    last = track.path[-1]
    first = next(p for p in track.path if p.monotonic >= last.monotonic - RECENT_S)
    dx, dy = last.x - first.x, last.y - first.y
    box = track.detection.box
    if math.hypot(dx, dy) < MOVED_BOXES * max(box.width, box.height):
        return None
    return _DIRECTIONS[round(math.atan2(dy, dx) / (math.pi / 4)) % len(_DIRECTIONS)]


def _action(tracks: Sequence[Track]) -> tuple[str, bool]:
    """What all the tracks do, and whether that is moving; where they differ or it is not known,
    only that they are there."""
    one = len(tracks) <= 1
    if tracks and all(track.stationary_since is not None for track in tracks):
        return ("stays" if one else "stay"), False
    headings = {direction(track) for track in tracks}
    heading = headings.pop() if len(headings) == 1 else None
    if heading is not None:
        return f"{'moves' if one else 'move'} {heading}", True
    return ("is" if one else "are"), False


def _things(tracks: Sequence[Track]) -> str:
    """The labels with their numbers, the most frequent first: two people and a car."""
    counts = Counter(track.label for track in tracks).most_common()
    parts = [article(label) if n == 1 else f"{_number(n)} {_plural(label)}" for label, n in counts]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _number(n: int) -> str:
    return _NUMBERS[n] if n < len(_NUMBERS) else str(n)


def _plural(label: str) -> str:
    if label in _PLURALS:
        return _PLURALS[label]
    if label.endswith(("s", "sh", "ch", "x")):
        return f"{label}es"
    return f"{label}s"


def _camera(name: str) -> str:
    if name.lower().startswith(_ARTICLES):
        return f"at {name}"
    return f"on {name}" if name.lower().startswith("camera") else f"on camera {name}"
