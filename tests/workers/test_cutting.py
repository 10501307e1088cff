"""When a clip is due, what it holds, and what is said where there is none."""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from films import make_film
from footage import Kept, packets_of, write
from happenings import created, python
from running import until
from small_disk import fill, small_disk

from pipeline.amendment import EventEnded, Footage
from pipeline.config import Record
from pipeline.media import LocalMedia
from pipeline.store import Store
from pipeline.types import ClipReason, Event
from pipeline.workers.amendments import footage
from pipeline.workers.cutting import STILL_S, Cutting

SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """40 s of a camera, a keyframe each second."""
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    return packets_of(make_film(path, frames=400))


class Scene:
    """A store with one event at second 10, and the camera's video up to some second."""

    def __init__(self, kept: Kept, folder: Path, until_s: float, **wanted: float) -> None:
        self.begin, self.folder = kept.begin, folder
        end = kept.begin + until_s * SECOND
        self.video = folder / "video"
        write(Kept([i for i in kept.items if i[1].captured_at <= end]), self.video / "back-door")
        self.store = Store.open(folder / "data")
        self.media = LocalMedia(folder / "data" / "media")
        (folder / "work").mkdir()
        self.cutting = Cutting(self.store, self.media, self.video, folder / "work", "test")
        self.started = kept.begin + 10 * SECOND
        asked: dict[str, object] = {
            "begin": self.started - 5 * SECOND,
            "found": self.started,
            "post_roll_s": 5.0,
            "longest_s": 180.0,
        }
        wanted_footage = Footage.model_validate(asked | wanted)
        self.store.amend(
            "e1", created(started=self.started, footage=wanted_footage), now=self.started
        )

    def end(self, at_s: float) -> None:
        ended = EventEnded(ended=self.begin + at_s * SECOND, reason="quiet")
        self.store.amend("e1", ended, now=self.begin + at_s * SECOND)

    def step(self, monotonic: float = 0.0, now: datetime | None = None, **more: bool) -> Event:
        self.cutting.step(now or self.started, monotonic, **more)
        event = self.store.event("e1")
        assert event is not None
        return event


def test_a_first_clip_is_there_after_the_post_roll_while_the_event_goes_on(
    kept: Kept, tmp_path: Path
) -> None:
    assert Scene(kept, tmp_path / "a", until_s=14).step().clip is None
    event = Scene(kept, tmp_path / "b", until_s=15.2).step()
    assert event.clip is not None
    assert not event.clip.whole
    assert 5.0 <= event.clip.pre_roll_s <= 6.05
    assert event.clip.duration_s == pytest.approx(10.5, abs=0.7)


def test_the_clip_of_all_of_it_is_whole_and_says_how_much_comes_before(
    kept: Kept, tmp_path: Path
) -> None:
    scene = Scene(kept, tmp_path / "a", until_s=30)
    scene.step()
    scene.end(22)
    event = scene.step()
    assert event.clip is not None
    assert event.clip.whole
    assert event.clip.start <= scene.started - 5 * SECOND
    assert event.clip.end == pytest.approx(scene.begin + 27 * SECOND, abs=SECOND / 5)
    for key in (event.clip.key, event.clip.poster, event.clip.timeline):
        assert key is not None
        assert scene.media.path(key).is_file()


def test_a_short_event_gets_one_clip_only(kept: Kept, tmp_path: Path) -> None:
    scene = Scene(kept, tmp_path / "a", until_s=30)
    scene.end(11)
    event = scene.step()
    assert event.clip is not None
    assert event.clip.whole
    assert event.version == 3
    assert scene.cutting.waiting() == []


def test_a_long_event_is_cut_at_the_longest_length_from_its_beginning_while_it_goes_on(
    kept: Kept, tmp_path: Path
) -> None:
    scene = Scene(kept, tmp_path / "a", until_s=40, longest_s=20.0)
    scene.step()
    event = scene.step()
    assert event.ended is None
    assert event.clip is not None
    assert event.clip.start <= scene.started - 5 * SECOND
    assert event.clip.duration_s == pytest.approx(20.5, abs=0.7)
    assert scene.cutting.waiting() == []


def test_a_rule_that_waits_has_its_beginning_and_the_moment_it_was_found() -> None:
    now = datetime.fromisoformat("2026-11-05T02:14:07+00:00")
    record = Record(pre_roll_s=5, longest_s=60)
    near = footage(record, now - 20 * SECOND, now)
    assert near is not None
    assert near.begin == now - 25 * SECOND
    # Too long ago: half of the clip is for what comes.
    far = footage(record, now - 600 * SECOND, now)
    assert far is not None
    assert far.begin == now - 35 * SECOND
    assert footage(Record(clips=False), now, now) is None


def test_a_camera_that_sends_no_more_is_not_waited_for_for_ever(kept: Kept, tmp_path: Path) -> None:
    scene = Scene(kept, tmp_path / "a", until_s=12)
    scene.end(11)
    assert scene.step(monotonic=0.0).clip is None
    assert scene.step(monotonic=STILL_S - 1).clip is None
    event = scene.step(monotonic=STILL_S + 1)
    assert event.clip is not None
    assert not event.clip.whole
    assert event.clip.end == pytest.approx(scene.begin + 12 * SECOND, abs=SECOND / 5)


def test_at_the_end_what_there_is_is_cut(kept: Kept, tmp_path: Path) -> None:
    scene = Scene(kept, tmp_path / "a", until_s=12)
    scene.end(11)
    assert scene.step(last=True).clip is not None


def test_a_model_that_is_late_changes_nothing_about_the_beginning(
    kept: Kept, tmp_path: Path
) -> None:
    """The clip is cut long after the event: its video was kept for it."""
    from pipeline.clips.retention import Retention
    from pipeline.configfile import validate

    scene = Scene(kept, tmp_path / "a", until_s=40)
    scene.end(11)
    data = tmp_path / "a" / "data"
    config = validate(
        {
            "data": str(data),
            "storage": {"video": str(scene.video), "free_mb": 0},
            "cameras": {"back-door": {"source": "film.mp4"}},
        },
        where="test",
        folder=tmp_path,
    )
    needed = {"back-door": scene.started - 5 * SECOND}
    much_later = scene.begin + timedelta(hours=2)
    Retention(config, scene.media).sweep(much_later, needed, frozenset({"e1"}))
    event = scene.step(now=much_later)
    assert event.clip is not None
    assert event.clip.start <= scene.started - 5 * SECOND


def test_no_video_is_a_final_word(kept: Kept, tmp_path: Path) -> None:
    scene = Scene(
        kept, tmp_path / "a", until_s=40, begin=kept.begin + timedelta(hours=1), longest_s=10
    )
    scene.end(11)
    event = scene.step(last=True)
    assert event.clip is None
    assert event.clip_reason is ClipReason.NOT_RECORDED
    assert scene.cutting.waiting() == []


def test_a_full_disk_is_said_at_once_and_tried_again(kept: Kept, tmp_path: Path) -> None:
    scene = Scene(kept, tmp_path / "a", until_s=40)
    scene.end(11)
    with small_disk(tmp_path / "disk", 1) as disk:
        scene.cutting.work = disk
        ballast = fill(disk)
        event = scene.step()
        assert event.clip is None
        assert event.clip_reason is ClipReason.DISK_FULL
        assert scene.cutting.problem is not None
        assert scene.step().version == event.version
        ballast.unlink()
        event = scene.step(now=scene.started + 60 * SECOND)
        assert event.clip is not None
        assert event.clip_reason is None
        assert scene.cutting.problem is None


def test_what_ends_its_worker_every_time_is_given_up_in_a_sentence(
    kept: Kept, tmp_path: Path
) -> None:
    scene = Scene(kept, tmp_path / "a", until_s=40)
    scene.end(11)
    for attempt in range(5):
        now = scene.started + attempt * timedelta(minutes=5)
        for kind in ("cut", "cut_first"):
            scene.store.jobs.lease(kind, now=now, lease_s=60, worker="dead", event_id="e1")
    event = scene.step(now=scene.started + timedelta(hours=1))
    assert event.clip_reason is ClipReason.ATTEMPTS
    assert scene.cutting.waiting() == []


def test_a_cut_that_is_stopped_is_made_later(kept: Kept, tmp_path: Path) -> None:
    scene = Scene(kept, tmp_path, until_s=39)
    scene.end(14)
    scene.cutting.should_stop = lambda: True
    assert scene.step().clip is None
    assert list((tmp_path / "work").iterdir()) == []
    for minute in range(10):  # twice as often as a clip is tried that ends its worker
        scene.step(now=scene.started + minute * 60 * SECOND)
    scene.cutting.should_stop = lambda: False
    assert scene.step(now=scene.started + 3600 * SECOND).clip is not None


def test_a_disk_that_stays_full_for_long_costs_no_clip(kept: Kept, tmp_path: Path) -> None:
    scene = Scene(kept, tmp_path, until_s=39)
    scene.end(14)
    (tmp_path / "work").rmdir()
    now = scene.started
    for _ in range(10):
        now += 3600 * SECOND
        event = scene.step(now=now)
        assert event.clip is None
        assert event.clip_reason is not None
    (tmp_path / "work").mkdir()
    assert scene.step(now=now + 3600 * SECOND).clip is not None


def test_a_job_that_nobody_did_in_time_is_closed(kept: Kept, tmp_path: Path) -> None:
    scene = Scene(kept, tmp_path, until_s=12)
    event = scene.step(now=scene.started + timedelta(days=31))
    assert event.clip_reason is ClipReason.ATTEMPTS
    assert scene.cutting.waiting() == []


def test_what_has_to_be_encoded_anew_does_not_hold_up_the_others(tmp_path: Path) -> None:
    odd = packets_of(make_film(tmp_path / "film.mp4", frames=400, codec="mpeg4"))
    scene = Scene(odd, tmp_path, until_s=39)
    scene.end(14)
    assert scene.step().clip is None
    scene.cutting.encodes = True
    scene.cutting._not_mine.clear()
    event = scene.step()
    assert event.clip is not None
    assert event.clip.transcoded


def test_the_clips_moment_of_commitment_is_after_its_making(kept: Kept, tmp_path: Path) -> None:
    scene = Scene(kept, tmp_path, until_s=39)
    scene.end(14)
    assert scene.step().updated_at > scene.started


def test_a_disk_that_fails_is_not_called_full(kept: Kept, tmp_path: Path) -> None:
    scene = Scene(kept, tmp_path, until_s=39)
    scene.end(14)
    (tmp_path / "work").rmdir()
    event = scene.step()
    assert event.clip_reason is ClipReason.ATTEMPTS
    assert event.clip_error is not None
    assert event.clip_error.endswith("check its disk.")
    (tmp_path / "work").mkdir()
    assert scene.step(now=scene.started + 60 * SECOND).clip is not None


ENCODER = """
import sys
from datetime import datetime
from pathlib import Path
from pipeline.media import LocalMedia
from pipeline.store import Store
from pipeline.workers.cutting import Cutting
folder = Path(sys.argv[1])
store = Store.open(folder / "data")
media = LocalMedia(folder / "data" / "media")
cutting = Cutting(store, media, folder / "video", folder / "work", "killed", encodes=True)
while not cutting.should_stop():
    cutting.step(datetime.fromisoformat(sys.argv[2]), 0.0)
"""


def test_a_clip_whose_maker_was_killed_in_the_middle_is_made_by_the_next(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", frames=400, size=(1280, 720), codec="mpeg4")
    scene = Scene(packets_of(film), tmp_path, until_s=39)
    scene.end(30)
    command, options = python(ENCODER, tmp_path, scene.started.isoformat())
    with subprocess.Popen(command, **options) as process:
        try:
            (half,) = until(lambda: list((tmp_path / "work").glob("clip-*/clip.mp4")))
            until(lambda: half.stat().st_size > 0)
        finally:
            process.kill()
    scene.cutting.encodes = True
    assert scene.step(now=scene.started + 5 * SECOND).clip is None  # it may be at it still
    event = scene.step(now=scene.started + 60 * SECOND)
    assert event.clip is not None
    assert event.clip.duration_s == pytest.approx(30, abs=1.1)
