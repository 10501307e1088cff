"""When a camera's being away is told, and what of: a pure function of its states and of time.

An outage begins when the camera is no longer live and ends when it has been live for a while: one
that comes and goes is away once. It is one event, told after a grace time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from uuid6 import uuid7

from pipeline.amendment import Amendment, CameraBack, CameraLost
from pipeline.config import Health
from pipeline.health import CameraState
from pipeline.types import Event, EventType
from pipeline.wording import clock, duration, sentence_of

STEADY_S = 5.0
"""A camera that has been live for so long is back."""

Told = tuple[str, Amendment]
"""An event's id, and what is said of it."""

_OVER = frozenset({CameraState.ENDED, CameraState.STOPPED})


@dataclass(frozen=True, slots=True)
class Place:
    """Whose camera it is: its key, what people call it, its site and the site's time zone."""

    camera: str
    name: str
    site: str
    tz: tzinfo | None


@dataclass(frozen=True, slots=True)
class _Moment:
    at: datetime
    monotonic: float


class Outages:
    """What is told of one camera. `open_event` is the event that a predecessor left open."""

    def __init__(self, place: Place, settings: Health, *, open_event: Event | None = None) -> None:
        self._place, self._settings = place, settings
        self._event_id = None if open_event is None else open_event.id
        self._kind = None if open_event is None else open_event.type
        self._started = None if open_event is None else open_event.started
        self._away: _Moment | None = None
        self._live: _Moment | None = None
        self._state: CameraState | None = None
        self._cause: str | None = None

    def changed(
        self, state: CameraState, cause: str | None, at: datetime, monotonic: float
    ) -> list[Told]:
        """The camera is in this state now; `cause` is a sentence for people, if there is one."""
        self._state = state
        if state is CameraState.LIVE:
            self._live = _Moment(at, monotonic)
            return []
        if state in _OVER:
            return []
        came_back = self._live is not None and monotonic - self._live.monotonic >= STEADY_S
        told = self._back() if came_back else []
        self._live = None
        if self._away is None:
            self._away = _Moment(at, monotonic)
        self._cause = cause or self._cause
        if state is CameraState.FROZEN:
            since = at - timedelta(seconds=self._settings.frozen_after_s or 0.0)
            return told + self._lost(EventType.CAMERA_FROZEN, since, at)
        return told

    def tick(self, at: datetime, monotonic: float) -> list[Told]:
        """Time has passed; called about once a second."""
        if self._state is None or self._state in _OVER:
            return []
        if self._live is not None:
            return self._back() if monotonic - self._live.monotonic >= STEADY_S else []
        frozen = self._state is CameraState.FROZEN
        grace_s = self._settings.offline_after_s
        if self._away is None or frozen or monotonic - self._away.monotonic < grace_s:
            return []
        return self._lost(EventType.CAMERA_OFFLINE, self._away.at, at)

    def _lost(self, kind: EventType, since: datetime, at: datetime) -> list[Told]:
        if self._kind is kind:
            return []
        if self._event_id is None:
            self._event_id, self._started = str(uuid7()), since
        self._kind = kind
        assert self._started is not None
        return [
            (
                self._event_id,
                CameraLost(
                    type=kind,
                    camera=self._place.camera,
                    camera_name=self._place.name,
                    site=self._place.site,
                    severity=self._settings.severity,
                    rule_reason=self._sentence(at),
                    started=self._started,
                ),
            )
        ]

    def _back(self) -> list[Told]:
        """The outage is over since the camera was live again, if there was one."""
        live, event_id, started = self._live, self._event_id, self._started
        kind, self._kind, self._event_id = self._kind, None, None
        self._away, cause, self._cause = None, self._cause, None
        if event_id is None or live is None or started is None:
            return []
        ended = max(live.at, started)
        length = duration((ended - started).total_seconds())
        reason = (
            f"{self._name} was {_HOW[kind or EventType.CAMERA_OFFLINE]} for {length}, "
            f"{self._clock(started)} to {self._clock(ended)}"
        )
        return [
            (event_id, CameraBack(ended=ended, rule_reason=sentence_of(reason, self._plain(cause))))
        ]

    @property
    def _name(self) -> str:
        return self._place.name[:1].upper() + self._place.name[1:]

    def _clock(self, moment: datetime) -> str:
        return clock(moment.astimezone(self._place.tz))

    def _sentence(self, at: datetime) -> str:
        assert self._started is not None
        if self._kind is EventType.CAMERA_FROZEN:
            length = duration((at - self._started).total_seconds())
            return (
                f"{self._name} has sent the same pictures for {length}, "
                f"since {self._clock(self._started)}; restart it if it stays so."
            )
        away = f"{self._name} has been offline since {self._clock(self._started)}"
        return sentence_of(away, self._plain(self._cause))

    def _plain(self, cause: str | None) -> str | None:
        """A cause without the camera's key, which the sentence does not need twice."""
        return None if cause is None else cause.removeprefix(f"Camera {self._place.camera}: ")


_HOW = {EventType.CAMERA_OFFLINE: "offline", EventType.CAMERA_FROZEN: "frozen"}
