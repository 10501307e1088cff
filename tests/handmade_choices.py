"""Choices of `vigil optimize` made by hand."""

from __future__ import annotations

from datetime import UTC, datetime

from pipeline.choices import Asked, Chosen, Figures, Host
from pipeline.config import Camera

MADE = datetime(2026, 11, 1, tzinfo=UTC)
HOST = Host(processor="A processor", cores=2, openvino="2026.4.1")
MODEL = "ab" * 32


def camera(source: str = "rtsp://192.0.2.1/", **detect: object) -> Camera:
    detect = {"labels": ["person", "dog"], **detect}
    rules = {"any": {"type": "zone", "labels": detect["labels"]}}
    keys = {"source": source, "detect": detect, "rules": rules}
    return Camera.model_validate(keys)


def chosen(key: str = "door", of: Camera | None = None, **changes: object) -> Chosen:
    figures = Figures(
        detections=300,
        lost=1,
        extra=2,
        speedup=2.1,
        pictures_per_s=90,
        float_pictures_per_s=43,
    )
    made = Chosen(
        camera=key,
        asked=Asked.by(of or camera()),
        host=HOST,
        model=MODEL,
        arithmetic="int8",
        file="int8-a-b.xml",
        size=512,
        figures=figures,
        made=MADE,
    )
    return made.model_copy(update=changes)
