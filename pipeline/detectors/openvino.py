"""YOLO on OpenVINO: one model, shared by all cameras of a process."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from pipeline.detectors.compiled import Compiled, Compiler
from pipeline.detectors.decode import Candidates, boxes, detections, suppress
from pipeline.detectors.embeddings import pool
from pipeline.detectors.head import candidates
from pipeline.detectors.letterbox import Letterbox
from pipeline.detectors.pool import Answer, Asked
from pipeline.types import Frame, Image, Size

logger = logging.getLogger(__name__)

SHAPES = 8
"""Shapes of the input, at most, for which a compiled model is kept."""


class OpenVinoModel:
    """A detection model in ONNX format or OpenVINO's own; see `pool.Model`.

    It is compiled for the very shape of an input when the first picture of that shape comes, which
    takes a third of a second, half of that where `cache` has it, and 60 to 85 MB (YOLO11n, 640
    pixels, two streams). The models of the SHAPES shapes that were used last are kept; cameras keep
    their shapes, so more are hardly ever in use at once. They would be compiled again at each look,
    which then took nine times as long. One model for all shapes would serve any number of them, but
    makes 8% fewer pictures a second, and keeps memory for each shape that it ever saw.

    OpenVINO's THROUGHPUT hint decides how many pictures are worked on at once, each by few cores:
    two on two cores. With all cores on one picture a single one is answered sooner (1080p, input
    640x384, five looks a second: median 20 instead of 26 ms, 95th percentile 28 instead of 31), but
    at 20 a second the 95th percentile is worse (44 instead of 39 ms), at 40 it is twice as long,
    and changing from one to the other by load was no better than either; so it is not done.

    Arithmetic is float32: bfloat16, which OpenVINO would choose by itself where a CPU has it, moved
    confidences by up to 0.02.

    Each object gets an embedding where the model has features for it; see `embeddings`. The second
    output costs nothing that could be told from noise (0.5% of an inference, the spread being 5%),
    the embeddings of a picture 0.1 to 0.3 ms.

    Args:
        weights: an .onnx or .xml file, with ultralytics' metadata in it or beside it.
        cache: folder for the compiled models, to start sooner the next time.
        device: `auto` or `cpu` for the processor, `gpu`, `gpu.1`, `npu`.
        bfloat16: whether arithmetic is of that precision, for which the processor must have
            instructions.

    Raises:
        WeightsError: the file is no model that OpenVINO can run, or one of an unknown form.
        ConfigError: there is no such device.
    """

    def __init__(
        self,
        weights: Path,
        *,
        cache: Path | None = None,
        device: str = "auto",
        bfloat16: bool = False,
    ) -> None:
        self._compiler = Compiler(weights, cache, device, bfloat16=bfloat16)
        self._exported = self._compiler.exported
        self.labels: Sequence[str] = self._exported.labels
        self.streams = self._compiler.streams
        where = "processor" if device in ("auto", "cpu") else device.upper()
        self.description = f"{weights.stem} on OpenVINO, {where}, {self.streams} streams"
        self._kept: OrderedDict[Size, Compiled] = OrderedDict()
        """By their last use, the latest at the end."""
        self._using = threading.Lock()
        self._compiling = threading.Lock()
        self._released: set[Size] = set()
        self._told = False
        self._canvases = _Canvases()

    def look(self, frame: Frame, asked: Asked) -> Answer:
        """As `pool.Model`."""
        box = self._exported.letterbox(frame.size, asked.size)
        # The whole picture is converted and then scaled by cv2, as ultralytics does: scaled by
        # swscale while converting it is 0.4 ms cheaper at 1080p, but only 93% of the boxes
        # then agree with ultralytics' at input size 640, and 63% at 320.
        picture = self._canvases.filled(box, frame.image())
        compiled = self._latest(box.canvas) or self._compile(box.canvas)
        features, embeddings = self._compiler.features, None
        with compiled.answer(picture) as (request, busy_s):
            found = self._found(request, box.canvas, asked)
            if features is not None and len(found.boxes):
                map_ = request.get_output_tensor(features).data[0]
                embeddings = pool(map_, found.boxes, box.canvas)
        return Answer(detections(found, box, self.labels, embeddings), busy_s)

    def _found(self, request: Any, canvas: Size, asked: Asked) -> Candidates:
        """The objects in a picture of the size `canvas` that a request has looked at."""
        confidence, wanted, every = asked.confidence, asked.wanted, asked.every_label
        if self._compiler.head is None:
            output = request.get_output_tensor(0).data[0]
            form = self._exported.form
            return boxes(output, form, canvas, confidence, wanted, every_label=every)
        ends = self._compiler.ends(request)
        made = candidates(ends, canvas, confidence, wanted, every_label=every)
        return suppress(made)

    def close(self) -> None:
        """Release the model; nobody is looking any more."""
        self._kept.clear()

    def _latest(self, canvas: Size) -> Compiled | None:
        """The model for inputs of a (width, height), if it is kept; it is the one used last now."""
        with self._using:
            if canvas not in self._kept:
                return None
            self._kept.move_to_end(canvas)
            return self._kept[canvas]

    def _compile(self, canvas: Size) -> Compiled:
        """The model for inputs of a (width, height), compiled unless another thread just did."""
        # Apart from `_using`: looks for which there is a model do not wait for a compilation.
        with self._compiling:
            compiled = self._latest(canvas)
            if compiled is None:
                self._make_room(canvas)
                compiled = self._compiler.compiled(canvas)
                with self._using:
                    self._kept[canvas] = compiled
            return compiled

    def _make_room(self, canvas: Size) -> None:
        """Let go of the model that was not used for longest, where SHAPES are kept. A look that is
        at work with it has it to its end: the last reference releases it."""
        with self._using:
            if len(self._kept) == SHAPES:
                released, _ = self._kept.popitem(last=False)
                self._released.add(released)
        if canvas in self._released and not self._told:
            self._told = True
            logger.warning(
                "The detector is compiled again for a shape that it had before, since its cameras "
                "have pictures of more than %d shapes; give them one `detect.size`, or part them "
                "with `groups`.",
                SHAPES,
            )


class _Canvases(threading.local):
    """One thread's own arrays for the model's input, used again for the next picture."""

    def __init__(self) -> None:
        self._box: Letterbox | None = None
        self._canvas: Image | None = None
        self._exchanged: Image | None = None

    def filled(self, box: Letterbox, image: Image) -> Image:
        """A picture as the model wants it, (height, width, 3), red green blue; until the next."""
        import cv2

        if box != self._box:
            self._box, self._canvas, self._exchanged = box, None, None
        self._canvas = box.apply(image, onto=self._canvas)
        # OpenVINO (2026.4) would exchange the colours in the first convolution. Of some models of
        # any input size, an RT-DETR and a YOLO with suppression inside among them, it drops the
        # exchange without a word and finds less; here it takes 0.02 ms at 640x384.
        exchanged = cv2.cvtColor(self._canvas, cv2.COLOR_BGR2RGB, dst=self._exchanged)
        self._exchanged = cast("Image", exchanged)
        return self._exchanged
