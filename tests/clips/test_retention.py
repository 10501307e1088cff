"""Room is made by age, size and free disk, and never of what a clip still needs."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.clips.naming import INDEX, TRACKS, stamp
from pipeline.clips.retention import Retention
from pipeline.clock import HostClock
from pipeline.configfile import validate
from pipeline.media import LocalMedia

NOW = datetime(2026, 11, 5, 12, 0, tzinfo=UTC)
MB = 1_000_000


class Disk:
    """A video folder of one segment a minute, and media of some events."""

    def __init__(
        self, folder: Path, camera: dict[str, Any] | None = None, **storage: float
    ) -> None:
        self.config = validate(
            {
                "data": str(folder),
                "storage": {"free_mb": 0, **storage},
                "cameras": {"door": {"source": "film.mp4", **(camera or {})}},
            },
            where="test",
            folder=folder,
        )
        self.folder = folder
        self.room = 10**12
        self.media = LocalMedia(folder / "media")
        self.monotonic = 0.0
        self.retention = Retention(
            self.config, self.media, lambda path: self.room, lambda: self.monotonic
        )

    def segments(self, minutes: int, camera: str = "door", size: int = 1000) -> None:
        video = self.folder / "video" / camera
        video.mkdir(parents=True, exist_ok=True)
        for ago in range(minutes, -1, -1):
            name = stamp(NOW - timedelta(minutes=ago))
            (video / f"{name}-aa{INDEX}").write_text("{}\n")
            (video / f"{name}-aa.mp4").write_bytes(b"\0" * size)
            (video / f"{name}{TRACKS}").write_text("[]\n")

    def event(self, event_id: str, days: float, size: int = 1000) -> None:
        self.media.put(f"events/{event_id}/clip.mp4", b"\0" * size)
        changed = (NOW - timedelta(days=days)).timestamp()
        os.utime(self.media.path(f"events/{event_id}/clip.mp4"), (changed, changed))

    def kept(self, suffix: str = ".mp4", camera: str = "door") -> int:
        return len(list((self.folder / "video" / camera).glob(f"*{suffix}")))

    def events(self) -> list[str]:
        return [event.event_id for event in self.media.events()]

    def sweep(self, needed: dict[str, datetime] | None = None, *unfinished: str) -> Any:
        return self.retention.sweep(NOW, needed or {}, frozenset(unfinished))


def test_video_is_kept_for_as_long_as_a_clip_that_begins_now_could_need(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.segments(30)
    swept = disk.sweep()
    # 65 s: those that end later than that.
    assert disk.kept() == 3
    assert disk.kept(INDEX) == 3
    assert swept.segments == 28
    # Track logs go with the video; each holds a minute.
    assert disk.kept(TRACKS) in (3, 4)


def test_a_rule_that_waits_has_its_video_kept_for_longer(tmp_path: Path) -> None:
    rules = {"stays": {"type": "loiter", "seconds": 600}}
    disk = Disk(tmp_path, {"rules": rules, "record": {"longest_s": 600}})
    disk.segments(30)
    disk.sweep()
    assert disk.kept() == 8  # half of the longest clip, and the rest


def test_video_that_an_unfinished_clip_needs_stays_whatever_its_age_and_size(
    tmp_path: Path,
) -> None:
    disk = Disk(tmp_path, video_gb=1e-9)
    disk.segments(30)
    disk.room = 0
    disk.sweep({"door": NOW - timedelta(minutes=10.5)})
    assert disk.kept() == 12


def test_continuous_video_is_kept_by_its_own_age(tmp_path: Path) -> None:
    disk = Disk(tmp_path, {"record": {"continuous": True, "keep_hours": 0.25}})
    disk.segments(30)
    disk.sweep()
    assert disk.kept() == 17


def test_video_of_all_cameras_together_is_kept_by_size_the_oldest_going_first(
    tmp_path: Path,
) -> None:
    camera = {"record": {"continuous": True}}
    disk = Disk(tmp_path, camera, video_gb=12 * 1003 / 1e9)
    disk.segments(30)
    disk.sweep()
    assert disk.kept() == 12
    first = min(path.name for path in (tmp_path / "video" / "door").glob("*.mp4"))
    assert first.startswith(stamp(NOW - timedelta(minutes=11)))


def test_a_camera_that_is_no_more_has_its_video_removed_by_age(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.segments(30, camera="old")
    disk.sweep()
    assert disk.kept(camera="old") == 3


def test_a_disk_without_room_has_video_removed_first_and_then_old_events(tmp_path: Path) -> None:
    disk = Disk(tmp_path, {"record": {"continuous": True}}, free_mb=10)
    disk.segments(9, size=MB)
    for number in range(4):
        disk.event(f"e{number}", days=4 - number, size=2 * MB)
    # 15 are to be free where there have to be 10, and there are 8.
    disk.room = 8 * MB
    disk.sweep()
    assert disk.kept() == 3
    # No more of them than helps.
    assert disk.events() == ["e1", "e2", "e3"]


def test_events_stay_while_no_room_is_wanting_or_none_can_be_made(tmp_path: Path) -> None:
    disk = Disk(tmp_path, free_mb=10)
    disk.segments(1)
    for number in range(4):
        disk.event(f"e{number}", days=4 - number, size=2 * MB)
    disk.room = 11 * MB
    swept = disk.sweep()
    # What a clip needs that begins now is no spare either.
    assert (swept.segments, swept.events, swept.problem) == (0, 0, None)
    disk.room = 1 * MB
    swept = disk.sweep(None, "e3")
    assert swept.events == 0
    assert "has less than 10 MB free" in swept.problem
    disk.room = 5 * MB
    swept = disk.sweep(None, "e0")
    assert (disk.events(), swept.problem) == (["e0"], None)


def test_the_video_of_a_film_that_is_read_slowly_is_kept_for_its_clips(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    video = tmp_path / "video" / "door"
    video.mkdir(parents=True)
    for ago in range(9, 4, -1):
        at = NOW - timedelta(minutes=ago)
        (video / f"{stamp(at)}-aa{INDEX}").write_text(f"{{}}\n[0,{at.timestamp()},0,0,1]\n")
        (video / f"{stamp(at)}-aa.mp4").write_bytes(b"0")
    disk.sweep()
    assert disk.kept() == 3
    # It does not go on: then what counts is how old its video is.
    disk.monotonic += 120
    disk.sweep()
    assert disk.kept() == 1


def test_media_go_by_age_and_size_but_not_those_of_an_unfinished_clip(tmp_path: Path) -> None:
    disk = Disk(tmp_path, media_days=10, media_gb=3500 / 1e9)
    for number, days in enumerate((20, 15, 5, 4, 3, 2)):
        disk.event(f"e{number}", days)
    disk.sweep(None, "e0")
    assert disk.events() == ["e0", "e4", "e5"]


def test_video_of_a_boot_whose_clock_was_ahead_is_older_than_todays(tmp_path: Path) -> None:
    clock = HostClock(boot="today", offset_s=NOW.timestamp() - 1000.0)
    disk = Disk(tmp_path, {"record": {"continuous": True}}, video_gb=6000 / 1e9)
    video = tmp_path / "video" / "door"
    video.mkdir(parents=True)

    def segment(at: datetime, boot: str, monotonic: float) -> None:
        name = f"{stamp(at)}-aabbccdd-{boot}-{round(monotonic * 1000):012d}"
        (video / f"{name}.mp4").write_bytes(b"\0" * 1000)
        (video / f"{name}{INDEX}").write_text(f"{{}}\n[0,{at.timestamp()},0,0,1,{monotonic}]\n")

    for number in range(6):
        ahead = NOW + timedelta(days=730, seconds=10 * number)
        segment(ahead, "before", 5000 + 10 * number)
        segment(NOW - timedelta(seconds=10 * (6 - number)), "today", 940 + 10 * number)
    disk.retention.sweep(NOW, {}, frozenset(), clock)
    left = [path.name.split("-")[2] for path in video.glob("*.mp4")]
    assert left.count("today") == len(left) == 5


def test_the_newest_segment_stays_whatever_its_age_and_size(tmp_path: Path) -> None:
    # It may be the one that is being written.
    disk = Disk(tmp_path, video_gb=1e-9)
    disk.segments(3)
    disk.room = 0
    disk.sweep()
    assert disk.kept() == 1
    assert (tmp_path / "video" / "door" / f"{stamp(NOW)}-aa.mp4").exists()


def test_media_that_cannot_be_removed_stop_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(tmp_path, media_days=1)
    disk.event("e1", days=5)
    disk.event("e2", days=5)
    real = disk.media.delete_event

    def fails_once(event_id: str) -> None:
        if event_id == "e1":
            raise PermissionError(13, "Permission denied")
        real(event_id)

    monkeypatch.setattr(disk.media, "delete_event", fails_once)
    disk.sweep()
    assert disk.events() == ["e1"]


def test_nothing_there_is_nothing_to_do(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    assert disk.sweep().bytes == 0
    assert not disk.retention.video_waits()


def test_what_a_crash_has_left_of_a_segment_goes_with_its_time(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.segments(5)
    video = tmp_path / "video" / "door"
    old = stamp(NOW - timedelta(minutes=9))
    (video / f"{old}-bb.mp4").write_bytes(b"\0" * 10)
    (video / f"{old}-cc{INDEX}").write_text("{}\n")
    disk.sweep()
    assert list(video.glob(f"{old}*")) == []


def test_a_sweep_sees_what_came_since_the_one_before(tmp_path: Path) -> None:
    disk = Disk(tmp_path, {"record": {"continuous": True}}, video_gb=8000 / 1e9)
    disk.segments(5)
    disk.event("e1", days=1)
    assert disk.sweep().segments == 0
    disk.segments(12)
    disk.media.put("events/e1/annotated.mp4", b"\0" * 500)
    assert disk.sweep().segments > 0
    assert [event.bytes for event in disk.media.events()] == [1500]
