"""What happens when in a clip, as WebVTT (https://www.w3.org/TR/webvtt1/)."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.clips.cut import Cut
from pipeline.types import Event, State

SHORTEST_S = 2.0
"""Time to read a line."""
_ANSWERS = {
    State.CONFIRMED: "Yes",
    State.REJECTED: "No",
    State.UNSURE: "Not sure",
}


def webvtt(event: Event, cut: Cut) -> str:
    """The captions of a clip: the rule's sentence, who comes and goes, what the model says."""
    cues = sorted(_cues(event, cut))
    blocks = [f"{_time(begin)} --> {_time(end)}\n{_text(text)}" for begin, end, text in cues]
    return "\n\n".join(["WEBVTT", *blocks]) + "\n"


def _cues(event: Event, cut: Cut) -> Iterator[tuple[float, float, str]]:
    length = cut.duration_s
    begin = min(cut.seconds(event.started), max(0.0, length - SHORTEST_S))
    over = length if event.ended is None else cut.seconds(event.ended)
    end = min(length, max(over, begin + SHORTEST_S))
    yield begin, end, event.rule_reason
    if event.state in _ANSWERS:
        answer = f"{event.question} {_ANSWERS[event.state]}"
        if event.probability is not None:
            answer += f" ({event.probability:.0%})"
        yield begin, end, answer
    if event.described_by != "template":
        yield begin, end, event.description
    yield from _comings(event, cut)


def _comings(event: Event, cut: Cut) -> Iterator[tuple[float, float, str]]:
    """When the event's own tracks appear and are last seen, where the clip shows it."""
    own = {track.id: track.label for track in event.tracks}
    first: dict[int, float] = {}
    last: dict[int, float] = {}
    for look in cut.looks:
        for track in look.tracks:
            if track.id in own:
                first.setdefault(track.id, look.t)
                last[track.id] = look.t
    edge = cut.looks[0].t if cut.looks else 0.0
    for number, t in first.items():
        if t > edge:
            yield t, min(cut.duration_s, t + SHORTEST_S), f"{_a(own[number])} appears"
    for number, t in last.items():
        if t < cut.looks[-1].t - 1.0:
            yield t, min(cut.duration_s, t + SHORTEST_S), f"{_a(own[number])} is gone"


def _a(label: str) -> str:
    return f"{'An' if label[:1] in 'aeiou' else 'A'} {label}"


def _time(seconds: float) -> str:
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def _text(text: str) -> str:
    """On one line, and nothing in it read as markup."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return " ".join(escaped.split())
