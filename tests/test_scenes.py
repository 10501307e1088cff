from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import handmade
import numpy as np
import pytest

from pipeline.errors import StoreError
from pipeline.media import LocalMedia
from pipeline.scenes import (
    BOX_COLOUR,
    MAX_SIDE,
    MIN_CROP_SIDE,
    ZONE_COLOUR,
    crop_window,
    make_scene,
    marked,
)
from pipeline.types import Box, Finding, Image, Scene, Track, Zone

YARD = Zone("yard", "the yard", ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)))


def picture(width: int, height: int) -> Image:
    """Grey, with every pixel's place in its brightness, smooth enough for JPEG."""
    rows, columns = np.mgrid[0:height, 0:width]
    grey = 60 + 60 * columns / width + 60 * rows / height
    return np.repeat(grey[:, :, None], 3, axis=2).astype(np.uint8)


def boxed(number: int, *box: float, label: str = "person") -> Track:
    track = handmade.track(number, 0, 0, at=1.0, label=label)
    return replace(track, detection=replace(track.detection, box=Box(*box)))


@pytest.fixture
def pictures(tmp_path: Path) -> LocalMedia:
    return LocalMedia(tmp_path)


def scene_of(
    pictures: LocalMedia, image: Image, *tracks: Track, zone: str | None = None, **settings
) -> Scene:
    frame = handmade.frame(1.0, image)
    view = replace(handmade.view(1.0, tracks, {"yard": YARD}), size=frame.size)
    finding = Finding("visit", tracks, zone, 0.0, "Somebody is there.", 0.5, {}, "Is it so?")
    return make_scene("e1", frame, view, finding, ["A fact."], pictures, **settings)


def stored(pictures: LocalMedia, key: str) -> Image:
    return cv2.imdecode(np.frombuffer(pictures.get(key), np.uint8), cv2.IMREAD_COLOR)


def near(image: Image, x: int, y: int, colour: tuple[int, int, int], reach: int = 4) -> bool:
    """Whether a colour is found around a pixel, as far as JPEG keeps it."""
    patch = image[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
    return bool((np.abs(patch.astype(int) - colour).max(axis=2) < 60).any())


def test_a_scene_holds_the_frame_then_a_crop_of_each_track(pictures):
    tracks = (boxed(1, 100, 100, 180, 300), boxed(2, 400, 100, 600, 400, label="car"))
    scene = scene_of(pictures, picture(768, 576), *tracks)
    assert [image.key for image in scene.images] == [
        "events/e1/frame.jpg",
        "events/e1/crop-1.jpg",
        "events/e1/crop-2.jpg",
    ]
    assert [image.role for image in scene.images] == ["frame", "crop", "crop"]
    assert "car" in scene.images[1].caption  # the largest comes first
    assert "person" in scene.images[2].caption
    assert (scene.event_id, scene.camera) == ("e1", "back-door")
    assert (scene.facts, scene.question) == (("A fact.",), "Is it so?")


def test_stored_pictures_have_the_size_that_is_told(pictures):
    scene = scene_of(pictures, picture(1920, 1080), boxed(1, 900, 300, 1000, 700))
    for image in scene.images:
        height, width = stored(pictures, image.key).shape[:2]
        assert (width, height) == (image.width, image.height)
    assert (scene.images[0].width, scene.images[0].height) == (MAX_SIDE, 720)


def test_boxes_and_zone_are_drawn_on_the_frame_where_they_are(pictures):
    scene = scene_of(pictures, picture(1920, 1080), boxed(1, 600, 480, 840, 900), zone="yard")
    image = stored(pictures, scene.images[0].key)
    scale = MAX_SIDE / 1920
    for x, y in ((600, 700), (840, 700), (720, 900)):
        assert near(image, round(x * scale), round(y * scale), BOX_COLOUR)
    for x, y in ((0.1, 0.3), (0.9, 0.6), (0.5, 0.9), (0.3, 0.1)):
        assert near(image, round(x * MAX_SIDE), round(y * 720), ZONE_COLOUR)
    assert not near(image, round(720 * scale), round(700 * scale), BOX_COLOUR)
    assert "the yard outlined in blue" in scene.images[0].caption


def test_a_label_is_drawn_inside_where_there_is_no_room_above():
    image = marked(picture(640, 480), [boxed(1, 200, 0, 300, 200)], ())
    assert near(image, 205, 8, BOX_COLOUR)


def test_another_zone_of_the_camera_is_not_drawn(pictures):
    scene = scene_of(pictures, picture(768, 576), boxed(1, 300, 200, 360, 400))
    image = stored(pictures, scene.images[0].key)
    assert not near(image, 77, 300, ZONE_COLOUR)
    assert "outlined" not in scene.images[0].caption


def test_crops_have_the_cameras_own_pixels_and_no_marks(pictures):
    whole = picture(1920, 1080)
    box = Box(900, 300, 1100, 700)
    scene = scene_of(pictures, whole, boxed(1, *box), zone="yard")
    x1, y1, x2, y2 = crop_window(box, (1920, 1080))
    crop = stored(pictures, scene.images[1].key).astype(int)
    assert np.abs(crop - whole[y1:y2, x1:x2]).max() < 12


def test_the_frame_is_left_as_it_was():
    whole = picture(640, 480)
    before = whole.copy()
    marked(whole, [boxed(1, 100, 100, 200, 200)], YARD.polygon)
    assert (whole == before).all()


def test_no_more_crops_than_asked_for(pictures):
    tracks = [boxed(n, 100 * n, 100, 100 * n + 50, 200) for n in range(1, 6)]
    assert len(scene_of(pictures, picture(768, 576), *tracks, max_crops=2).images) == 3


def test_a_scene_without_tracks_has_the_frame_alone(pictures):
    scene = scene_of(pictures, picture(768, 576))
    assert [image.caption for image in scene.images] == ["The whole view"]


def test_a_track_outside_the_frame_has_no_crop(pictures):
    scene = scene_of(pictures, picture(768, 576), boxed(1, 800, 100, 900, 200))
    assert len(scene.images) == 1


@pytest.mark.parametrize(
    ("box", "window"),
    [
        # 40% of 200x400 on each side
        (Box(800, 300, 1000, 700), (720, 140, 1080, 860)),
        # small ones widen to 224 around their middle
        (Box(800, 300, 820, 340), (698, 208, 922, 432)),
        # and are pushed inside at edges
        (Box(0, 0, 20, 40), (0, 0, 224, 224)),
        (Box(1910, 1070, 1930, 1090), (1696, 856, 1920, 1080)),
        # no larger than the frame
        (Box(-50, -50, 2000, 1200), (0, 0, 1920, 1080)),
        (Box(0, 400, 1920, 500), (0, 338, 1920, 562)),
        # outside
        (Box(2000, 0, 2100, 100), (0, 0, 0, 0)),
        (Box(0, -100, 100, 0), (0, 0, 0, 0)),
    ],
)
def test_crop_windows(box, window):
    assert crop_window(box, (1920, 1080)) == window


def test_a_frame_smaller_than_a_crop_is_shown_whole():
    assert crop_window(Box(10, 10, 20, 20), (MIN_CROP_SIDE - 24, 160)) == (0, 0, 200, 160)


def test_a_store_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot be stored"):
        scene_of(LocalMedia(tmp_path / "file"), picture(768, 576))
