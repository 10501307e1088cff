"""Pictures that are to be turned are upright in all that is made of them, and masked there."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from footage import packets_of, write
from recorder import SECOND, Recorder

from pipeline.clips.cut import cut
from pipeline.sources import SourceOptions, open_source
from pipeline.sources.pictures import DecodedPicture
from pipeline.types import Polygon, Size


def with_orientation(packet: av.Packet, turns: int) -> av.Packet:
    """A packet of H.264 with the message that says how its pictures are to be turned: no flips, so
    many 65,536ths of a circle, until further notice."""
    message = (turns << 14 << 5 | 0b01001).to_bytes(3, "big")
    told = av.Packet(b"\0\0\0\1\x06\x2f\x03" + message + b"\x80" + bytes(packet))
    told.pts, told.dts, told.time_base = packet.pts, packet.dts, packet.time_base
    told.is_keyframe, told.stream = True, packet.stream
    return told


def turned_film(path: Path, turns: int, *, size: Size, codec: str, said: str) -> Path:
    """A film that is to be turned before it is shown, which is said in its container, or in its
    keyframes as a camera on a ceiling does: grey, upright with a white secret at the upper left."""
    upright = np.full((size[1], size[0], 3), 90, np.uint8)
    upright[: size[1] // 4, : size[0] // 4] = 255
    stored = np.ascontiguousarray(np.rot90(upright, -turns))
    with av.open(str(path), "w") as output:
        options = {} if codec == "mpeg4" else {"bf": "0"}
        stream = output.add_stream(codec.removesuffix("-444"), rate=10, options=options)
        stream.width, stream.height = stored.shape[1], stored.shape[0]
        stream.pix_fmt = "yuv444p" if codec.endswith("-444") else "yuv420p"
        stream.gop_size = 15
        if said == "container":
            stream.set_display_rotation(90 * turns)
        for image in [av.VideoFrame.from_ndarray(stored, format="bgr24")] * 50 + [None]:
            for packet in stream.encode(image):
                if said == "keyframes" and packet.is_keyframe:
                    output.mux(with_orientation(packet, turns))
                else:
                    output.mux(packet)
    return path


SECRET: Polygon = ((0.0, 0.0), (0.3, 0.0), (0.3, 0.3), (0.0, 0.3))


def test_pieces_that_are_turned_in_different_ways_are_each_turned_upright(tmp_path: Path) -> None:
    pieces = []
    for turns in (0, 2):
        folder = tmp_path / str(turns)
        folder.mkdir()
        film = turned_film(
            folder / "a.mp4", turns, size=(160, 120), codec="libx264", said="keyframes"
        )
        kept = packets_of(film)
        pieces += write(kept, folder / "video").pieces(kept.begin, kept.begin + 4 * SECOND)
    made = cut(pieces, tmp_path / "clip.mp4")
    assert made is not None
    assert made.transcoded
    with av.open(str(tmp_path / "clip.mp4")) as container:
        for frame in container.decode(video=0):
            assert frame.rotation == 0
            image = frame.to_ndarray(format="bgr24")
            assert image[:25, :35].min() > 200
            assert image[40:, 50:].max() < 150


@pytest.mark.parametrize(
    ("turns", "size", "codec", "said"),
    [
        (2, (160, 120), "libx264", "container"),
        (2, (160, 120), "libx264", "keyframes"),
        (1, (160, 160), "libx264", "container"),
        (3, (120, 160), "mpeg4", "container"),
        (2, (160, 120), "libx264-444", "keyframes"),
    ],
)
def test_what_is_hidden_in_the_upright_picture_is_in_all_that_is_made_of_a_turned_one(
    tmp_path: Path, turns: int, size: Size, codec: str, said: str
) -> None:
    film = turned_film(tmp_path / "film.mp4", turns, size=size, codec=codec, said=said)
    masked = SourceOptions(masks=(SECRET,))
    for frame in open_source("back-door", str(film), options=masked).frames():
        assert (frame.turns, frame.size) == (turns, size)
        assert frame.image().max() < 150
    recorder = Recorder(
        packets_of(film), tmp_path, then=(SECRET,), turns=frame.turns, frame_size=frame.size
    )
    recorder.cutting.encodes = codec != "libx264"
    event = recorder.cut()
    assert event.clip is not None
    assert event.clip.transcoded is (codec != "libx264")
    assert (event.clip.width, event.clip.height) == size
    drawn = recorder.draw(SECRET)
    assert drawn.annotated_clip is not None
    poster = recorder.picture(event.clip.poster)
    with av.open(str(recorder.media.path(drawn.annotated_clip.key))) as container:
        shown = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    annotated = [image[: size[1], : size[0]] for image in shown]
    for image in (poster, *annotated):
        assert image.shape[:2] == (size[1], size[0])
        assert image[:28, :28].max() <= 8
        assert image.max() < 150
        assert image[size[1] // 2 :, size[0] // 2 :].min() > 60
    sheet = recorder.picture(drawn.annotated_clip.contact_sheet)
    assert sheet[:28, :28].max() <= 8
    # The clip itself plays upright, the secret where it was.
    with av.open(str(recorder.media.path(event.clip.key))) as container:
        for picture in map(DecodedPicture, container.decode(video=0)):
            assert picture.size == size
            assert picture.bgr(size)[:25, :25].min() > 200
    assert recorder.cutting.hiding.problem is None
