"""The track log is read while it is written, and survives what tears it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from happenings import NOW
from small_disk import fill, small_disk

from pipeline.clips.tracklog import TrackLog, read_looks
from pipeline.types import LoggedLook, LoggedTrack

TRACK = LoggedTrack(7, "person", 0.81, (0.1, 0.2, 0.3, 0.4))


def look(seconds: float) -> LoggedLook:
    return LoggedLook(seconds, NOW + timedelta(seconds=seconds), (TRACK,))


def test_looks_are_found_by_time_while_they_are_written(tmp_path: Path) -> None:
    log = TrackLog(tmp_path / "cam")
    for second in range(200):
        log.append(look(second))
    found = read_looks(tmp_path / "cam", look(59).captured_at, look(121).captured_at)
    assert found == [look(second) for second in range(59, 122)]
    assert len(list((tmp_path / "cam").iterdir())) == 4
    log.close()


def test_a_torn_line_is_left_out(tmp_path: Path) -> None:
    log = TrackLog(tmp_path / "cam")
    log.append(look(0))
    log.append(look(1))
    log.close()
    (path,) = (tmp_path / "cam").iterdir()
    path.write_text(path.read_text()[:-10])
    assert read_looks(tmp_path / "cam", NOW, look(9).captured_at) == [look(0)]


def test_a_full_disk_is_counted_and_raises_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1) as disk:
        log = TrackLog(disk / "cam")
        log.append(look(0))
        ballast = fill(disk)
        for second in range(1, 400):
            log.append(look(second))
        assert log.dropped["track_log"] > 0
        ballast.unlink()
        log.append(look(500))
        log.close()
        assert read_looks(disk / "cam", look(500).captured_at, look(500).captured_at)
