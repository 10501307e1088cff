"""`replay`: the same films and settings give the same events, and those that `watch` gives."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import pytest
from films import make_film
from handmade import frame, standing, times

from pipeline import replay, watch
from pipeline.config import Config
from pipeline.errors import ConfigError, DetectorError, SourceError, SourceUnreadable
from pipeline.replaying import Replay, Replayed, running
from pipeline.replaying.settings import moment
from pipeline.types import Detection, Event, EventType, Frame
from pipeline.workers import inline

pytestmark = pytest.mark.usefixtures("square")

ZONES = {"right": [[0.5, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 1.0]]}


def config(**camera: Any) -> Config:
    return Config.model_validate(
        {"timezone": "Europe/Lisbon", "cameras": {"door": {"source": "door", **camera}}}
    )


def dated(path: Path, created: str) -> Path:
    """The film of `make_film` whose container says when it was begun."""
    plain = make_film(path.with_name("plain.mp4"))
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        target.metadata["creation_time"] = created
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return path


def replayed(film: Path, settings: Config, **options: Any) -> list[Replayed]:
    with Replay(settings, "door") as replaying:
        return list(replaying.events(str(film), **options))


def soon_after(event: Event, began: datetime) -> bool:
    """Whether it began with a film that was begun then."""
    return timedelta(0) <= event.started - began < timedelta(seconds=1)


def test_the_same_film_and_settings_give_the_same_events_ids_and_all(yard: Path) -> None:
    rules = {
        "there": {"type": "zone"},
        "right": {"type": "zone", "zone": "right", "severity": "alert"},
    }
    settings = config(zones=ZONES, rules=rules)
    first, second = (
        [event.model_dump_json() for event in replay(yard, settings)] for _ in range(2)
    )
    assert len(first) == 1
    assert first == second


def test_what_a_replay_says_is_what_watching_says(
    yard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inline, "load_detector", running.load_detector)
    rules = {"right": {"type": "zone", "zone": "right", "severity": "alert"}}
    watched = [
        event
        for event in watch(str(yard), rules, zones=ZONES, fps=4)
        if event.type is EventType.ENDED
    ]
    (found,) = replay(yard, config(zones=ZONES, rules=rules, detect={"fps": 4}))
    (event,) = watched
    assert found.tracks == event.tracks
    assert found.scores == event.scores
    assert found.severity is event.severity
    assert found.ended is not None
    assert event.ended is not None
    assert found.ended - found.started == event.ended - event.started


def test_an_event_is_told_once_as_it_was_when_it_was_over(yard: Path) -> None:
    (found,) = replayed(yard, config())
    assert found.event.type is EventType.ENDED
    assert found.type == "zone"
    assert found.event.state.value == "unjudged"
    # It begins with the film and lasts as long; a track is one after some looks.
    assert 0.0 <= found.started_s < found.time_s <= 1.0
    assert found.ended_s == 2.8


def test_no_model_is_asked_though_one_is_configured(yard: Path) -> None:
    settings = config().model_dump(context={"reveal": True})
    asked = Config.model_validate({**settings, "describer": {"model": "http://127.0.0.1:9"}})
    (event,) = replay(yard, asked)
    assert event.state.value == "unjudged"


def test_events_come_in_the_order_in_which_they_fired(detects: Any, yard: Path) -> None:
    def answer(frame: Frame) -> Iterator[Detection]:
        yield Detection("person", 0.9, standing(20, 100, 50))
        if 1.0 < frame.monotonic < 3.0:
            yield Detection("person", 0.8, standing(140, 100, 50))

    detects(answer)
    film = make_film(yard, frames=90)
    first, second = replayed(film, config(detect={"motion_gate": False}))
    assert first.time_s < second.time_s
    assert first.ended_s > second.ended_s + 5


def test_each_film_begins_anew_and_has_ids_of_its_own(yard: Path) -> None:
    events = list(replay([yard, str(yard)], config()))
    assert len({event.id for event in events}) == 2
    assert events[0].tracks == events[1].tracks
    assert events[0].started == events[1].started


def test_the_films_of_a_folder_follow_on_each_other(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    for number in (2, 10):
        make_film(tmp_path / "films" / f"{number}.mp4")
    first, second = replayed(tmp_path / "films", config())
    assert first.ended_s < 3.0 <= second.started_s < second.time_s <= 4.0
    assert second.event.tracks[0].id != first.event.tracks[0].id


def test_ids_are_of_version_seven_and_sort_as_the_events_did(yard: Path) -> None:
    rules = {"there": {"type": "zone"}, "right": {"type": "zone", "zone": "right"}}
    events = list(replay(yard, config(zones=ZONES, rules=rules)))
    assert [event.id for event in events] == sorted(event.id for event in events)
    assert all(uuid.UUID(event.id).version == 7 for event in events)


@pytest.mark.parametrize(
    ("start", "told", "began"),
    [
        ("2026-07-01T22:00", "22:00", datetime(2026, 7, 1, 21, tzinfo=UTC)),
        ("2026-07-01T22:00+02:00", "21:00", datetime(2026, 7, 1, 20, tzinfo=UTC)),
        (datetime(2026, 7, 1, 22, tzinfo=UTC), "23:00", datetime(2026, 7, 1, 22, tzinfo=UTC)),
    ],
)
def test_the_time_of_day_is_that_of_the_start(
    yard: Path, start: Any, told: str, began: datetime
) -> None:
    (event,) = replay(yard, config(), start=start)
    assert soon_after(event, began)
    assert told in event.rule_reason


def test_a_film_that_says_when_it_was_begun_is_believed(tmp_path: Path) -> None:
    film = dated(tmp_path / "dated.mp4", "2026-01-02T03:04:05.000000Z")
    (event,) = replay(film, config())
    assert soon_after(event, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    (event,) = replay(film, config(), start="2026-07-01T22:00")
    assert soon_after(event, datetime(2026, 7, 1, 21, tzinfo=UTC))


def test_a_clock_that_was_never_set_is_not(tmp_path: Path) -> None:
    film = dated(tmp_path / "dated.mp4", "1970-01-01T00:00:00.000000Z")
    (event,) = replay(film, config())
    assert soon_after(event, datetime(2024, 1, 1, 12, tzinfo=UTC))


def test_a_film_that_does_not_say_is_of_a_monday_noon_of_the_site(yard: Path) -> None:
    settings = config().model_copy(update={"timezone": "Asia/Tokyo"})
    (event,) = replay(yard, settings)
    assert soon_after(event, datetime(2024, 1, 1, 3, tzinfo=UTC))
    assert event.started.strftime("%A") == "Monday"


def test_it_is_told_what_a_film_came_to(yard: Path) -> None:
    with Replay(config(), "door") as replaying:
        list(replaying.events(str(yard)))
        (seen,) = replaying.seen
    assert seen.length_s == pytest.approx(3.0)
    assert (seen.pictures, seen.looks, seen.events) == (30, 15, {"person": 1})
    assert not seen.dated


class Breaking:
    """A film that cannot be read to its end."""

    codec, rate, dropped, notes, live = "h264", 5.0, {}, (), False

    def frames(self) -> Iterator[Frame]:
        yield from (frame(at) for at in times(0, 2))
        raise SourceUnreadable("The film breaks off.")

    def close(self) -> None:
        pass


def test_what_was_found_until_a_film_breaks_off_is_told_before_the_error(
    detects: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    detects(lambda _: [Detection("person", 0.8, standing(500, 800))])
    monkeypatch.setattr(running, "open_source", lambda *_, **__: Breaking())
    events = replay("door.mp4")
    assert next(events).ended is not None
    with pytest.raises(SourceUnreadable):
        next(events)


def test_a_detector_that_fails_ends_the_replay(detects: Any, yard: Path) -> None:
    def answer(_: Frame) -> list[Detection]:
        raise DetectorError("It failed.")

    loaded = detects(answer)
    with pytest.raises(DetectorError):
        list(replay(yard))
    with pytest.raises(DetectorError, match="closed"):
        loaded[0].look(frame())


@pytest.mark.parametrize(
    ("film", "said"),
    [
        ("none.mp4", "there is no file none.mp4"),
        ("rtsp://me:hush@127.0.0.1/door", "rtsp://127.0.0.1/door is no film"),
        ("webcam:0", "webcam:0 is no film"),
    ],
)
def test_what_is_no_film_is_said_so(film: str, said: str) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        list(replay(film))
    assert "hush" not in str(caught.value)


def test_a_camera_must_be_known_and_be_named_where_there_are_several(yard: Path) -> None:
    two = {"back-door": {"source": "a"}, "gate": {"source": "b"}}
    settings = Config.model_validate({"cameras": two})
    with pytest.raises(ConfigError, match="several cameras \\(back-door, gate\\)"):
        replay(yard, settings)
    with pytest.raises(ConfigError, match="did you mean 'back-door'"):
        replay(yard, settings, camera="backdoor")
    (event,) = replay(yard, settings, camera="gate")
    assert event.camera == "gate"
    settings.cameras["gate"] = settings.cameras["gate"].model_copy(update={"enabled": False})
    (event,) = replay(yard, settings)
    assert event.camera == "back-door"


def test_a_start_that_is_no_time_is_an_error(yard: Path) -> None:
    for start in ("yesterday", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59"):
        with pytest.raises(ConfigError, match=f"'{re.escape(start)}' is no time"):
            replay(yard, start=start)


def test_masks_hide_as_they_do_live(yard: Path) -> None:
    whole = [[0, 0], [1, 0], [1, 1], [0, 1]]
    assert not list(replay(yard, config(masks=[whole])))


def test_the_time_in_the_film_is_that_of_the_events(yard: Path) -> None:
    begins = datetime(2026, 7, 1, 22, tzinfo=UTC)
    (found,) = replayed(yard, config(), start=begins)
    assert found.event.started == begins + timedelta(seconds=found.started_s)
    assert found.event.ended == begins + timedelta(seconds=found.ended_s)


def test_a_film_goes_on_through_the_moment_at_which_clocks_are_changed() -> None:
    begun = moment("2026-03-29T00:59:50", config().tz())
    assert begun + timedelta(seconds=20) == datetime(2026, 3, 29, 1, 0, 10, tzinfo=UTC)
