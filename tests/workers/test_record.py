"""Clips of the whole pipeline, in real processes, whatever is killed or full."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import av
import pytest
from av.video.frame import PictureType
from running import SMALL, until
from small_disk import fill, small_disk

from pipeline import Event, Pipeline
from pipeline.clips.cut import Cut
from pipeline.clips.footage import Footage
from pipeline.configfile import validate
from pipeline.simulate import load
from pipeline.store import Store
from pipeline.types import ClipReason

RECORD = {"pre_roll_s": 2, "post_roll_s": 2, "longest_s": 60}


def pipeline(
    source: Path | str, data: Path, record: dict[str, Any] | None = None, **extra: Any
) -> Pipeline:
    camera = {"source": str(source), **SMALL, "record": record or RECORD}
    settings = {
        "site": "test",
        "data": str(data),
        "web": {"enabled": False},
        "storage": {"free_mb": 1},
        "cameras": {"door": camera},
    }
    return Pipeline(validate(settings | extra, where="test", folder=data.parent))


class Followed:
    """The newest version of each event, kept up to date by a thread."""

    def __init__(self, running: Pipeline) -> None:
        self.events: dict[str, Event] = {}
        self.versions: dict[str, list[int]] = defaultdict(list)
        self._running = running
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for event in self._running.events():
            self.events[event.id] = event
            self.versions[event.id].append(event.version)

    def first(self) -> Event | None:
        return self.events[min(self.events)] if self.events else None


@contextmanager
def running(p: Pipeline) -> Iterator[Followed]:
    with p:
        yield Followed(p)


def pid(p: Pipeline, worker: str) -> int:
    found = until(lambda: (s := p.status().workers[worker]).ready and s.pid)
    return int(found)


def frames(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0)]


def test_a_film_ends_when_the_clips_of_its_events_are_made(film: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    p = pipeline(film, data)
    with p:
        list(p.events(timeout=90))
        with Store.open(data) as store:
            events = store.search(10)
    assert len(events) == 2
    # The film begins a second before the first visit: there is no more pre-roll to be had.
    assert [event.clip is not None and event.clip.whole for event in events] == [True, False]
    assert events[0].clip is not None
    # Pre-roll within one group of pictures of the setting.
    assert 2.0 <= events[0].clip.pre_roll_s < 2.0 + 2.5
    for event in events:
        assert event.clip is not None
        assert event.annotated_clip is not None
        assert event.clip_reason is None
        media = data / "media"
        raw, drawn = media / event.clip.key, media / event.annotated_clip.key
        assert frames(raw) == pytest.approx(frames(drawn), abs=0.01)
        # The moment is inside.
        assert event.clip.start < event.started
        assert event.ended is not None
        assert event.clip.end >= event.ended
        assert event.annotated_clip.contact_sheet is not None
        # The first clip is gone, now that there is a better one.
        assert not list(raw.parent.glob("first*"))
        assert event.clip.timeline is not None
        cut = Cut.model_validate_json((media / event.clip.timeline).read_text())
        looks = [look for look in cut.looks if look.tracks]
        assert len(looks) > 4 * 20
        # What the log tells of a moment lies at the picture of that moment.
        assert cut.seconds(event.started) == pytest.approx(event.clip.pre_roll_s, abs=0.3)


def in_mpeg4(film: Path, out: Path) -> Path:
    """The film as no browser plays it."""
    with av.open(str(film)) as source, av.open(str(out), "w") as target:
        video = source.streams.video[0]
        stream = target.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, "yuv420p"
        stream.bit_rate = 2_000_000
        for frame in source.decode(video):
            frame.pict_type = PictureType.NONE
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return out


def test_a_clip_that_has_to_be_encoded_anew_is_made_and_drawn_too(
    visit: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    p = pipeline(in_mpeg4(visit, tmp_path / "odd.mp4"), data)
    with p:
        list(p.events(timeout=90))
        with Store.open(data) as store:
            (event,) = store.search(10)
    assert event.clip is not None
    assert event.annotated_clip is not None
    assert event.clip.transcoded
    raw, drawn = data / "media" / event.clip.key, data / "media" / event.annotated_clip.key
    assert frames(raw) == pytest.approx(frames(drawn), abs=0.01)
    assert event.clip.end >= (event.ended or event.started)


def slices(packets: list[bytes]) -> list[bytes]:
    """The coded pictures (NAL units 1 and 5) of H.264 packets as MP4 has them, by their lengths."""
    found = []
    for packet in packets:
        rest = packet
        while rest:
            length = int.from_bytes(rest[:4], "big")
            unit, rest = rest[4 : 4 + length], rest[4 + length :]
            if unit[0] & 0x1F in (1, 5):
                found.append(unit)
    return found


def test_a_cameras_clip_has_its_own_packets_and_is_there_soon(
    film: Path, camera: str, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    with running(pipeline(camera, data)) as followed:
        event = until(lambda: (e := followed.first()) and e.clip and e, 40)
        assert not event.clip.transcoded
        assert (event.updated_at - event.clip.end).total_seconds() < 2.0
        raw = data / "media" / event.clip.key
        with av.open(str(raw)) as container:
            clip = [bytes(packet) for packet in container.demux(video=0) if packet.size]
        # The clock may have been corrected by less than a millisecond since.
        slack = timedelta(milliseconds=20)
        begin, end = event.clip.start + slack, event.clip.end + slack
        pieces = Footage(data / "video" / "door").pieces(begin, end)
        kept = [packet.data for piece in pieces for packet in piece.read()]
        assert clip == kept[: len(clip)]
        assert len(clip) > 30
        units = (unit for shown in load(film, tmp_path).access_units() for unit in shown.units)
        sent = [unit for unit in units if unit[0] & 0x1F in (1, 5)]
        pictures = slices(clip)
        count = len(pictures)
        assert any(sent[begin : begin + count] == pictures for begin in range(len(sent) - count))


@pytest.mark.parametrize(
    "worker", ["watch-cameras", pytest.param("record", marks=pytest.mark.slow)]
)
def test_a_clip_is_finished_after_a_kill_in_the_middle(
    camera: str, tmp_path: Path, worker: str
) -> None:
    data = tmp_path / "data"
    p = pipeline(camera, data)
    with running(p) as followed:
        event = until(lambda: followed.first(), 40)
        killed = pid(p, worker)
        os.kill(killed, signal.SIGKILL)
        # What was written by then plays.
        for path in (data / "video" / "door").glob("*.mp4"):
            assert frames(path)
        until(lambda: pid(p, worker) != killed)
        event = until(lambda: (e := followed.events[event.id]).annotated_clip is not None and e, 60)
        assert event.clip is not None
        assert event.ended is not None
        assert len(frames(data / "media" / event.clip.key)) > 20
        assert len(frames(data / "media" / event.annotated_clip.key)) > 20
        assert event.clip.start <= event.started
        versions = followed.versions[event.id]
        assert versions == list(range(1, len(versions) + 1))


def test_clips_that_a_stop_left_unfinished_are_made_by_the_next_start(
    camera: str, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    with running(pipeline(camera, data)) as followed:
        first = until(lambda: followed.first(), 40)
    with Store.open(data) as store:
        event = store.event(first.id)
    assert event is not None
    assert event.ended is not None
    assert event.clip is not None
    with running(pipeline(camera, data)):

        def drawn() -> bool:
            with Store.open(data) as store:
                event = store.event(first.id)
                return event is not None and event.annotated_clip is not None

        until(drawn, 40)


def test_a_disk_that_fills_pauses_recording_and_events_go_on(camera: str, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 48) as disk:
        data = disk / "data"
        p = pipeline(camera, data, storage={"free_mb": 16})
        ballast = disk / "ballast"
        ballast.write_bytes(b"\0" * (shutil.disk_usage(disk).free - 12_000_000))
        with running(p) as followed:
            until(lambda: p.status().cameras["door"].recording)
            assert "free some space" in str(p.status().cameras["door"].recording)
            event = until(lambda: followed.first(), 40)
            lost = until(
                lambda: (e := followed.events[event.id]).clip_reason and e,
                60,
            )
            assert lost.clip_reason is ClipReason.DISK_FULL
            ballast.unlink()
            until(lambda: not p.status().cameras["door"].recording)
            until(lambda: any(e.clip is not None for e in followed.events.values()), 90)


def test_a_disk_that_is_full_to_the_last_byte_loses_no_event(camera: str, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 48) as disk:
        data = disk / "data"
        p = pipeline(camera, data, storage={"free_mb": 8})
        with running(p) as followed:
            until(lambda: p.status().cameras["door"].frames > 10)
            ballast = fill(disk)
            until(lambda: p.status().cameras["door"].recording)
            until(lambda: p.status().cameras["door"].events >= 1, 40)
            ballast.unlink()
            until(lambda: followed.first(), 40)
            until(lambda: not p.status().cameras["door"].recording, 20)


def test_a_camera_that_shall_not_be_recorded_is_not(visit: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    p = pipeline(visit, data, record={"clips": False})
    with p:
        assert "record" not in p.status().workers
        events = list(p.events(timeout=60))
    assert events
    assert all(event.clip is None for event in events)
    assert not (data / "video").exists()
