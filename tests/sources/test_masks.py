"""Whoever reads a source's frames sees black where its camera's masks are."""

from __future__ import annotations

import threading
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from films import make_film, picture
from footage import Kept, packets_of

from pipeline.errors import SourceStalled
from pipeline.masking import Masks
from pipeline.sources import Clock, Reconnecting, SourceOptions, check, open_source, probe
from pipeline.sources.masked import MaskedSource
from pipeline.sources.pictures import DecodedPicture, MaskedPicture
from pipeline.sources.webcam import WebcamSource
from pipeline.types import Polygon, Size

RIGHT: Polygon = ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))
TOP: Polygon = ((0.0, 0.0), (1.0, 0.0), (1.0, 0.25), (0.0, 0.25))
ASLANT: Polygon = ((0.21, 0.33), (0.72, 0.18), (0.81, 0.77), (0.4, 0.9))
SIZES = [(640, 360), (320, 180), (416, 234), (214, 121), (1280, 720)]


def lit(size: Size, polygon: Polygon) -> av.VideoFrame:
    """A picture that is black but for a polygon, in which it is as bright and as red as can be."""
    width, height = size
    inside = np.zeros((height, width), np.uint8)
    corners = np.round(np.array(polygon) * size - 0.5).astype(np.int32)
    cv2.fillPoly(inside, [corners], 1)
    blocks = inside.reshape(height // 2, 2, width // 2, 2).any((1, 3))
    planes = [np.where(inside, 235, 16), np.where(blocks, 90, 128), np.where(blocks, 240, 128)]
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, values in zip(frame.planes, planes, strict=True):
        padded = np.zeros((plane.height, plane.line_size), np.uint8)
        padded[:, : plane.width] = values
        plane.update(padded)
    return frame


@pytest.mark.parametrize("original", [(640, 360), (1920, 1080)])
@pytest.mark.parametrize("polygon", [RIGHT, TOP, ASLANT])
def test_nothing_of_what_is_hidden_is_carried_out_of_it_in_any_size(
    original: Size, polygon: Polygon
) -> None:
    decoded = DecodedPicture(lit(original, polygon))
    masked = MaskedPicture(decoded, original, Masks([polygon]))
    for size in SIZES:
        assert decoded.bgr(size).max() > 200
        assert masked.bgr(size).max() <= 2, size


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A white square that moves to the right, on grey."""
    return make_film(tmp_path_factory.mktemp("film") / "film.mp4", frames=30)


def assert_right_half_is_black(image: np.ndarray) -> None:
    middle = image.shape[1] // 2
    assert image[:, middle:].max() == 0
    assert image[:, : middle - 8].min() > 40


def test_each_frame_of_a_film_is_black_where_the_mask_is_and_as_ever_elsewhere(film: Path) -> None:
    plain = list(open_source("door", str(film)).frames())
    masked = list(open_source("door", str(film), options=SourceOptions(masks=(RIGHT,))).frames())
    assert [frame.pts for frame in masked] == [frame.pts for frame in plain]
    for one, other in zip(masked, plain, strict=True):
        for size in (None, (80, 60), (107, 80)):
            image = one.image(size)
            assert not image.flags.writeable
            assert_right_half_is_black(image)
            left = image.shape[1] // 2 - 8
            assert np.array_equal(image[:, :left], other.image(size)[:, :left])


def test_what_was_sent_is_kept_as_it_was_sent(film: Path) -> None:
    kept = Kept()
    for _ in open_source(
        "door", str(film), options=SourceOptions(masks=(RIGHT,)), packets=kept
    ).frames():
        pass
    assert [packet.data for packet in kept.packets] == [p.data for p in packets_of(film).packets]


def test_a_mask_lies_where_it_was_drawn_in_a_film_that_is_turned(
    film: Path, tmp_path: Path
) -> None:
    turned = tmp_path / "turned.mp4"
    with av.open(str(film)) as source, av.open(str(turned), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(90)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    frame = next(open_source("door", str(turned), options=SourceOptions(masks=(TOP,))).frames())
    assert frame.size == (120, 160)
    image = frame.image()
    assert image[:40].max() == 0
    assert image[48:].min() > 40


def test_whoever_opens_a_camera_gets_masked_frames(film: Path) -> None:
    options = SourceOptions(masks=(RIGHT,))
    assert_right_half_is_black(probe("door", str(film), options=options).frame.image())
    looked = check("door", str(film), options=options).probe
    assert looked is not None
    assert_right_half_is_black(looked.frame.image())
    kept_open = Reconnecting(
        "door",
        str(film),
        stop=threading.Event(),
        on_state=lambda state, message: None,
        options=options,
    )
    assert_right_half_is_black(next(iter(kept_open.frames())).image())
    kept_open.close()


def test_a_masked_source_is_closed_and_counts_as_the_source_does(film: Path) -> None:
    source = open_source("door", str(film), options=SourceOptions(masks=(RIGHT,)))
    assert (source.live, source.codec, source.rate) == (False, "h264", 10)
    frames = source.frames()
    next(frames)
    source.close()
    assert list(frames) == []
    assert dict(source.dropped) == {}


def test_what_a_webcam_films_behind_a_mask_is_not_even_stored(tmp_path: Path) -> None:
    film = make_film(tmp_path / "a.avi", frames=9, codec="mpeg4", size=(320, 240))
    masks, kept = Masks([RIGHT]), Kept()
    capture = cv2.VideoCapture(str(film))
    webcam = WebcamSource("desk", "webcam:0", capture, Clock(), kept, masks)
    frames = []
    with pytest.raises(SourceStalled):
        frames.extend(MaskedSource(webcam, masks).frames())
    assert len(frames) == len(kept.packets) == 9
    for frame in frames:
        assert_right_half_is_black(frame.image())
    assert (
        np.abs(frames[3].image()[:, :150].astype(int) - picture(3, (320, 240))[:, :150]).mean() < 6
    )
    assert_right_half_is_dark(kept)


def assert_right_half_is_dark(kept: Kept) -> None:
    from pipeline.encoded import opened

    stream, _ = kept.items[0]
    with opened(stream) as video:
        decoded = [
            image
            for packet in kept.packets
            for image in video.codec_context.decode(av.Packet(packet.data))
        ]
    assert decoded
    for image in decoded:
        shown = image.to_ndarray(format="bgr24")
        assert shown[:, 160:].max() <= 12
        assert shown[:, :148].min() > 40
