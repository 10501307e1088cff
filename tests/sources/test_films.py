"""Films on disk, good and odd."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import av
import numpy as np
import pytest
from films import make_film, make_song, picture, shared
from running import environment

from pipeline.errors import SourceNotFound, SourceUnreadable
from pipeline.sources import Kind, SourceOptions, check, open_source, probe
from pipeline.sources.ffmpeg import ffmpeg_options
from pipeline.sources.pictures import Damage
from pipeline.sources.stream import StreamSource
from pipeline.types import Frame


def frames(path: Path) -> list[Frame]:
    return list(open_source("door", str(path)).frames())


def test_a_film_hands_over_every_frame_in_order(tmp_path: Path) -> None:
    found = frames(make_film(tmp_path / "a.mp4", frames=47))
    assert [frame.index for frame in found] == list(range(47))
    assert [frame.pts for frame in found] == pytest.approx([i / 10 for i in range(47)])
    assert [frame.discontinuity for frame in found] == [True] + [False] * 46
    assert found[-1].monotonic - found[0].monotonic == pytest.approx(4.6)
    assert {frame.camera for frame in found} == {"door"}


def test_a_film_is_not_live(tmp_path: Path) -> None:
    source = open_source("door", str(make_film(tmp_path / "a.mp4")))
    assert not source.live
    assert source.codec == "h264"
    assert source.rate == 10
    source.close()
    assert list(source.frames()) == []


def test_a_picture_is_converted_to_the_wanted_size_blue_first(tmp_path: Path) -> None:
    found = frames(make_film(tmp_path / "a.mp4", frames=3, size=(160, 120)))[2]
    assert found.size == (160, 120)
    image = found.image()
    assert image.dtype == np.uint8
    assert not image.flags.writeable
    difference = np.abs(image.astype(int) - picture(2, (160, 120)))
    assert difference.mean() < 6
    assert found.image((80, 60)).shape == (60, 80, 3)


def test_colours_come_blue_green_red(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import films

    def blue(index: int, size: tuple[int, int]) -> np.ndarray:
        return np.full((size[1], size[0], 3), (200, 20, 20), np.uint8)

    monkeypatch.setattr(films, "picture", blue)
    b, g, r = frames(make_film(tmp_path / "a.mp4", frames=1))[0].image()[60, 80]
    assert b > 150 > 60 > max(g, r)


def test_other_threads_may_convert_the_same_pictures(tmp_path: Path) -> None:
    found = frames(make_film(tmp_path / "a.mp4", frames=20, size=(320, 240)))
    expected = [frame.image((160, 120)).copy() for frame in found]
    wrong: list[int] = []

    def convert() -> None:
        for index, frame in enumerate(found):
            if not np.array_equal(frame.image((160, 120)), expected[index]):
                wrong.append(index)

    threads = [threading.Thread(target=convert) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []


def test_converting_a_picture_starts_no_threads_beside_those_of_the_detector(
    tmp_path: Path,
) -> None:
    code = (
        "import os\n"
        "from pipeline.sources import open_source\n"
        f"frame = next(open_source('door', {str(make_film(tmp_path / 'a.mp4'))!r}).frames())\n"
        "before = len(os.listdir('/proc/self/task'))\n"
        "frame.image((64, 48)), frame.image()\n"
        "print(len(os.listdir('/proc/self/task')) - before)"
    )
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment())
    assert run.stdout.strip() == "0"


def test_a_gap_in_a_film_is_marked(tmp_path: Path) -> None:
    times = [0, 1, 2, 3, 60, 61, 62]
    found = frames(make_film(tmp_path / "a.mkv", frames=7, times=times))
    assert [frame.index for frame in found if frame.discontinuity] == [0, 4]


def test_damaged_times_do_not_end_a_film(tmp_path: Path) -> None:
    far = 3 * 10**12
    path = make_film(tmp_path / "a.mkv", frames=6, times=[0, 1, 2, far, far + 1, far + 2])
    found = frames(path)
    assert [frame.index for frame in found if frame.discontinuity] == [0, 3]
    assert found[-1].monotonic - found[0].monotonic == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("where", ["decode", "picture"])
def test_whatever_ffmpeg_says_while_frames_are_read_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def fails(*_: object) -> None:
        raise av.error.InvalidDataError(1, "Invalid data", "rtsp://me:secret@h/")

    if where == "decode":
        monkeypatch.setattr(StreamSource, "_seconds", fails)
    else:
        monkeypatch.setattr("pipeline.sources.stream.DecodedPicture", fails)
    path = make_film(tmp_path / "a.mp4")
    with pytest.raises(SourceUnreadable, match=r"^Camera door: .* cannot be read on") as caught:
        frames(path)
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_whatever_ffmpeg_says_of_an_opened_stream_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise av.error.InvalidDataError(1, "Invalid data")

    monkeypatch.setattr("pipeline.sources.stream._claimed_rate", fails)
    with pytest.raises(SourceUnreadable, match=r"a\.mp4 is not a video that can be read"):
        open_source("door", str(make_film(tmp_path / "a.mp4")))


def test_a_film_may_be_named_by_a_file_url_or_hold_a_colon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_film(tmp_path / "concat:a.mp4", frames=2)
    monkeypatch.chdir(tmp_path)
    assert len(frames(Path("concat:a.mp4"))) == 2
    assert len(list(open_source("door", f"file://{path}").frames())) == 2


def test_what_is_opened_may_open_only_its_own_kind() -> None:
    allowed = {
        kind: ffmpeg_options("door", kind, SourceOptions())["protocol_whitelist"].split(",")
        for kind in (Kind.RTSP, Kind.HTTP, Kind.FILE)
    }
    assert allowed[Kind.FILE] == ["file"]
    for kind in (Kind.RTSP, Kind.HTTP):
        assert not {"file", "concat", "subfile", "pipe", "udp"} & set(allowed[kind])


def not_videos(folder: Path) -> dict[str, Path]:
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    files = {name: folder / name for name in ("folder", "pipe", "nothing.mp4")}
    for name, content in {
        "notes.txt": b"To do:\n- water the plants\n" * 40,
        "notes.mp4": b"To do:\n- water the plants\n" * 40,
        "empty.mp4": b"",
        "noise.mp4": os.urandom(20_000),
        "list.m3u8": b"#EXTM3U\n#EXTINF:1,\nhttp://192.0.2.20/a.ts\n#EXT-X-ENDLIST\n",
        "list.txt": b"ffconcat version 1.0\nfile http://192.0.2.20/a.mp4\n",
    }.items():
        files[name] = folder / name
        files[name].write_bytes(content)
    files["song.wav"] = make_song(folder / "song.wav")
    whole = make_film(folder / "whole.mp4").read_bytes()
    files["cut.mp4"] = folder / "cut.mp4"  # its index, at the end, is lost
    files["cut.mp4"].write_bytes(whole[: len(whole) // 2])
    return files


def test_what_is_no_video_is_told_in_one_sentence(tmp_path: Path) -> None:
    for name, path in not_videos(tmp_path).items():
        with pytest.raises((SourceUnreadable, SourceNotFound)) as caught:
            frames(path)
        sentence = str(caught.value)
        assert sentence.startswith("Camera door: "), name
        assert sentence.endswith("."), name
        assert str(path) in sentence, name
        assert "\n" not in sentence, name
        assert caught.value.cause == ("not_found" if name == "nothing.mp4" else "unreadable"), name


def test_a_file_that_may_not_be_read_is_told_so(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.mp4")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("the superuser may read everything")
    with pytest.raises(SourceUnreadable, match="permissions"):
        frames(path)


def test_a_change_of_size_gives_frames_of_the_new_size() -> None:
    found = frames(shared("odd/av1-av1-1-b8-03-sizeup.mp4"))
    assert {frame.size for frame in found} == {(352, 288), (1280, 720)}


def test_a_film_stored_on_its_side_is_shown_upright() -> None:
    found = frames(shared("odd/h264-displaymatrix.mp4"))[0]
    assert found.size == (240, 160)
    assert found.image((120, 80)).shape == (80, 120, 3)


def test_what_is_not_handed_over_is_counted() -> None:
    source = open_source("door", str(shared("odd/h264-attachment631-small.mp4")))
    list(source.frames())
    assert source.dropped["undecodable"] == 331


def test_what_is_made_from_damaged_keyframes_is_not_handed_over() -> None:
    source = open_source("door", str(shared("odd/h264-empty_edit_5s.mp4")))
    with pytest.raises(SourceUnreadable, match="is damaged, none of its pictures is whole"):
        list(source.frames())
    assert source.dropped["corrupt"] == 100


def test_a_damaged_keyframe_reaches_as_far_as_the_next_whole_one() -> None:
    damage = Damage()
    pictures = ["key", "", "damaged", "", "damaged key", "", "", "key", ""]
    reached = [
        damage.reaches(corrupt="damaged" in picture, keyframe="key" in picture)
        for picture in pictures
    ]
    assert reached == [False, False, True, False, True, True, True, False, False]
    damage.reaches(corrupt=True, keyframe=True)
    later = [damage.reaches(corrupt=False, keyframe=False) for _ in range(Damage.HEALED_AFTER)]
    assert (later[0], later[-1]) == (True, False)


def test_a_probe_tells_codec_size_rate_and_gives_a_still(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.mp4", rate=8, codec="mpeg4", size=(320, 240))
    found = probe("door", str(path))
    assert (found.codec, found.size, found.live) == ("mpeg4", (320, 240), False)
    assert found.rate == pytest.approx(8)
    assert found.frame.image().shape == (240, 320, 3)
    sentence = check("door", str(path)).sentence
    assert sentence.startswith("Camera door: mpeg4, 320x240, 8 frames/s, first picture after ")


def test_a_check_of_what_is_not_there_is_a_sentence_too(tmp_path: Path) -> None:
    result = check("door", str(tmp_path / "no.mp4"))
    assert result.probe is None
    assert isinstance(result.error, SourceNotFound)
    assert result.sentence == str(result.error)


def test_sources_are_imported_without_the_heavy_libraries() -> None:
    import subprocess
    import sys

    code = (
        "import sys, pipeline.sources, pipeline.simulate; "
        "print([m for m in ('av', 'cv2', 'httpx') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
