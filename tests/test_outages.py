"""When a camera's being away is told: once, after a grace time, and when it is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from happenings import NOW

from pipeline.amendment import CameraBack, CameraLost
from pipeline.config import Health
from pipeline.health import CameraState
from pipeline.outages import STEADY_S, Outages, Place, Told
from pipeline.store.fold import fold
from pipeline.types import Event, EventType

BEGIN = datetime(2026, 11, 5, 2, 14, tzinfo=UTC)
PLACE = Place("back-door", "the back door", "shop", UTC)
WHY = "Camera back-door: nothing answers at rtsp://192.0.2.20/stream1 within 10 s; check it."


class Camera:
    """A camera whose time is moved by hand."""

    def __init__(
        self,
        open_event: Event | None = None,
        away: tuple[datetime, str] | None = None,
        **health: float | None,
    ) -> None:
        self.seconds = 0.0
        self.ahead = timedelta()
        self.outages = Outages(
            PLACE, Health.model_validate(health), (BEGIN, 0.0), open_event=open_event, away=away
        )
        self.told: list[Told] = []

    @property
    def at(self) -> datetime:
        return BEGIN + timedelta(seconds=self.seconds) + self.ahead

    def becomes(self, state: CameraState, cause: str | None = None) -> None:
        self.told += self.outages.changed(state, cause, self.at, self.seconds)

    def waits(self, seconds: float) -> None:
        until = self.seconds + seconds
        while self.seconds < until:
            self.seconds = min(until, self.seconds + 1)
            self.told += self.outages.tick(self.at, self.seconds)

    @property
    def amendments(self) -> list[CameraLost | CameraBack]:
        return [amendment for _, amendment in self.told]  # type: ignore[misc]


def test_a_camera_that_is_away_for_longer_than_the_grace_time_is_told_of_once() -> None:
    camera = Camera(offline_after_s=20)
    camera.becomes(CameraState.LIVE)
    camera.waits(60)
    camera.becomes(CameraState.STALLED, WHY)
    camera.waits(19)
    assert camera.told == []
    camera.becomes(CameraState.UNREACHABLE, WHY)
    camera.waits(600)
    (lost,) = camera.amendments
    assert isinstance(lost, CameraLost)
    assert lost.type is EventType.CAMERA_OFFLINE
    assert lost.started == BEGIN + timedelta(seconds=60)
    assert lost.rule_reason == (
        "The back door has been offline since 02:15: nothing answers at "
        "rtsp://192.0.2.20/stream1 within 10 s; check it."
    )


def test_a_camera_that_is_back_is_told_of_with_how_long_it_was_away() -> None:
    camera = Camera(offline_after_s=20)
    camera.becomes(CameraState.LIVE)
    camera.waits(60)
    camera.becomes(CameraState.UNREACHABLE, WHY)
    camera.waits(200)
    camera.becomes(CameraState.LIVE)
    camera.waits(STEADY_S - 1)
    assert len(camera.told) == 1
    camera.waits(60)
    (event_id, _), (same, back) = camera.told
    assert same == event_id
    assert isinstance(back, CameraBack)
    assert back.ended == BEGIN + timedelta(seconds=260)
    assert back.rule_reason.startswith("The back door was offline for 3 min 20 s, 02:15 to 02:18: ")


def test_a_clock_that_is_set_meanwhile_makes_no_outage_longer() -> None:
    camera = Camera(offline_after_s=20)
    camera.becomes(CameraState.UNREACHABLE, WHY)
    camera.waits(60)
    camera.ahead = timedelta(hours=-1)
    camera.becomes(CameraState.LIVE)
    camera.waits(10)
    back = camera.amendments[-1]
    assert isinstance(back, CameraBack)
    assert back.ended == BEGIN + timedelta(seconds=60)
    assert "was offline for 60 s, 02:14 to 02:15" in back.rule_reason


def test_a_short_absence_is_not_told_and_does_not_shorten_the_next_ones_grace() -> None:
    camera = Camera(offline_after_s=20)
    for _ in range(5):
        camera.becomes(CameraState.LIVE)
        camera.waits(30)
        camera.becomes(CameraState.STALLED, WHY)
        camera.waits(15)
    assert camera.told == []


def test_a_camera_that_comes_and_goes_is_away_once() -> None:
    camera = Camera(offline_after_s=20)
    for _ in range(30):
        camera.becomes(CameraState.STALLED, WHY)
        camera.waits(10)
        camera.becomes(CameraState.LIVE)
        camera.waits(STEADY_S - 2)
    assert len(camera.told) == 1
    camera.waits(60)
    assert len({event_id for event_id, _ in camera.told}) == 1
    assert isinstance(camera.amendments[-1], CameraBack)


def test_a_camera_that_never_came_is_told_of_too() -> None:
    camera = Camera(offline_after_s=20)
    camera.becomes(CameraState.CONNECTING)
    camera.becomes(CameraState.REFUSED, "Camera back-door: it refuses the account.")
    camera.waits(30)
    assert camera.amendments[0].rule_reason == (
        "The back door has been offline since 02:14: it refuses the account."
    )


def test_a_frozen_camera_is_told_of_at_once_since_its_time_has_passed() -> None:
    camera = Camera(frozen_after_s=60)
    camera.becomes(CameraState.LIVE)
    camera.waits(100)
    camera.becomes(CameraState.FROZEN)
    camera.waits(300)
    (lost,) = camera.amendments
    assert isinstance(lost, CameraLost)
    assert lost.type is EventType.CAMERA_FROZEN
    assert lost.started == BEGIN + timedelta(seconds=40)
    assert "has sent the same pictures for 60 s, since 02:14" in lost.rule_reason
    camera.becomes(CameraState.LIVE)
    camera.waits(10)
    assert camera.amendments[-1].rule_reason.startswith("The back door was frozen for 6 min")


def test_a_frozen_camera_that_goes_away_stays_one_event() -> None:
    camera = Camera(frozen_after_s=60, offline_after_s=20)
    camera.becomes(CameraState.LIVE)
    camera.waits(100)
    camera.becomes(CameraState.FROZEN)
    camera.becomes(CameraState.STALLED, WHY)
    camera.waits(30)
    assert [a.type for a in camera.amendments] == [  # type: ignore[union-attr]
        EventType.CAMERA_FROZEN,
        EventType.CAMERA_OFFLINE,
    ]
    assert len({event_id for event_id, _ in camera.told}) == 1


def test_pictures_after_a_reconnection_do_not_prove_that_a_frozen_camera_is_well() -> None:
    camera = Camera(frozen_after_s=60, offline_after_s=20)
    camera.becomes(CameraState.LIVE)
    camera.waits(100)
    camera.becomes(CameraState.FROZEN)
    camera.waits(7200)
    camera.becomes(CameraState.CONNECTING, "It hung up.")
    camera.waits(2)
    camera.becomes(CameraState.LIVE)
    camera.waits(58)
    camera.becomes(CameraState.FROZEN)
    camera.waits(60)
    # Neither was it away for longer than the grace time, nor was it well in between.
    assert [type(a) for a in camera.amendments] == [CameraLost]
    camera.becomes(CameraState.CONNECTING, "It hung up.")
    camera.waits(2)
    camera.becomes(CameraState.LIVE)
    camera.waits(61)
    assert isinstance(camera.amendments[-1], CameraBack)


def test_an_absence_after_being_frozen_is_told_as_its_own() -> None:
    camera = Camera(frozen_after_s=60, offline_after_s=20)
    camera.becomes(CameraState.LIVE)
    camera.waits(100)
    camera.becomes(CameraState.FROZEN)
    camera.waits(500)
    camera.becomes(CameraState.STALLED, WHY)
    camera.waits(19)
    assert len(camera.told) == 1
    camera.waits(10)
    assert "has been offline since 02:24: nothing answers" in camera.amendments[-1].rule_reason


def test_a_camera_whose_process_crashes_again_and_again_is_told_of() -> None:
    begun = BEGIN - timedelta(seconds=40)
    camera = Camera(away=(begun, "Its worker crashed and was started again."), offline_after_s=20)
    camera.told += camera.outages.tick(camera.at, camera.seconds)
    (lost,) = camera.amendments
    assert isinstance(lost, CameraLost)
    assert lost.started == begun
    assert lost.rule_reason == (
        "The back door has been offline since 02:13: Its worker crashed and was started again."
    )


def test_an_outage_ends_with_the_film_that_the_source_turns_out_to_be() -> None:
    camera = Camera(offline_after_s=20)
    camera.becomes(CameraState.UNREACHABLE, WHY)
    camera.waits(30)
    camera.becomes(CameraState.LIVE)
    camera.becomes(CameraState.ENDED)
    assert [type(a) for a in camera.amendments] == [CameraLost, CameraBack]


def test_a_film_that_has_ended_is_not_away() -> None:
    camera = Camera(offline_after_s=0)
    camera.becomes(CameraState.LIVE)
    camera.becomes(CameraState.ENDED)
    camera.waits(100)
    camera.becomes(CameraState.STOPPED)
    camera.waits(100)
    assert camera.told == []


def event_of(camera: Camera) -> Event:
    event = None
    for event_id, amendment in camera.told:
        event = fold(event, event_id, amendment, NOW)
    assert event is not None
    return event


def test_what_is_told_makes_an_event_that_a_successor_goes_on_with() -> None:
    camera = Camera(offline_after_s=20)
    camera.waits(1)
    camera.becomes(CameraState.UNREACHABLE, WHY)
    camera.waits(30)
    event = event_of(camera)
    assert event.type is EventType.CAMERA_OFFLINE
    assert event.of_camera
    assert (event.version, event.score, event.ended) == (1, 1.0, None)

    successor = Camera(offline_after_s=20, open_event=event)
    successor.seconds = 100
    successor.becomes(CameraState.CONNECTING)
    successor.becomes(CameraState.UNREACHABLE, WHY)
    successor.waits(60)
    assert successor.told == []
    successor.becomes(CameraState.LIVE)
    successor.waits(10)
    ((event_id, back),) = successor.told
    assert event_id == event.id
    after = fold(event, event_id, back, NOW)
    assert after.type is EventType.CAMERA_ONLINE
    assert after.ended == BEGIN + timedelta(seconds=160)
    # What comes twice changes nothing.
    assert fold(after, event_id, back, NOW) is after
    assert fold(after, *camera.told[0], NOW) is after
