"""The contestant `pipeline`: a film's frames decoded, detected, tracked and ruled by the product's
own analysis, and where the processors' time goes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from pipeline.bench.contestants import Work, serve
from pipeline.config import Config
from pipeline.detectors import load_detector
from pipeline.sources import SourceOptions, open_source
from pipeline.types import Frame, Image, Luma, Picture, Size
from pipeline.workers.analysis import Analysis, looks

_DECODER_THREADS = "av:"
"""How FFmpeg names the threads of its decoders."""
_TICKS_S = 0.01
"""The unit of the processor times in /proc, on every Linux that is in use."""


class WatchedPicture:
    """A picture that appends to `spent_s` the processor seconds that each of its conversions costs
    the thread that wants it."""

    def __init__(self, picture: Picture, spent_s: list[float]) -> None:
        self._picture = picture
        self._spent_s = spent_s

    def fingerprint(self) -> int:
        """As `types.Picture`."""
        return self._picture.fingerprint()

    def bgr(self, size: Size) -> Image:
        """As `types.Picture`."""
        began = time.thread_time()
        image = self._picture.bgr(size)
        self._spent_s.append(time.thread_time() - began)
        return image

    def luma(self, size: Size) -> Luma:
        """As `types.Picture`."""
        return self._picture.luma(size)


class Piped:
    """Frames of a film through one camera's analysis, as many under way as are worth it."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        config = Config.model_validate_json(job["config"])
        key = job["camera"]
        camera = config.cameras[key]
        self._shared = load_detector(config.detector)
        self._analysis = Analysis(config, key, self._shared.for_camera(key, camera))
        options = SourceOptions.of(camera)
        self._source = open_source(key, camera.address(), options=options)
        self._decode_cpu_s = 0.0
        # Seconds, not pictures: a decoder uses the memory of pictures again that nobody holds.
        self._conversions_s: list[float] = []
        self._frames = self._decoded()
        self.work(job["warm_up"])
        self.facts = {"detector": self._shared.description, "under_way": self._analysis.depth}

    def work(self, asked: Any) -> tuple[int, Mapping[str, float]]:
        """Look at the next `asked` frames; `parts` are how many of them were detected on, and the
        processors' seconds of decoding, conversion, tracking and rules."""
        self._decode_cpu_s = 0.0
        self._conversions_s.clear()
        decoders, began = _decoders_cpu_s(), time.thread_time()
        wall: dict[str, float] = {"track": 0.0, "rules": 0.0}
        frames = detected = 0
        # Each turn ends with nothing under way, so that none works for another.
        for look in looks(self._analysis, islice(self._frames, int(asked))):
            frames += 1
            detected += look.detections is not None
            for stage in wall:
                wall[stage] += look.spent[stage]
        analysis_s = time.thread_time() - began - self._decode_cpu_s
        decode_s = self._decode_cpu_s + _decoders_cpu_s() - decoders
        # Tracking and rules are nearly all that this thread does besides decoding.
        share = analysis_s / max(sum(wall.values()), 1e-9)
        return frames, {
            "detected": detected,
            "decode": decode_s,
            "convert": sum(self._conversions_s),
            **{stage: seconds * min(share, 1.0) for stage, seconds in wall.items()},
        }

    def _decoded(self) -> Iterator[Frame]:
        frames = self._source.frames()
        while True:
            began = time.thread_time()
            frame = next(frames, None)
            self._decode_cpu_s += time.thread_time() - began
            if frame is None:
                return
            yield replace(frame, picture=WatchedPicture(frame.picture, self._conversions_s))


def _decoders_cpu_s() -> float:
    """Processor seconds of FFmpeg's own threads; those of the calling thread are not among them."""
    ticks = 0
    for task in Path("/proc/self/task").iterdir():
        try:
            if (task / "comm").read_text().startswith(_DECODER_THREADS):
                fields = (task / "stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        except OSError:
            continue
    return ticks * _TICKS_S


def start(job: Any) -> Work:
    return Piped(job)


if __name__ == "__main__":
    serve(start)
