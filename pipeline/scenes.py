"""Makes a scene: the pictures of an event, stored, and what goes with them to a describer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

from pipeline.protocols import Media
from pipeline.types import Box, Finding, Frame, Image, Scene, SceneImage, Size, Track, View

MAX_SIDE = 1280
"""Pixels of the longer side of the marked frame."""
CROP_PADDING = 0.4
"""Share of the box's width and height that a crop shows beyond it on each side."""
MIN_CROP_SIDE = 224
"""Pixels; a crop's shorter side is no less, where the frame allows."""

# Okabe and Ito's palette, which people with any colour vision can tell apart, as BGR.
BOX_COLOUR = (0, 94, 213)  # vermilion, for people: orange
ZONE_COLOUR = (233, 180, 86)  # sky blue
_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)


def make_scene(
    event_id: str,
    frame: Frame,
    view: View,
    finding: Finding,
    facts: Sequence[str],
    media: Media,
    *,
    max_crops: int = 3,
    prefix: str = "",
) -> Scene:
    """Store the pictures of a finding under `events/<event id>/` and return its scene.

    The first picture is the whole frame with the boxes of the finding's tracks and the outline
    of its zone, at most MAX_SIDE long; then come padded crops of the `max_crops` largest tracks,
    in the camera's own pixels and without marks. `prefix` begins the pictures'
    names. `frame` is the one `view` was made from.

    Raises:
        StoreError: the pictures cannot be stored.
    """
    image = frame.image()
    zone = view.zones.get(finding.zone) if finding.zone else None
    images = [
        _store(
            media,
            f"events/{event_id}/{prefix}frame.jpg",
            marked(image, finding.tracks, zone.polygon if zone else ()),
            "frame",
            _frame_caption(finding.tracks, zone.name if zone else None),
        )
    ]
    largest = sorted(finding.tracks, key=_area, reverse=True)[:max_crops]
    for number, track in enumerate(largest, start=1):
        x1, y1, x2, y2 = crop_window(track.detection.box, frame.size)
        if x2 > x1 and y2 > y1:
            key = f"events/{event_id}/{prefix}crop-{number}.jpg"
            caption = f"The part of it with the {track.label}, enlarged"
            images.append(_store(media, key, image[y1:y2, x1:x2], "crop", caption))
    return Scene(
        event_id=event_id,
        camera=view.camera,
        images=tuple(images),
        facts=tuple(facts),
        question=finding.question,
    )


def marked(image: Image, tracks: Sequence[Track], polygon: Sequence[tuple[float, float]]) -> Image:
    """A copy of a frame (uint8, height x width x 3, BGR), at most MAX_SIDE long, with the tracks'
    boxes and labels and the zone's outline (in fractions 0..1) drawn in."""
    import cv2
    import numpy as np

    height, width = image.shape[:2]
    scale = min(1.0, MAX_SIDE / max(width, height))
    size = (round(width * scale), round(height * scale))
    picture: Any = (
        cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale < 1 else image.copy()
    )
    thickness = max(2, round(max(size) / 400))
    if polygon:
        points = np.array([(x * size[0], y * size[1]) for x, y in polygon]).round().astype(np.int32)
        # a dark line under the coloured one keeps it visible on any ground
        cv2.polylines(picture, [points], True, _BLACK, thickness + 2, cv2.LINE_AA)
        cv2.polylines(picture, [points], True, ZONE_COLOUR, thickness, cv2.LINE_AA)
    for track in tracks:
        x1, y1, x2, y2 = (round(value * scale) for value in track.detection.box)
        cv2.rectangle(picture, (x1, y1), (x2, y2), _BLACK, thickness + 2)
        cv2.rectangle(picture, (x1, y1), (x2, y2), BOX_COLOUR, thickness)
        _draw_label(picture, track.label, (x1, y1), thickness)
    result: Image = picture
    return result


def crop_window(box: Box, size: Size) -> tuple[int, int, int, int]:
    """The whole-pixel window (x1, y1, x2, y2) of a padded crop inside a frame of `size`.

    It is the box with CROP_PADDING on each side, widened to MIN_CROP_SIDE around its middle and
    pushed inside the frame; empty for a box that lies outside.
    """
    if box.x2 <= 0 or box.y2 <= 0 or box.x1 >= size[0] or box.y1 >= size[1]:
        return (0, 0, 0, 0)
    x1, x2 = _span(box.x1, box.x2, size[0])
    y1, y2 = _span(box.y1, box.y2, size[1])
    return (x1, y1, x2, y2)


def _span(low: float, high: float, limit: int) -> tuple[int, int]:
    length = max((high - low) * (1 + 2 * CROP_PADDING), MIN_CROP_SIDE)
    if length >= limit:
        return (0, limit)
    start = min(max((low + high - length) / 2, 0.0), limit - length)
    return (math.floor(start), min(math.ceil(start + length), limit))


def _area(track: Track) -> float:
    return track.detection.box.width * track.detection.box.height


def _store(
    media: Media, key: str, image: Image, role: Literal["frame", "crop"], caption: str
) -> SceneImage:
    media.put_image(key, image)
    height, width = image.shape[:2]
    return SceneImage(role=role, key=key, width=width, height=height, caption=caption)


def _frame_caption(tracks: Sequence[Track], zone: str | None) -> str:
    caption = "The whole view"
    if tracks:
        labels = ", ".join(dict.fromkeys(track.label for track in tracks))
        caption += f", with an orange box around each {labels} in question"
    if zone is not None:
        caption += f" and {zone} outlined in blue" if tracks else f", with {zone} outlined in blue"
    return caption


def _draw_label(picture: Any, text: str, corner: tuple[int, int], thickness: int) -> None:
    """White on the box's colour above its upper left corner, or inside where there is no room."""
    import cv2

    font, scale = cv2.FONT_HERSHEY_SIMPLEX, thickness / 4
    (width, height), below = cv2.getTextSize(text, font, scale, max(1, thickness // 2))
    x = min(max(corner[0], 0), max(picture.shape[1] - width, 0))
    top = corner[1] - height - below
    y = top if top >= 0 else max(corner[1], 0)
    cv2.rectangle(picture, (x, y), (x + width, y + height + below), BOX_COLOUR, cv2.FILLED)
    at = (x, y + height + below // 2)
    cv2.putText(picture, text, at, font, scale, _WHITE, max(1, thickness // 2), cv2.LINE_AA)
