"""What a camera sent is on the disk as it was sent, and found again by time."""

from __future__ import annotations

import itertools
import subprocess
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from films import make_film
from footage import Kept, packets_of, write
from happenings import python
from running import until
from small_disk import fill, small_disk

from pipeline.clips.footage import Footage
from pipeline.clips.segments import SegmentWriter
from pipeline.sources import open_source


def film_of(
    path: Path, codec: str, seconds: int = 8, gop: int = 10, bframes: int = 0, rate: int = 10
) -> Path:
    options = {"libx264": {"bf": str(bframes), "preset": "ultrafast"}}.get(codec, {})
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height = 160, 120
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.gop_size = gop
        for index in range(seconds * rate):
            image = np.full((120, 160, 3), (index * 7) % 255, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """40 s with a keyframe each second, and pictures out of order."""
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    return packets_of(film_of(path, "libx264", seconds=40, bframes=2))


def test_packets_have_the_times_of_the_frames_that_they_become(tmp_path: Path) -> None:
    sink = Kept()
    path = film_of(tmp_path / "film.mp4", "libx264", bframes=2)
    frames = list(open_source("cam", str(path), packets=sink).frames())
    assert sorted(packet.time for packet in sink.packets) == [frame.pts for frame in frames]
    assert sink.packets[0].discontinuity
    assert sum(packet.discontinuity for packet in sink.packets) == 1
    assert sink.packets[0].captured_at == pytest.approx(
        frames[0].captured_at, abs=timedelta(milliseconds=50)
    )


def test_a_live_cameras_packets_have_the_times_of_their_frames(camera: str) -> None:
    sink = Kept()
    source = open_source("cam", camera, packets=sink)
    frames = list(itertools.islice(source.frames(), 20))
    source.close()
    times = {packet.time for packet in sink.packets}
    assert {round(frame.pts, 6) for frame in frames[1:]} <= {round(time, 6) for time in times}
    assert sink.packets[0].keyframe


@pytest.mark.parametrize(
    ("codec", "suffix", "bframes"),
    [
        ("libx264", ".mp4", 0),
        ("libx264", ".mp4", 3),
        ("libx265", ".mp4", 0),
        ("mpeg4", ".mp4", 0),
        ("mjpeg", ".avi", 0),
        ("msmpeg4", ".avi", 0),
    ],
)
def test_packets_are_kept_as_they_are(
    tmp_path: Path, codec: str, suffix: str, bframes: int
) -> None:
    if codec == "libx265" and "libx265" not in av.codecs_available:
        pytest.skip("this FFmpeg encodes no HEVC")
    sent = packets_of(film_of(tmp_path / f"film{suffix}", codec, bframes=bframes))
    footage = write(sent, tmp_path / "cam", segment_s=2.0)
    assert len(footage.segments()) >= 3
    (piece,) = footage.pieces(sent.begin, sent.packets[-1].captured_at)
    found = list(piece.read())
    assert [packet.data for packet in found] == [packet.data for packet in sent.packets]
    assert [packet.keyframe for packet in found] == [packet.keyframe for packet in sent.packets]
    assert [packet.time for packet in found] == pytest.approx(
        [packet.time for packet in sent.packets], abs=1e-5
    )


def test_ticks_of_pictures_out_of_order_are_restored(kept: Kept, tmp_path: Path) -> None:
    footage = write(kept, tmp_path / "cam", segment_s=3.0)
    (piece,) = footage.pieces(kept.begin, kept.packets[-1].captured_at)
    assert [(p.pts, p.dts) for p in piece.read()] == [(p.pts, p.dts) for p in kept.packets]


def test_a_piece_begins_at_the_keyframe_before_and_ends_in_time(kept: Kept, tmp_path: Path) -> None:
    footage = write(kept, tmp_path / "cam")
    begin, end = kept.begin + timedelta(seconds=12.55), kept.begin + timedelta(seconds=23.25)
    (piece,) = footage.pieces(begin, end)
    found = list(piece.read())
    assert found[0].keyframe
    assert 0 <= (begin - found[0].captured_at).total_seconds() <= 1.05
    last = max(packet.captured_at for packet in found)
    # A picture out of order comes with the later one that it is made from.
    assert abs((end - last).total_seconds()) <= 0.35
    # Read again, it is the same.
    assert list(piece.read()) == found


def test_a_break_makes_two_pieces(kept: Kept, tmp_path: Path) -> None:
    gap = timedelta(seconds=30)
    again = Kept(
        [
            (stream, replace(packet, captured_at=packet.captured_at + gap + timedelta(seconds=40)))
            for stream, packet in kept.items
        ]
    )
    both = Kept(kept.items + again.items)
    footage = write(both, tmp_path / "cam")
    pieces = footage.pieces(kept.begin, again.packets[-1].captured_at)
    assert [len(list(piece.read())) for piece in pieces] == [400, 400]


def test_what_is_before_the_first_keyframe_is_left_out(kept: Kept, tmp_path: Path) -> None:
    late = Kept(kept.items[3:])
    before = next(number for number, packet in enumerate(late.packets) if packet.keyframe)
    footage = write(late, tmp_path / "cam", lost=before)
    (piece,) = footage.pieces(kept.begin, kept.packets[-1].captured_at)
    assert next(piece.read()).keyframe


WRITER = """
import sys, threading
from pathlib import Path
from footage import packets_of
from pipeline.clips.segments import SegmentWriter
sent = packets_of(Path(sys.argv[1]))
writer = SegmentWriter(Path(sys.argv[2]))
writer.start()
for stream, packet in sent.items:
    writer.take(stream, packet)
threading.Event().wait(3)
print("written", flush=True)
threading.Event().wait()
"""


def test_what_was_written_before_a_kill_plays_up_to_half_a_second_whatever_the_keyframes(
    tmp_path: Path,
) -> None:
    film = film_of(tmp_path / "film.mp4", "libx264", seconds=9, gop=100)
    command, options = python(WRITER, film, tmp_path / "cam")
    with subprocess.Popen(command, **options, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "written\n"
            # Another process reads along while it is being written.
            footage = Footage(tmp_path / "cam")
            sent = packets_of(film)
            beside = footage.pieces(*whole(footage))
            assert len(list(beside[0].read())) >= len(sent.packets) - 7
        finally:
            process.kill()
    (path,) = (tmp_path / "cam").glob("*.mp4")
    with av.open(str(path)) as container:
        pictures = sum(1 for _ in container.decode(video=0))
    assert len(sent.packets) - 7 <= pictures <= len(sent.packets)
    (piece,) = footage.pieces(*whole(footage))
    assert len(list(piece.read())) >= len(sent.packets) - 7


def whole(footage: Footage) -> tuple:
    end = until(footage.until)
    return end - timedelta(days=1), end


def test_a_torn_line_of_an_index_costs_nothing_else(kept: Kept, tmp_path: Path) -> None:
    footage = write(kept, tmp_path / "cam", segment_s=100.0)
    (segment,) = footage.segments()
    text = segment.index.read_text()
    segment.index.write_text(text[: len(text) * 3 // 4])
    (piece,) = footage.pieces(*whole(footage))
    assert 290 <= len(list(piece.read())) <= 305


def test_video_that_was_removed_meanwhile_is_left_out(kept: Kept, tmp_path: Path) -> None:
    footage = write(kept, tmp_path / "cam")
    (piece,) = footage.pieces(*whole(footage))
    footage.remove(footage.segments()[1])
    assert 250 <= len(list(piece.read())) < 400
    assert len(list(piece.read())) == 400 - 100


def test_no_folder_is_no_footage(tmp_path: Path) -> None:
    footage = Footage(tmp_path / "none")
    assert footage.until() is None
    assert footage.segments() == []


def test_a_disk_without_room_pauses_and_the_next_keyframe_after_it_goes_on(
    kept: Kept, tmp_path: Path
) -> None:
    free, now = [10], [0.0]
    writer = SegmentWriter(
        tmp_path / "cam", free_bytes=100, free=lambda path: free[0], clock=lambda: now[0]
    )
    writer.start()
    for stream, packet in kept.items[:45]:
        writer.take(stream, packet)
    until(lambda: writer.dropped["disk_full"] == 45)
    assert writer.problem is not None
    assert "free some space" in writer.problem
    free[0], now[0] = 1000, 5.0
    for stream, packet in kept.items[45:]:
        writer.take(stream, packet)
    writer.close(30)
    assert writer.problem is None
    (piece,) = Footage(tmp_path / "cam").pieces(*whole(Footage(tmp_path / "cam")))
    first = next(piece.read())
    assert first.keyframe
    assert first.time == pytest.approx(5.0)


def test_a_disk_that_is_too_slow_costs_whole_groups_of_pictures_and_holds_up_nobody(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.clips.segments.QUEUED_PACKETS", 105)
    writer = SegmentWriter(tmp_path / "cam")  # its thread is not running yet
    for stream, packet in kept.items[:150]:
        writer.take(stream, packet)
    assert writer.dropped["segment_queue"] == 45
    writer.start()
    until(lambda: Footage(tmp_path / "cam").until())
    until(lambda: not writer._queue)
    monkeypatch.setattr("pipeline.clips.segments.QUEUED_PACKETS", 1000)
    for stream, packet in kept.items[150:]:
        writer.take(stream, packet)
    writer.close(30)
    pieces = Footage(tmp_path / "cam").pieces(*whole(Footage(tmp_path / "cam")))
    assert [len(list(piece.read())) for piece in pieces] == [105, 250]
    assert next(pieces[1].read()).keyframe


def test_after_a_gap_nothing_is_taken_before_the_next_keyframe(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.clips.segments.QUEUED_PACKETS", 15)
    writer = SegmentWriter(tmp_path / "cam")  # its thread is not running yet
    for stream, packet in kept.items[:16]:
        writer.take(stream, packet)
    # There is room again, in the middle of a group of pictures.
    monkeypatch.setattr("pipeline.clips.segments.QUEUED_PACKETS", 1000)
    for stream, packet in kept.items[16:40]:
        writer.take(stream, packet)
    assert writer.dropped["segment_queue"] == 5
    writer.start()
    writer.close(30)
    pieces = Footage(tmp_path / "cam").pieces(*whole(Footage(tmp_path / "cam")))
    assert [len(list(piece.read())) for piece in pieces] == [15, 20]


def test_decoding_times_that_repeat_are_kept_rising(tmp_path: Path) -> None:
    sent = packets_of(film_of(tmp_path / "film.mp4", "libx264"))
    odd = [
        (stream, replace(packet, pts=packet.pts, dts=0 if number % 5 else packet.dts))
        for number, (stream, packet) in enumerate(sent.items)
    ]
    footage = write(Kept(odd), tmp_path / "cam", segment_s=100.0)
    (segment,) = footage.segments()
    with av.open(str(segment.path)) as container:
        times = [packet.dts for packet in container.demux(video=0) if packet.size]
    assert len(times) == 80
    assert all(a < b for a, b in itertools.pairwise(times))


def test_the_index_names_no_packet_that_cannot_be_read_yet(kept: Kept, tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path / "cam")
    writer.start()
    footage = Footage(tmp_path / "cam")
    for number, (stream, packet) in enumerate(kept.items[:95]):
        writer.take(stream, packet)
        if number % 10 == 9:
            until(lambda: not writer._queue)
            for piece in footage.pieces(kept.begin, kept.packets[-1].captured_at):
                named = sum(len(s.index.read_text().splitlines()) - 1 for s in footage.segments())
                assert len(list(piece.read())) >= named - 1
    writer.close(30)


def test_a_small_film_of_a_square_is_small_on_the_disk_too(tmp_path: Path) -> None:
    sent = packets_of(make_film(tmp_path / "film.mp4", frames=100))
    footage = write(sent, tmp_path / "cam")
    assert sum(segment.bytes for segment in footage.segments()) < 3 * sum(
        len(packet.data) + 100 for packet in sent.packets
    )


def test_a_recording_whose_first_segment_is_lost_has_the_others(kept: Kept, tmp_path: Path) -> None:
    footage = write(kept, tmp_path / "cam")
    first = footage.segments()[0]
    first.path.write_bytes(b"")
    (piece,) = footage.pieces(*whole(footage))
    assert len(list(piece.read())) == 400 - 100
    # A crash between the two steps of a removal leaves video without an index, never the reverse.
    footage.remove(footage.segments()[1])
    (piece,) = footage.pieces(*whole(footage))
    assert len(list(piece.read())) == 400 - 200


def test_a_disk_that_takes_nothing_costs_no_open_files_and_stays_a_problem(
    kept: Kept, tmp_path: Path
) -> None:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 0.1  # each packet comes a tenth of a second later
        return now

    def open_files() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    with small_disk(tmp_path / "disk", megabytes=1) as disk:
        (disk / "cam").mkdir()
        fill(disk)
        before = open_files()
        writer = SegmentWriter(disk / "cam", clock=clock)
        problems = set()
        for stream, packet in kept.items:
            try:
                writer._write(stream, packet)
            except OSError as error:
                writer._failed(error)
            problems.add(writer.problem)
        assert open_files() <= before
        assert problems - {None} == {
            f"No video is kept: the disk of {disk / 'cam'} is full; free some space on it."
        }
        assert list((disk / "cam").iterdir()) == []
        # It is asked ever more seldom: after 1, 2, 4, 8 and 16 s.
        assert writer._failures == 6
        assert sum(writer.dropped.values()) == len(kept.items)
