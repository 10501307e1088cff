"""What a replay writes: tracks in MOTChallenge format, and the annotated film."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from films import make_film
from small_disk import fill, small_disk

from pipeline.config import Config
from pipeline.errors import ClipError, DetectorError, StoreError
from pipeline.replaying import Replay, Replayed, events_and_files
from pipeline.types import Box, Detection, Frame
from pipeline.workers.look import Look

pytestmark = pytest.mark.usefixtures("square")


def settings(**camera: Any) -> Config:
    return Config.model_validate({"cameras": {"door": {"source": "door", **camera}}})


def replayed(film: Path, config: Config, **files: Path) -> list[Replayed]:
    with Replay(config, "door") as replaying:
        return list(events_and_files(replaying, str(film), **files))


def looks_at(film: Path, config: Config) -> list[Look]:
    looks: list[Look] = []
    with Replay(config, "door") as replaying:
        list(replaying.events(str(film), watching=looks.append))
    return looks


def read(path: Path) -> np.ndarray:
    return np.loadtxt(path, delimiter=",", ndmin=2)


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        return [f.to_ndarray(format="bgr24").astype(int) for f in container.decode(video=0)]


def coloured(image: np.ndarray) -> np.ndarray:
    """Where a grey picture is not grey."""
    return (image.max(axis=2) - image.min(axis=2)) > 60


def test_each_track_of_each_look_has_a_row_with_the_number_of_its_picture(
    yard: Path, tmp_path: Path
) -> None:
    replayed(yard, settings(), mot=tmp_path / "tracks.txt")
    expected = []
    for look in looks_at(yard, settings()):
        assert look.frame is not None
        for track in look.view.tracks:
            x1, y1, x2, y2 = track.detection.box
            place = (x1 + 1, y1 + 1, x2 - x1, y2 - y1)
            expected.append((look.frame.index + 1, track.id, *place, 0.8, -1, -1, -1))
    assert len(expected) >= 13
    assert read(tmp_path / "tracks.txt") == pytest.approx(np.array(expected), abs=0.006)
    # Five looks a second at ten pictures a second: the first, the third, ...
    assert set(read(tmp_path / "tracks.txt")[:, 0] % 2) == {1}


def test_the_boxes_lie_where_the_film_shows_what_was_tracked(yard: Path, tmp_path: Path) -> None:
    replayed(yard, settings(detect={"fps": 60}), mot=tmp_path / "tracks.txt")
    rows = read(tmp_path / "tracks.txt")
    assert len(rows) >= 25
    # Picture n of the film has the square at 4 (n - 1) pixels from the left.
    assert rows[:, 2] == pytest.approx(4 * (rows[:, 0] - 1) + 1, abs=2.5)
    assert rows[:, 3] == pytest.approx(51, abs=2.5)


def test_sixty_looks_a_second_look_at_every_picture(yard: Path) -> None:
    looks = looks_at(yard, settings(detect={"fps": 60}))
    assert [look.frame.index for look in looks if look.frame] == list(range(30))


def test_pictures_in_which_nothing_moves_have_rows_though_nobody_detects_on_them(
    detects: Any, tmp_path: Path
) -> None:
    asked: list[Frame] = []

    def answer(frame: Frame) -> list[Detection]:
        asked.append(frame)
        return [Detection("person", 0.9, Box(40, 30, 70, 110))]

    detects(answer)
    still = tmp_path / "still.mp4"
    with av.open(str(still), "w") as output:
        stream = output.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for _ in range(50):
            grey = av.VideoFrame.from_ndarray(np.full((120, 160, 3), 90, np.uint8), format="bgr24")
            output.mux(stream.encode(grey))
        output.mux(stream.encode(None))
    replayed(still, settings(), mot=tmp_path / "tracks.txt")
    rows = read(tmp_path / "tracks.txt")
    assert len(asked) < 20
    assert len(rows) >= 45
    assert rows[10:, 2:6] == pytest.approx(np.array([[41, 31, 30, 80]] * len(rows[10:])), abs=0.5)


def test_the_annotated_film_has_every_picture_and_the_boxes_at_their_place(
    yard: Path, tmp_path: Path
) -> None:
    film = make_film(tmp_path / "large.mp4", size=(320, 240))
    replayed(film, settings(detect={"fps": 10}), render=tmp_path / "drawn.mp4")
    drawn = pictures(tmp_path / "drawn.mp4")
    assert len(drawn) == 30
    assert drawn[0].shape[0] > 240
    assert not coloured(drawn[0][:240]).any()
    # Below its label and beside its trail: the square of picture 20 is at 80.
    lower = coloured(drawn[20][:240])[112:130, 60:]
    _, columns = np.nonzero(lower)
    assert columns.max() + 60 == pytest.approx(100, abs=3)


def test_the_annotated_film_says_what_fired_while_it_holds(yard: Path, tmp_path: Path) -> None:
    zones = {"right": [[0.5, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 1.0]]}
    config = settings(zones=zones, rules={"right": {"type": "zone", "zone": "right"}})
    (event,) = replayed(yard, config, render=tmp_path / "drawn.mp4")
    drawn = pictures(tmp_path / "drawn.mp4")
    # The zone's left edge.
    assert coloured(drawn[0][:120])[60:110, 78:83].any(axis=1).all()
    fired = round(event.time_s * 10)
    said = [(picture[120:] > 200).sum() for picture in drawn]
    assert said[fired] > said[fired - 1] + 100
    assert said[fired - 1] < 20


def test_the_same_film_gives_the_same_files_to_the_byte(yard: Path, tmp_path: Path) -> None:
    for name in "ab":
        replayed(yard, settings(), mot=tmp_path / f"{name}.txt", render=tmp_path / f"{name}.mp4")
    assert (tmp_path / "a.txt").read_bytes() == (tmp_path / "b.txt").read_bytes()
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_masks_are_black_in_the_annotated_film(yard: Path, tmp_path: Path) -> None:
    masks = [[[0, 0], [0.4, 0], [0.4, 1], [0, 1]]]
    replayed(yard, settings(masks=masks), render=tmp_path / "drawn.mp4")
    assert pictures(tmp_path / "drawn.mp4")[0][:120, :60].max() < 30


@pytest.mark.parametrize("option", ["mot", "render"])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing/out", "cannot be written"),
        ("folder", "is no file that can be written"),
        ("yard.mp4", "is a film that is replayed"),
        ("ring", "is no file that can be written"),
        ("x" * 300, "is no file that can be written"),
    ],
)
def test_a_file_that_cannot_be_written_is_found_out_before_anything_is_replayed(
    yard: Path, tmp_path: Path, option: str, name: str, said: str, detects: Any
) -> None:
    def never(_: Frame) -> list[Detection]:
        raise DetectorError("It was asked.")

    detects(never)
    (tmp_path / "folder").mkdir()
    (tmp_path / "ring").symlink_to("ring")
    before = yard.read_bytes()
    with pytest.raises(StoreError, match=said):
        replayed(yard, settings(), **{option: tmp_path / name})
    assert yard.read_bytes() == before


@pytest.mark.parametrize("option", ["mot", "render"])
def test_no_film_of_a_folder_that_is_replayed_is_written_over(
    yard: Path, tmp_path: Path, option: str
) -> None:
    folder = tmp_path / "night"
    folder.mkdir()
    film = yard.rename(folder / "1.mp4")
    before = film.read_bytes()
    with pytest.raises(StoreError, match="is a film that is replayed"):
        replayed(folder, settings(), **{option: film})
    assert film.read_bytes() == before


def test_what_goes_wrong_on_the_way_leaves_the_files_as_they_were(
    yard: Path, tmp_path: Path, detects: Any
) -> None:
    def fails_late(frame: Frame) -> list[Detection]:
        if frame.monotonic > 1:
            raise DetectorError("It failed.")
        return []

    detects(fails_late)
    (tmp_path / "old.txt").write_text("old")
    with pytest.raises(DetectorError):
        replayed(yard, settings(), mot=tmp_path / "old.txt", render=tmp_path / "new.mp4")
    assert (tmp_path / "old.txt").read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"old.txt", "yard.mp4"}


@pytest.mark.parametrize("option", ["mot", "render"])
def test_a_full_disk_is_said_and_nothing_half_written_is_left(
    yard: Path, tmp_path: Path, option: str
) -> None:
    with small_disk(tmp_path / "disk", megabytes=1) as disk:
        fill(disk)
        with pytest.raises((StoreError, ClipError), match=r"space"):
            replayed(yard, settings(), **{option: disk / "out"})
        assert {path.name for path in disk.iterdir()} == {"ballast"}


def test_who_stops_reading_leaves_no_file_behind(yard: Path, tmp_path: Path) -> None:
    with Replay(settings(), "door") as replaying:
        events = events_and_files(replaying, str(yard), render=tmp_path / "new.mp4")
        next(events)
        assert len(list(tmp_path.iterdir())) == 2
        events.close()
    assert {path.name for path in tmp_path.iterdir()} == {"yard.mp4"}
