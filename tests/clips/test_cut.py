"""Clips of footage: as the camera sent them where that plays, encoded anew where it does not."""

from __future__ import annotations

import errno
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from footage import Kept, packets_of, write
from small_disk import fill, small_disk

from pipeline.clips.cut import Cut, Stretch, cut
from pipeline.clips.pictures import poster, within
from pipeline.clips.piece import Piece
from pipeline.errors import ClipError
from pipeline.types import ClipReason, LoggedLook, LoggedTrack

RATE = 10


def film_of(path: Path, codec: str, *, shade: int = 0, bframes: int = 0, seconds: int = 6) -> Path:
    """Each picture is brighter than the one before it by 3."""
    options = {"bf": str(bframes), "preset": "ultrafast"} if codec == "libx264" else {}
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=RATE, options=options)
        stream.width, stream.height = 160, 120
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.gop_size = RATE
        for index in range(seconds * RATE):
            image = np.full((120, 160, 3), shade + 3 * index, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def pieces_of(kept: Kept, folder: Path, begin_s: float, end_s: float) -> list[Piece]:
    footage = write(kept, folder)
    return footage.pieces(
        kept.begin + timedelta(seconds=begin_s), kept.begin + timedelta(seconds=end_s)
    )


def shades(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="gray").mean() for frame in container.decode(video=0)]


def times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0)]


@pytest.mark.parametrize("bframes", [0, 2])
def test_a_clip_has_the_cameras_own_packets(tmp_path: Path, bframes: int) -> None:
    kept = packets_of(film_of(tmp_path / "film.mp4", "libx264", bframes=bframes))
    made = cut(pieces_of(kept, tmp_path / "cam", 2.5, 4.95), tmp_path / "clip.mp4")
    assert not made.transcoded
    with av.open(str(tmp_path / "clip.mp4")) as container:
        data = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    sent = [packet.data for packet in kept.packets]
    first = sent.index(data[0])
    assert data == sent[first : first + len(data)]
    assert kept.packets[first].keyframe
    assert (made.start - kept.begin).total_seconds() == pytest.approx(2.0, abs=0.31)
    assert made.size == (160, 120)
    assert made.duration_s == pytest.approx(len(data) / RATE, abs=0.31)
    # It begins at once, and time goes on evenly.
    assert times(tmp_path / "clip.mp4") == pytest.approx(
        [index / RATE for index in range(len(data))], abs=0.01
    )


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [("libx265", ".mp4"), ("mpeg4", ".mp4"), ("mjpeg", ".avi"), ("msmpeg4", ".avi")],
)
def test_what_browsers_do_not_play_is_encoded_anew(tmp_path: Path, codec: str, suffix: str) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {codec}")
    kept = packets_of(film_of(tmp_path / f"film{suffix}", codec))
    made = cut(pieces_of(kept, tmp_path / "cam", 2.05, 4.05), tmp_path / "clip.mp4")
    assert made.transcoded
    with av.open(str(tmp_path / "clip.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
    found = shades(tmp_path / "clip.mp4")
    assert len(found) >= 20
    # Brighter and brighter, as far as the codec is true.
    assert all(later > earlier - 8 for earlier, later in pairwise(found))
    assert found[-1] > found[0] + 40
    assert made.duration_s == pytest.approx(len(found) / RATE, abs=0.1)


def test_a_break_in_the_recording_is_shortened_and_looks_stay_with_their_pictures(
    tmp_path: Path,
) -> None:
    kept = packets_of(film_of(tmp_path / "film.mp4", "libx264"))
    (piece,) = pieces_of(kept, tmp_path / "cam", 0, 9)
    track = LoggedTrack(1, "person", 0.8, (0.1, 0.1, 0.2, 0.2))
    looks = [
        LoggedLook(time, kept.begin + timedelta(seconds=time), (track,)) for time in (1.0, 5.0)
    ]
    piece = Piece(piece.stream, piece.read, looks)
    made = cut([piece, piece], tmp_path / "clip.mp4")
    assert not made.transcoded
    found = times(tmp_path / "clip.mp4")
    assert len(found) == 120
    assert max(b - a for a, b in pairwise(found)) < 0.15
    assert [look.t for look in made.looks] == pytest.approx(
        [1.0, 5.0, found[60] + 1, found[60] + 5], abs=0.02
    )


def test_pieces_that_do_not_go_together_are_encoded_anew(tmp_path: Path) -> None:
    one = packets_of(film_of(tmp_path / "a.mp4", "libx264"))
    other = packets_of(film_of(tmp_path / "b.mp4", "mpeg4", shade=5))
    pieces = pieces_of(one, tmp_path / "a", 0, 9) + pieces_of(other, tmp_path / "b", 0, 9)
    made = cut(pieces, tmp_path / "clip.mp4")
    assert made.transcoded
    assert len(shades(tmp_path / "clip.mp4")) == 120


def test_a_damaged_packet_spoils_its_group_of_pictures_at_most(tmp_path: Path) -> None:
    kept = packets_of(film_of(tmp_path / "film.avi", "mjpeg"))
    kept.items[30] = (kept.items[30][0], replace(kept.items[30][1], data=b"\xff\xd8nonsense"))
    cut(pieces_of(kept, tmp_path / "cam", 0, 9), tmp_path / "clip.mp4")
    assert len(shades(tmp_path / "clip.mp4")) >= 58


def test_no_footage_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="No video of that time") as caught:
        cut([], tmp_path / "clip.mp4")
    assert caught.value.reason == ClipReason.NOT_RECORDED
    assert not caught.value.passing


def test_a_full_disk_is_said_so_and_leaves_nothing_behind(tmp_path: Path) -> None:
    kept = packets_of(film_of(tmp_path / "film.mp4", "libx264"))
    pieces = pieces_of(kept, tmp_path / "cam", 0, 9)
    with small_disk(tmp_path / "disk", 1) as disk:
        fill(disk)
        with pytest.raises(ClipError, match="free some space") as caught:
            cut(pieces, disk / "clip.mp4")
        assert not (disk / "clip.mp4").exists()
    assert caught.value.reason == ClipReason.DISK_FULL
    assert caught.value.passing
    assert errno.errorcode[errno.ENOSPC] not in str(caught.value)


def test_moments_are_found_across_a_break_that_was_shortened() -> None:
    at = datetime(2026, 11, 5, 2, 14, tzinfo=UTC)
    made = Cut(
        codec="h264",
        size=(160, 120),
        duration_s=6.0,
        start=at,
        end=at + timedelta(seconds=62),
        transcoded=False,
        looks=(),
        stretches=(Stretch(t=0.0, at=at), Stretch(t=4.0, at=at + timedelta(seconds=60))),
    )
    for seconds, t in {0: 0.0, 3: 3.0, 60.5: 4.5, 61: 5.0}.items():
        assert made.seconds(at + timedelta(seconds=seconds)) == pytest.approx(t)
        assert made.moment(t) == at + timedelta(seconds=seconds)
    # What lies in the break is where it was left out.
    assert made.seconds(at + timedelta(seconds=30)) == 4.0
    assert made.seconds(at + timedelta(seconds=90)) == 6.0
    assert made.seconds(at - timedelta(seconds=90)) == 0.0
    assert Cut.model_validate_json(made.model_dump_json()) == made


def test_a_poster_is_the_picture_of_its_moment(tmp_path: Path) -> None:
    film_of(tmp_path / "film.mp4", "libx264")
    image = poster(tmp_path / "film.mp4", 3.0)
    assert image.shape == (120, 160, 3)
    assert image.mean() == pytest.approx(90, abs=4)
    assert poster(tmp_path / "film.mp4", 99.0).mean() == pytest.approx(177, abs=4)
    (tmp_path / "none.mp4").write_bytes(b"nothing")
    with pytest.raises(ClipError):
        poster(tmp_path / "none.mp4", 0.0)


def test_pictures_are_scaled_down_only_to_even_sides() -> None:
    assert within((1920, 1080), 640, 1080) == (640, 360)
    assert within((101, 77), 640, 480) == (100, 76)


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_a_cut_that_nobody_wants_any_more_stops_and_leaves_nothing(
    tmp_path: Path, codec: str
) -> None:
    kept = packets_of(film_of(tmp_path / "film.mp4", codec))
    pieces = pieces_of(kept, tmp_path / "cam", 0, 9)
    asked: list[bool] = []

    def should_stop() -> bool:
        asked.append(len(asked) == 20)
        return asked[-1]

    assert cut(pieces, tmp_path / "clip.mp4", should_stop) is None
    assert len(asked) == 21
    assert not (tmp_path / "clip.mp4").exists()


def test_packets_whose_times_go_back_between_pieces_still_make_a_clip(tmp_path: Path) -> None:
    # With B-frames the decoding time of a second piece begins before the end of the first.
    kept = packets_of(film_of(tmp_path / "film.mp4", "libx264", bframes=3))
    (piece,) = pieces_of(kept, tmp_path / "cam", 0, 9)
    made = cut([piece, piece, piece], tmp_path / "clip.mp4")
    assert made is not None
    assert not made.transcoded
    assert len(shades(tmp_path / "clip.mp4")) == 180
    with av.open(str(tmp_path / "clip.mp4")) as container:
        dts = [packet.dts for packet in container.demux(video=0) if packet.size]
    assert all(a < b for a, b in pairwise(dts))
