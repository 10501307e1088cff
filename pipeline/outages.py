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
    """What is told of one camera.

    `open_event` is the event that a predecessor left open. `away` is since when, and why, nobody
    has seen what the camera sees, where that was so before: a crash does not begin its time anew.
    `now` is this moment and its monotonic time.
    """

    def __init__(
        self,
        place: Place,
        settings: Health,
        now: tuple[datetime, float],
        *,
        open_event: Event | None = None,
        away: tuple[datetime, str] | None = None,
    ) -> None:
        self._place, self._settings = place, settings
        self._event_id = None if open_event is None else open_event.id
        self._kind = None if open_event is None else open_event.type
        self._started = None if open_event is None else open_event.started
        self._started_monotonic: float | None = None
        self._frozen_before = self._kind is EventType.CAMERA_FROZEN
        self._away = _Moment(*now)
        self._cause: str | None = None
        if away is not None:
            since, self._cause = away
            lasted = max(0.0, (now[0] - since).total_seconds())
            self._away = _Moment(since, now[1] - lasted)
        self._live: _Moment | None = None
        self._state = CameraState.CONNECTING

    def changed(
        self, state: CameraState, cause: str | None, at: datetime, monotonic: float
    ) -> list[Told]:
        """The camera is in this state now; `cause` is a sentence for people, if there is one."""
        before, self._state = self._state, state
        now = _Moment(at, monotonic)
        if state is CameraState.LIVE:
            self._live = now
            return []
        if state is CameraState.STOPPED:
            return []
        if state is CameraState.ENDED:
            return self._back(self._live or now)
        told = self._tick_live(monotonic)
        if self._live is not None and self._event_id is None and before is CameraState.LIVE:
            steady = monotonic - self._live.monotonic >= STEADY_S
            self._away = now if steady else self._away
        self._live = None
        self._cause = cause or self._cause
        if state is CameraState.FROZEN:
            after_s = self._settings.frozen_after_s or 0.0
            since = _Moment(at - timedelta(seconds=after_s), monotonic - after_s)
            self._frozen_before = False
            return told + self._lost(EventType.CAMERA_FROZEN, since, monotonic)
        if before is CameraState.FROZEN:
            # It may be frozen still: pictures after a reconnection prove nothing by themselves.
            self._away, self._frozen_before = now, True
        return told

    def tick(self, at: datetime, monotonic: float) -> list[Told]:
        """Time has passed; called about once a second."""
        if self._state in (CameraState.ENDED, CameraState.STOPPED, CameraState.FROZEN):
            return []
        if self._live is not None:
            return self._tick_live(monotonic)
        if monotonic - self._away.monotonic < self._settings.offline_after_s:
            return []
        return self._lost(EventType.CAMERA_OFFLINE, self._away, monotonic)

    def _tick_live(self, monotonic: float) -> list[Told]:
        """The camera is back if it has been live for long enough."""
        if self._live is None:
            return []
        proof_s = self._settings.frozen_after_s if self._frozen_before else None
        if monotonic - self._live.monotonic < max(STEADY_S, proof_s or 0.0):
            return []
        return self._back(self._live)

    def _lost(self, kind: EventType, since: _Moment, monotonic: float) -> list[Told]:
        if self._kind is kind:
            return []
        if self._event_id is None:
            self._event_id = str(uuid7())
            self._started, self._started_monotonic = since.at, since.monotonic
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
                    rule_reason=self._sentence(since.at, monotonic - since.monotonic),
                    started=self._started,
                ),
            )
        ]

    def _back(self, live: _Moment) -> list[Told]:
        """The outage is over since the camera was live again, if there was one."""
        event_id, started = self._event_id, self._started
        kind, self._kind, self._event_id = self._kind, None, None
        began, self._started_monotonic = self._started_monotonic, None
        cause, self._cause, self._frozen_before = self._cause, None, False
        if event_id is None or started is None:
            return []
        # A clock that was set meanwhile makes no outage longer or shorter.
        seconds = (live.at - started).total_seconds() if began is None else live.monotonic - began
        ended = started + timedelta(seconds=max(0.0, seconds))
        length = duration(max(0.0, seconds))
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

    def _sentence(self, since: datetime, seconds: float) -> str:
        """What is told of an absence that has lasted so long."""
        if self._kind is EventType.CAMERA_FROZEN:
            return (
                f"{self._name} has sent the same pictures for {duration(seconds)}, "
                f"since {self._clock(since)}; restart it if it stays so."
            )
        away = f"{self._name} has been offline since {self._clock(since)}"
        return sentence_of(away, self._plain(self._cause))

    def _plain(self, cause: str | None) -> str | None:
        """A cause without the camera's key, which the sentence does not need twice."""
        return None if cause is None else cause.removeprefix(f"Camera {self._place.camera}: ")


_HOW = {EventType.CAMERA_OFFLINE: "offline", EventType.CAMERA_FROZEN: "frozen"}
