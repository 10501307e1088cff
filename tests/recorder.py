"""The recording of one event whose clip is cut and drawn, for tests of masks."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from footage import Kept, write
from happenings import created, footage
from running import until

from pipeline import Event
from pipeline.amendment import EventEnded
from pipeline.config import Config
from pipeline.configfile import validate
from pipeline.media import LocalMedia
from pipeline.store import Store
from pipeline.types import Polygon
from pipeline.workers.cutting import Cutting
from pipeline.workers.drawing import Drawing
from pipeline.workers.hiding import Hiding

SECOND = timedelta(seconds=1)


def config_of(folder: Path, *masks: Polygon) -> Config:
    camera = {"source": "film.mp4", "masks": [list(map(list, polygon)) for polygon in masks]}
    return validate(
        {"data": str(folder / "data"), "cameras": {"back-door": camera}},
        where="test",
        folder=folder,
    )


class Recorder:
    """The recording of an event that was found with one set of masks, and is cut with another."""

    def __init__(
        self,
        kept: Kept,
        folder: Path,
        *,
        then: tuple[Polygon, ...] = (),
        now: tuple[Polygon, ...] = (),
        turns: int = 0,
        annotated: bool = False,
        **event: Any,
    ) -> None:
        self.folder = folder
        write(kept, folder / "video" / "back-door")
        self.store = Store.open(folder / "data")
        self.media = LocalMedia(folder / "data" / "media")
        (folder / "work").mkdir()
        self.started = kept.begin + 2 * SECOND
        wanted = footage(
            begin=kept.begin,
            found=self.started,
            post_roll_s=1.0,
            annotated=annotated,
            masks=then,
            turns=turns,
        )
        values = {"started": self.started, "footage": wanted, "frame_size": (160, 120)} | event
        self.store.amend("e1", created(**values), now=self.started)
        self.cutting = Cutting(
            self.store,
            self.media,
            folder / "video",
            folder / "work",
            "test",
            hiding=Hiding({"back-door": now}),
        )

    def cut(self, *, ended: bool = True) -> Event:
        if ended:
            over = EventEnded(ended=self.started + SECOND, reason="quiet")
            self.store.amend("e1", over, now=self.started)
        assert self.cutting.step(self.started, 0.0, last=True)
        return self.event()

    def draw(self, *masks: Polygon) -> Event:
        """Have the annotated clip drawn where the configuration has these masks."""
        drawing = Drawing(
            config_of(self.folder, *masks),
            self.store,
            self.media,
            self.folder / "work",
            "test",
            Hiding({"back-door": masks}),
        )
        drawing.start()
        try:
            return until(lambda: (event := self.event()).annotated_clip and event)
        finally:
            drawing.stop(10)

    def event(self) -> Event:
        event = self.store.event("e1")
        assert event is not None
        return event

    def picture(self, key: str | None) -> np.ndarray:
        """A stored picture, or the first one of a clip."""
        assert key is not None
        path = self.media.path(key)
        if path.suffix == ".jpg":
            return cv2.imread(str(path))
        with av.open(str(path)) as container:
            return next(container.decode(video=0)).to_ndarray(format="bgr24")
