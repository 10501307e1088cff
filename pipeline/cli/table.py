"""What `run` and `demo` show while they run: a live table on a terminal, else plain lines."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import tzinfo
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipeline.health import CameraState, CameraStatus
from pipeline.library import Status
from pipeline.types import Event, EventType, Severity, State
from pipeline.wording import short_id

SHOWN_EVENTS = 8
_STYLE = {Severity.ALERT: "bold red", Severity.NOTICE: "yellow", Severity.INFO: "default"}
_WORTH_A_LINE = frozenset(
    {
        EventType.CREATED,
        EventType.JUDGED,
        EventType.CAMERA_OFFLINE,
        EventType.CAMERA_FROZEN,
        EventType.CAMERA_ONLINE,
    }
)
_JUDGED = {
    State.CONFIRMED: "the model says yes",
    State.REJECTED: "the model says no",
    State.UNSURE: "the model is unsure",
    State.UNVERIFIED: "not verified",
}


class Display:
    """Shows a running pipeline. `note` lines stand below the table; a context manager."""

    def __init__(self, notes: Sequence[str], tz: tzinfo | None) -> None:
        self._console = Console(file=sys.stderr)
        self._notes = tuple(notes)
        self._page: tuple[str, ...] = ()
        self._tz = tz
        self._events: deque[tuple[str, Text]] = deque(maxlen=SHOWN_EVENTS)
        self._counts: dict[str, int] = {}
        self._told: dict[str, tuple[CameraState, str | None]] = {}
        self._problems: set[str] = set()
        self._detectors: tuple[str, ...] = ()
        self._live = (
            Live(console=self._console, refresh_per_second=4, transient=False)
            if self._console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.__enter__()
        else:
            for note in self._notes:
                self._line(note)
        return self

    def __exit__(self, *unused: object) -> None:
        if self._live is not None:
            self._live.__exit__(None, None, None)

    def page(self, notes: Sequence[str]) -> None:
        """Take in where the page is now."""
        self._page = tuple(notes)
        if self._live is None:
            for note in notes:
                self._line(note)

    def event(self, event: Event) -> None:
        """Take in a version of an event."""
        if event.type is EventType.CREATED:
            self._counts[event.camera] = self._counts.get(event.camera, 0) + 1
        sentence = self._sentence(event)
        for index, (known, _) in enumerate(self._events):
            if known == event.id:
                self._events[index] = (event.id, sentence)
                break
        else:
            self._events.append((event.id, sentence))
        if self._live is None and event.type in _WORTH_A_LINE:
            self._line(f"event: {sentence.plain}")

    def status(self, status: Status) -> None:
        """Take in how cameras and workers are."""
        if self._live is not None:
            self._live.update(self._render(status))
            return
        if status.detectors != self._detectors:
            self._detectors = status.detectors
            self._line(_detection(status))
        for key, camera in status.cameras.items():
            now = (camera.state, camera.message)
            if self._told.get(key) != now:
                self._told[key] = now
                self._line(camera.message or f"Camera {key} is {_word(camera.state)}.")
        for problem in status.problems:
            if problem not in self._problems:
                self._line(problem)
        self._problems = set(status.problems)

    def counts_line(self, status: Status) -> str:
        """One line of figures for every camera, for output that is no terminal."""
        return "; ".join(
            f"{key}: {_word(c.state)}, {c.frames} frames, {c.looks_per_s:.1f} detections/s, "
            f"{_latency(c)}, {self._counts.get(key, 0)} events{_silenced(c)}"
            for key, c in status.cameras.items()
        )

    def _line(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _sentence(self, event: Event) -> Text:
        local = event.started.astimezone(self._tz)
        text = Text(f"{local:%H:%M:%S}  ", style="dim")
        text.append(f"{event.severity.value:<7}", style=_STYLE[event.severity])
        text.append(f"{event.camera_name}: {event.rule_reason}", style="default not dim")
        if event.state in _JUDGED:
            answer = _JUDGED[event.state]
            if event.probability is not None:
                answer += f" ({event.probability:.0%})"
            if event.state is State.UNVERIFIED and event.judge_reason:
                answer += f": {event.judge_reason}"
            text.append(f"  [{answer}]", style="cyan")
        # Several people at once are several events of the same sentence.
        text.append(f"  {short_id(event.id)}", style="dim")
        return text

    def _render(self, status: Status) -> Group:
        table = Table(expand=False, title="vigil", title_justify="left")
        for name in ("camera", "state", "activity"):
            table.add_column(name)
        for name in ("frames", "detections/s", "latency", "events"):
            table.add_column(name, justify="right")
        for key, camera in status.cameras.items():
            style = "green" if camera.state is CameraState.LIVE else "yellow"
            table.add_row(
                Text(key),
                Text(_word(camera.state), style=style),
                camera.activity or "-",
                f"{camera.frames}",
                f"{camera.looks_per_s:.1f}",
                _latency(camera),
                f"{self._counts.get(key, 0)}",
            )
        messages = [c.message for c in status.cameras.values() if c.message]
        lines = [Text(m, style="yellow") for m in (*messages, *status.problems)]
        lines += [sentence for _, sentence in self._events]
        notes = [*self._page, *self._notes]
        if status.detectors:
            notes.append(_detection(status))
        lines += [Text(note, style="dim") for note in notes]
        return Group(table, *lines)


def _detection(status: Status) -> str:
    return f"Detector: {'; '.join(status.detectors)}."


def _word(state: CameraState) -> str:
    return state.value.replace("_", " ")


def _latency(camera: CameraStatus) -> str:
    return "-" if camera.latency_ms is None else f"{camera.latency_ms:.0f} ms"


def _silenced(camera: CameraStatus) -> str:
    silenced = sum(camera.silenced.values())
    return f" ({silenced} not announced)" if silenced else ""


class Every:
    """True once per period; for things that need no saying more often."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._next = clock() + seconds

    def due(self) -> bool:
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True
