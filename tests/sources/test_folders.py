"""A folder of films, played as one."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import av
import pytest
from films import make_film, picture

from pipeline.errors import SourceUnreadable
from pipeline.sources import open_source
from pipeline.types import EncodedPacket, EncodedStream


class Packets:
    def __init__(self) -> None:
        self.taken: list[tuple[EncodedStream, EncodedPacket]] = []

    def take(self, stream: EncodedStream, packet: EncodedPacket) -> None:
        self.taken.append((stream, packet))


def three_films(folder: Path) -> None:
    make_film(folder / "film 10.mp4", frames=7)
    make_film(folder / "film 2.mkv", frames=5)
    make_film(folder / "Film 1.ts", frames=6, size=(320, 240))


def test_the_films_of_a_folder_are_one_film_in_natural_order(tmp_path: Path) -> None:
    three_films(tmp_path)
    source = open_source("door", str(tmp_path))
    assert not source.live
    found = list(source.frames())
    assert [frame.index for frame in found] == list(range(18))
    assert [frame.size for frame in found[:6]] == [(320, 240)] * 6
    assert [frame.index for frame in found if frame.discontinuity] == [0, 6, 11]
    assert source.notes == ()


def test_the_time_of_a_folder_goes_on_from_film_to_film(tmp_path: Path) -> None:
    three_films(tmp_path)
    packets = Packets()
    found = list(open_source("door", f"file://{tmp_path}", packets=packets).frames())
    for times in (
        [frame.monotonic for frame in found],
        [frame.captured_at.timestamp() for frame in found],
    ):
        steps = [later - earlier for earlier, later in pairwise(times)]
        assert steps == pytest.approx([0.1] * 17, abs=0.02)
    pts = [frame.pts for frame in found]
    assert pts == sorted(set(pts))
    sent = [packet for _, packet in packets.taken]
    assert [packet.time for packet in sent] == pytest.approx(pts, abs=1e-4)
    apart = [
        (packet.captured_at - frame.captured_at).total_seconds()
        for packet, frame in zip(sent, found, strict=True)
    ]
    assert max(map(abs, apart)) < 0.02
    for stream, packet in packets.taken:
        assert packet.pts is not None
        assert float(packet.pts * stream.time_base) == pytest.approx(packet.time, abs=0.002)


def test_what_is_no_film_among_them_is_left_out_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_film(tmp_path / "b.mp4", frames=5)
    (tmp_path / "a.mp4").write_bytes(b"no film at all " * 100)
    (tmp_path / "c.mp4").write_bytes(b"")
    whole = make_film(tmp_path / "d.ts", frames=5).read_bytes()
    (tmp_path / "notes.txt").write_text("not meant")
    (tmp_path / ".hidden.mp4").write_bytes(whole)
    (tmp_path / "more").mkdir()
    source = open_source("door", str(tmp_path))
    assert len(list(source.frames())) == 10
    (note,) = source.notes
    assert note == (
        f"Camera door: 2 of 4 files in {tmp_path} cannot be read as films: a.mp4, c.mp4."
    )
    told = [record.getMessage() for record in caplog.records]
    assert [sum(name in line for line in told) for name in ("a.mp4", "c.mp4")] == [1, 1]


@pytest.mark.parametrize("content", [None, b"no film at all"])
def test_a_folder_without_a_film_is_told_in_one_sentence(
    tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(SourceUnreadable) as caught:
        open_source("door", str(tmp_path))
    assert str(caught.value) == (
        f"Camera door: there is no film that can be read in the folder {tmp_path}; "
        "name a folder of video files."
    )


def test_a_closed_folder_ends(tmp_path: Path) -> None:
    three_films(tmp_path)
    source = open_source("door", str(tmp_path))
    frames = source.frames()
    first = next(frames)
    assert abs(first.image((160, 120)).astype(int) - picture(0, (160, 120))).mean() < 30
    source.close()
    assert list(frames) == []
    assert list(source.frames()) == []


def test_what_is_dropped_is_counted_over_all_films(tmp_path: Path) -> None:
    damage(make_film(tmp_path / "whole.mp4", frames=30), tmp_path / "a.mkv").unlink()
    make_film(tmp_path / "b.ts", frames=5)
    alone = open_source("door", str(tmp_path / "a.mkv"))
    count = len(list(alone.frames()))
    assert sum(alone.dropped.values()) > 0
    source = open_source("door", str(tmp_path))
    assert len(list(source.frames())) == count + 5
    assert source.dropped == alone.dropped


def damage(film: Path, damaged: Path) -> Path:
    """Copy a film with every fourth of its pictures replaced by noise; gives the film."""
    with av.open(str(film)) as source, av.open(str(damaged), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        for index, packet in enumerate(source.demux(video=0)):
            if packet.dts is None:
                continue
            data = bytes(packet) if index % 4 else bytes(packet)[:5] + b"\xff" * (packet.size - 5)
            copy = av.Packet(data)
            copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
            copy.is_keyframe, copy.stream = packet.is_keyframe, stream
            output.mux(copy)
    return film
