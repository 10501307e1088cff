"""Somebody sets the host's clock in the middle of an event: nothing is lost, nothing doubled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import av
import pytest
from films import make_film
from footage import Kept, packets_of, write
from happenings import NOW, after, asked, created

from pipeline.amendment import EventEnded, Footage
from pipeline.clips import footage as clips
from pipeline.clips.retention import Retention
from pipeline.clips.tracklog import TrackLog, read_looks
from pipeline.clock import HostClock, boot
from pipeline.configfile import validate
from pipeline.incidents import Close, Incidents
from pipeline.media import LocalMedia
from pipeline.store import Store
from pipeline.store.clock import StoreClock
from pipeline.types import Box, Detection, Finding, LoggedLook, Track, View
from pipeline.workers.cutting import Cutting
from pipeline.workers.handover import Handover

pytestmark = pytest.mark.skipif(boot() is None, reason="this system tells no boot apart")

SET_AT_S = 20.0
"""When the clock is set, in seconds of the film."""
STEPS = [-3600.0, -10.0, -3.0, 10.0, 3600.0]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """40 s with a keyframe each second."""
    return packets_of(make_film(tmp_path_factory.mktemp("films") / "film.mp4", frames=400))


class Host:
    """A camera's video while the clock is set by so many seconds after 20 of it."""

    def __init__(self, film: Kept, folder: Path, set_by_s: float) -> None:
        self.set_by_s = set_by_s
        first = film.packets[0]
        self.origin = first.monotonic
        self.offset_s = first.captured_at.timestamp() - first.monotonic
        self.kept = Kept(
            [
                (stream, replace(packet, captured_at=self.shown(packet.time)))
                for stream, packet in film.items
            ]
        )
        self.folder = folder
        write(self.kept, folder / "video" / "back-door", segment_s=4.0)

    def clock(self, seconds: float) -> HostClock:
        """How the clock was set then."""
        moved = self.set_by_s if seconds >= SET_AT_S else 0.0
        host = boot()
        assert host is not None
        return HostClock(boot=host, offset_s=self.offset_s + moved)

    def shown(self, seconds: float) -> datetime:
        return self.clock(seconds).at(self.origin + seconds)

    def clip(self, found_s: float, begin_s: float, ended_s: float) -> tuple[list[bytes], object]:
        """The packets of an event's clip, and the event; by the clock of when it was found."""
        clock = self.clock(found_s)
        started, ended, begin = (
            clock.at(self.origin + second) for second in (found_s, ended_s, begin_s)
        )
        wanted = Footage(begin=begin, found=started, post_roll_s=5, longest_s=60, clock=clock)
        (self.folder / "work").mkdir()
        with Store.open(self.folder / "data") as store:
            store.amend("e1", created(started=started, footage=wanted), now=started)
            store.amend("e1", EventEnded(ended=ended, reason="quiet"), now=ended)
            media = LocalMedia(self.folder / "media")
            work = self.folder / "work"
            cutting = Cutting(store, media, self.folder / "video", work, "test")
            while cutting.step(ended, 0.0):
                pass
            event = store.event("e1")
        assert event is not None
        assert event.clip is not None
        with av.open(str(media.path(event.clip.key))) as container:
            return [bytes(packet) for packet in container.demux(video=0) if packet.size], event

    def sent(self, begin_s: float, end_s: float) -> list[bytes]:
        return [
            packet.data
            for packet in self.kept.packets
            if begin_s - 1e-6 <= packet.time <= end_s + 1e-6
        ]


@pytest.mark.parametrize("set_by_s", STEPS)
def test_a_clip_has_just_what_was_filmed_before_and_after_the_clock_was_set(
    film: Kept, tmp_path: Path, set_by_s: float
) -> None:
    host = Host(film, tmp_path, set_by_s)
    packets, event = host.clip(found_s=15, begin_s=10.05, ended_s=25.05)
    assert packets == host.sent(10, 30)
    assert event.clip.whole
    assert event.clip.duration_s == pytest.approx(20.1, abs=0.1)
    assert event.clip.start == pytest.approx(event.started - timedelta(seconds=5), abs=SHORT)


@pytest.mark.parametrize("set_by_s", STEPS)
def test_an_event_right_after_it_has_its_pre_roll_of_before(
    film: Kept, tmp_path: Path, set_by_s: float
) -> None:
    host = Host(film, tmp_path, set_by_s)
    packets, event = host.clip(found_s=22, begin_s=17.05, ended_s=24.05)
    assert packets == host.sent(17, 29)
    assert event.clip.whole


SHORT = timedelta(milliseconds=5)


def test_jobs_of_before_have_no_clock_and_are_cut_by_what_was_shown(
    film: Kept, tmp_path: Path
) -> None:
    wanted = '{"begin":"2026-11-05T02:14:02Z","found":"2026-11-05T02:14:07Z","post_roll_s":5.0,'
    assert Footage.model_validate_json(wanted + '"longest_s":60.0}').clock is None
    write(film, tmp_path / "cam")
    for index in (tmp_path / "cam").glob("*.idx"):
        head, *lines = index.read_text().splitlines()
        old = [line.rpartition(",")[0] + "]" for line in lines]
        name = "-".join(index.name.split("-")[:2])
        index.with_name(f"{name}.idx").write_text("\n".join([head, *old]) + "\n")
        index.unlink()
    begin, end = film.begin + timedelta(seconds=10.05), film.begin + timedelta(seconds=20.05)
    (piece,) = clips.Footage(tmp_path / "cam").pieces(begin, end)
    assert [packet.data for packet in piece.read()] == [
        packet.data for packet in film.packets if 10 <= packet.time <= 20
    ]


def test_video_of_another_boot_is_not_taken_for_that_of_the_event(
    film: Kept, tmp_path: Path
) -> None:
    footage = write(film, tmp_path / "cam")
    clock = HostClock(boot="feedbeef", offset_s=0)
    assert footage.until(clock) is None
    assert footage.pieces(film.begin, film.packets[-1].captured_at, clock) == []


def test_looks_are_found_by_the_clock_of_their_event(tmp_path: Path) -> None:
    log = TrackLog(tmp_path)
    host = boot()
    assert host is not None
    for second in range(40):
        at = after(second - (10 if second >= 20 else 0))
        log.append(LoggedLook(second, at, (), 1000.0 + second))
    log.close()
    clock = HostClock(boot=host, offset_s=NOW.timestamp() - 1000)
    assert [look.time for look in read_looks(tmp_path, after(15), after(25), clock)] == [
        *range(15, 26)
    ]


@pytest.mark.parametrize("set_by_s", [-3600.0, 3600.0])
def test_what_was_just_filmed_is_kept_after_the_clock_was_set(
    film: Kept, tmp_path: Path, set_by_s: float
) -> None:
    host = Host(film, tmp_path, set_by_s)
    config = validate(
        {
            "data": str(tmp_path / "data"),
            "storage": {"free_mb": 0, "video": str(tmp_path / "video")},
            "cameras": {"back-door": {"source": "film.mp4"}},
        },
        where="test",
        folder=tmp_path,
    )
    retention = Retention(config, LocalMedia(tmp_path / "media"), lambda path: 10**12)
    before = len(clips.Footage(tmp_path / "video" / "back-door").segments())
    clock = host.clock(39)
    retention.sweep(host.shown(39.9), {}, frozenset(), clock)
    footage = clips.Footage(tmp_path / "video" / "back-door")
    segments = footage.segments(clock)
    assert len(segments) == before == 10
    starts = [segment.start for segment in segments]
    assert starts == sorted(starts)
    # Much later it goes, as always.
    retention.sweep(host.shown(39.9) + timedelta(hours=2), {}, frozenset(), clock)
    retention._grown["back-door"] = (footage.until(clock), -1e9)
    retention.sweep(host.shown(39.9) + timedelta(hours=2), {}, frozenset(), clock)
    assert len(footage.segments(clock)) == 1


class Times:
    """The clocks of a machine, for the store."""

    def __init__(self) -> None:
        self.monotonic, self.set_by_s = 5000.0, 0.0

    def now(self) -> datetime:
        return after(self.monotonic - 5000 + self.set_by_s)


@pytest.fixture
def times() -> Times:
    return Times()


@pytest.fixture
def store(tmp_path: Path, times: Times) -> Iterator[Store]:
    with Store.open(tmp_path / "data") as store:
        store.clock = clock_of(store, times)
        store.clock.follow()
        yield store


def clock_of(store: Store, times: Times) -> StoreClock:
    return StoreClock(store._database, monotonic=lambda: times.monotonic, now=times.now)


def lease(store: Store) -> object:
    now = store.clock.now()
    return store.jobs.lease("judge", now=now, lease_s=10, worker="w")


@pytest.mark.parametrize("set_by_s", [-3600.0, 3600.0, -86_400.0, 5.0])
@pytest.mark.parametrize("follows_first", [True, False])
def test_no_job_is_late_or_held_up_because_the_clock_was_set(
    store: Store, times: Times, set_by_s: float, follows_first: bool
) -> None:
    other = clock_of(store, times)  # another process
    store.amend("e1", asked(judge_within_s=60), now=store.clock.now())
    times.set_by_s = set_by_s
    if follows_first:
        assert store.clock.follow() == pytest.approx(set_by_s)
    # One that comes while it is being found out is like the others.
    store.amend("e2", asked("e2", judge_within_s=60), now=other.now())
    store.clock.follow()
    assert other.now() == times.now()
    assert store.sweep_deadlines(store.clock.now()) == []
    taken = [lease(store), lease(store)]
    assert None not in taken
    assert lease(store) is None
    times.monotonic += 59
    assert store.sweep_deadlines(store.clock.now()) == []
    times.monotonic += 2
    assert len(store.sweep_deadlines(store.clock.now())) == 2


@pytest.mark.parametrize("set_by_s", [-3600.0, 3600.0])
def test_a_lease_and_a_pause_last_as_long_as_they_were_meant_to(
    store: Store, times: Times, set_by_s: float
) -> None:
    store.amend("e1", asked(judge_within_s=60), now=store.clock.now())
    job = store.jobs.lease("judge", now=store.clock.now(), lease_s=10, worker="a")
    assert job is not None
    times.set_by_s = set_by_s
    store.clock.follow()
    assert lease(store) is None
    assert store.jobs.deadline(job) == job.deadline + timedelta(seconds=set_by_s)
    retry_at = store.clock.now() + timedelta(seconds=5)
    assert store.jobs.release(job, retry_at=retry_at)
    times.set_by_s = 0.0
    store.clock.follow()
    assert lease(store) is None
    times.monotonic += 5.1
    assert lease(store) is not None


def test_a_correction_of_a_moment_moves_nothing(store: Store, times: Times) -> None:
    times.set_by_s = 0.2
    assert store.clock.follow() == 0.0
    assert store.clock.now() == after(0)


def view(monotonic: float, captured_at: datetime) -> tuple[View, Finding]:
    box = Detection("person", 0.9, Box(10, 10, 30, 60))
    track = Track(1, "person", box, 0.0, monotonic)
    finding = Finding("stays", (track,), None, 0.0, "Somebody stays.", 1.0, {}, "Is it so?")
    return View("cam", "the cam", (320, 240), captured_at, monotonic, tracks=(track,)), finding


@pytest.mark.parametrize("set_by_s", [-3600.0, 3600.0])
def test_an_event_goes_on_when_the_clock_is_set_and_ends_by_the_clock_it_began_by(
    set_by_s: float,
) -> None:
    incidents = Incidents(new_id=lambda: "e1")
    actions = []
    for second in range(60):
        at = after(second + (set_by_s if second >= 10 else 0.0))
        now, finding = view(1000.0 + second, at)
        actions += incidents.update(now, [finding] if second < 20 else [])
    closed = [action for action in actions if isinstance(action, Close)]
    assert [type(action).__name__ for action in actions].count("Open") == 1
    assert [(close.at, close.reason) for close in closed] == [(after(19), "quiet")]


def test_what_a_crash_left_is_as_old_as_it_is_whatever_the_clock_shows() -> None:
    import time

    host = boot()
    assert host is not None
    monotonic = time.monotonic() - 3.0
    wrong = NOW  # what the clock showed then
    left = Handover(
        saved_at=wrong,
        clock=HostClock(boot=host, offset_s=wrong.timestamp() - monotonic),
        run="r",
        film_pts=None,
        analysis={},
    )
    assert left.age_s() == pytest.approx(3.0, abs=1.0)
