"""Films made ready to be sent."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from films import make_film, make_song, shared

from pipeline.errors import FilmError
from pipeline.simulate import Reel, load, names_of
from pipeline.simulate.rtp import MAX_PAYLOAD, Packetiser, nal_units, session_description


def test_h264_is_taken_as_it_is(tmp_path: Path) -> None:
    for suffix in ("mp4", "mkv", "ts"):
        film = make_film(tmp_path / f"a.{suffix}", frames=20)
        reel = load(film, tmp_path / "cache")
        assert reel.path == film
        assert {unit[0] & 0x1F for unit in reel.parameter_sets} == {7, 8}
        pictures = list(reel.access_units())
        assert [picture.due_s for picture in pictures] == pytest.approx([i / 10 for i in range(20)])
        assert [picture.pts for picture in pictures] == [9000 * i for i in range(20)]
    assert not (tmp_path / "cache").exists()


def test_anything_else_is_turned_to_h264_once(tmp_path: Path) -> None:
    film = make_film(tmp_path / "a.avi", frames=25, codec="mpeg4", size=(176, 144))
    told: list[str] = []
    reel = load(film, tmp_path / "cache", told.append)
    assert len(told) == 1
    assert len(list(reel.access_units())) == 25
    with av.open(str(reel.path)) as made:
        stream = made.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        packets = [p for p in made.demux(stream) if p.size]
    assert [i for i, p in enumerate(packets) if p.is_keyframe] == [0, 10, 20]
    assert all(p.pts == p.dts for p in packets)  # no B-frames
    renamed = film.rename(tmp_path / "b.avi")
    assert load(renamed, tmp_path / "cache", told.append).path == reel.path
    assert len(told) == 1
    assert [p.name for p in (tmp_path / "cache").iterdir()] == [reel.path.name]


def test_a_film_of_odd_size_and_one_on_its_side_are_made_to_fit(tmp_path: Path) -> None:
    reel = load(shared("odd/h264-displaymatrix.mp4"), tmp_path)
    with av.open(str(reel.path)) as made:
        assert (made.streams.video[0].width, made.streams.video[0].height) == (240, 160)
    odd = make_film(tmp_path / "odd.mkv", frames=3, codec="ffv1", size=(161, 121))
    with av.open(str(load(odd, tmp_path).path)) as made:
        assert (made.streams.video[0].width, made.streams.video[0].height) == (160, 120)


def test_a_start_is_at_the_keyframe_before(tmp_path: Path) -> None:
    reel = load(make_film(tmp_path / "a.mp4", frames=40, gop=10), tmp_path)
    assert len(list(reel.access_units(2.55))) == 20
    assert next(reel.access_units(2.55)).pts == 0


def test_a_film_that_cannot_be_wound_on_is_told_in_a_sentence(tmp_path: Path) -> None:
    raw = make_film(tmp_path / "raw.h264")
    with pytest.raises(FilmError, match=r"raw\.h264 cannot be read on: .*\.$"):
        list(Reel(raw, (), 10.0, 3.0).access_units(1.0))


def test_odd_media_become_a_reel_or_one_sentence(tmp_path: Path) -> None:
    for film in sorted(shared("odd").iterdir()):
        if "encrypted" in film.name:
            with pytest.raises(FilmError, match=r"holds no picture that can be decoded\.$"):
                load(film, tmp_path)
        else:
            assert next(load(film, tmp_path).access_units()).units
    assert not list(tmp_path.glob(".*"))  # nothing half-made is left


def test_what_is_no_film_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("To do: water the plants\n" * 50)
    (tmp_path / "empty.mp4").write_bytes(b"")
    song = make_song(tmp_path / "song.wav")
    for film in (tmp_path / "notes.txt", tmp_path / "empty.mp4", song, tmp_path):
        with pytest.raises(FilmError, match=r"\.$"):
            load(film, tmp_path / "cache")


def test_a_cache_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    film = make_film(tmp_path / "a.avi", codec="mpeg4")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FilmError, match="cannot be made"):
        load(film, tmp_path / "file" / "cache")


def test_films_are_named_after_their_files_each_by_its_own_name() -> None:
    films = [Path("a/yard cam.mp4"), Path("b/yard cam.avi"), Path("ä.mp4"), Path("c/yard cam.mkv")]
    assert names_of(films) == {
        "yard-cam": films[0],
        "yard-cam-2": films[1],
        "-": films[2],
        "yard-cam-3": films[3],
    }


def test_nal_units_are_found_between_start_codes() -> None:
    stream = b"\0\0\0\1\x67ab\0\0\1\x09\xf0\0\0\0\1\x68c\0\0\1\x65" + b"d" * 9 + b"\0"
    assert nal_units(stream) == [b"\x67ab", b"\x68c", b"\x65" + b"d" * 9]
    assert nal_units(b"") == []


def test_large_units_are_cut_and_can_be_joined_again() -> None:
    unit = b"\x65" + bytes(i % 251 for i in range(5000))
    sent = Packetiser(ssrc=1, sequence=65_534).access_unit([b"\x67abc", unit], 2**32 + 7)
    packets = []
    while sent:
        length = int.from_bytes(sent[2:4], "big")
        packets.append(sent[4 : 4 + length])
        sent = sent[4 + length :]
    assert [int.from_bytes(p[2:4], "big") for p in packets] == [65_534, 65_535, 0, 1, 2]
    assert [p[1] >> 7 for p in packets] == [0, 0, 0, 0, 1]  # the marker ends the picture
    assert {p[4:8] for p in packets} == {(7).to_bytes(4, "big")}
    assert all(len(p) <= 12 + MAX_PAYLOAD for p in packets)
    parts = [p[12:] for p in packets[1:]]
    assert [part[1] >> 6 for part in parts] == [0b10, 0, 0, 0b01]
    head = bytes([parts[0][0] & 0xE0 | parts[0][1] & 0x1F])
    assert head + b"".join(part[2:] for part in parts) == unit


def test_the_description_names_profile_and_parameter_sets() -> None:
    text = session_description("yard", "127.0.0.1", (b"\x67\x64\x00\x1f", b"\x68\xee"), 12.5)
    assert "profile-level-id=64001f;sprop-parameter-sets=Z2QAHw==,aO4=" in text
    assert "a=framerate:12.500\r\n" in text
