"""`vigil optimize`: which way of looking is fastest for each camera, without finding less."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.bench.agreement import agreement, enough
from pipeline.bench.contest import (
    HOPELESS,
    Candidate,
    Entrant,
    Entry,
    Verdict,
    asked_for,
    judge,
    race,
)
from pipeline.bench.gather import Progress, gather
from pipeline.bench.samples import Pictures, divided, spread
from pipeline.choices import (
    Arithmetic,
    Asked,
    Choices,
    Chosen,
    Figures,
    Host,
    changing,
    checksum,
)
from pipeline.config import Camera, Config, DetectorSection
from pipeline.detectors.choice import Machine
from pipeline.detectors.choice import choose as choose_backend
from pipeline.detectors.letterbox import STRIDE
from pipeline.detectors.models import find_model
from pipeline.detectors.optimized import PLAIN, load_variant
from pipeline.detectors.pool import PooledDetector
from pipeline.detectors.quantize import (
    has_bfloat16,
    quantize,
    require_nncf,
    takes_any_size,
)
from pipeline.errors import ConfigError, SourceError, StoreError
from pipeline.types import Frame

SMALLER = (0.8, 0.65, 0.5)
"""Inputs that are tried, as shares of the camera's own."""
SMALLEST = 64
FEWEST = 8
"""From fewer pictures nothing can be made."""
SURELY = 2.5
"""So many times the detections without which nothing can be known are looked for, since some of
them will be lost."""
MOST_MEMORY = 2e9
"""Bytes that all pictures together take at most, and no more than a quarter of what there is."""
TIMED = 16
"""Different pictures that candidates are timed on."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a camera: on how many pictures, the `verdicts`, and what was `chosen`, None
    where float at the camera's own size stays; or else the `problem`, for people."""

    camera: str
    calibration: int = 0
    compared: int = 0
    verdicts: Sequence[Verdict] = ()
    chosen: Chosen | None = None
    problem: str | None = None


class Optimizer:
    """Measures cameras, and keeps what is best for each in a folder of models.

    Args:
        folder: that of models.
        loss: the share of the float model's detections that may be lost, and that may be extra.
        pictures: of each camera, half of them to calibrate with, half to compare on; more are
            compared on where little is in them.
    """

    def __init__(
        self, config: Config, folder: Path, *, loss: float, pictures: int, progress: Progress
    ) -> None:
        self._config, self._folder = config, folder
        self._loss, self._pictures, self._progress = loss, pictures, progress

    def run(self, keys: Sequence[str]) -> Iterator[Outcome]:
        """The outcome of each camera, as soon as it is known and kept. One INT8 model is made of
        the pictures of all of them, so that cameras of one process share it.

        Raises:
            ConfigError: the detector is none that this is for, or NNCF is not installed.
            WeightsError: the model is missing, or cannot be quantized.
            StoreError: the folder cannot be written.
            DetectorError: the detector fails.
        """
        model = model_of(self._config.detector, self._folder)
        require_nncf()
        with ExitStack() as stack:
            plain = stack.enter_context(_pooled(model, self._folder, PLAIN))
            taken: dict[str, Pictures] = {}
            for key in keys:
                try:
                    taken[key] = self._take(key, plain, memory() / len(keys))
                except SourceError as error:
                    yield Outcome(key, problem=str(error))
                    continue
                had = len(taken[key].calibration) + len(taken[key].compared)
                if had < FEWEST:
                    del taken[key]
                    yield Outcome(key, problem=f"Camera {key}: {_too_few(had)}")
            if not taken:
                return
            work = stack.enter_context(tempfile.TemporaryDirectory(prefix="vigil-optimize-"))
            int8 = self._quantized(model, taken, Path(work))
            for key, pictures in taken.items():
                yield self._compared(key, model, int8, pictures)

    def _take(self, key: str, plain: PooledDetector, most_bytes: float) -> Pictures:
        camera = self._config.cameras[key]
        needed = round(SURELY * enough(self._loss))
        with closing(plain.for_camera(key, camera)) as view:
            samples = gather(
                self._config,
                key,
                view.submit,
                wanted=self._pictures,
                detections=2 * needed,
                most_bytes=most_bytes,
                progress=self._progress,
            )
        return divided(samples, self._pictures, needed)

    def _quantized(self, model: Path, taken: Mapping[str, Pictures], work: Path) -> Path:
        calibration = [
            (sample.frame, self._config.cameras[key].detect.size)
            for key, pictures in taken.items()
            for sample in pictures.calibration
        ]
        self._progress(f"Making a model with 8-bit integers, by {len(calibration)} pictures...")
        return quantize(model, calibration, work, of=checksum(model))

    def _compared(self, key: str, model: Path, int8: Path, pictures: Pictures) -> Outcome:
        camera = self._config.cameras[key]
        frames = [sample.frame for sample in pictures.compared]
        self._progress(f"Camera {key}: comparing on {len(frames)} other pictures...")
        with ExitStack() as stack:

            def enter(candidate: Candidate) -> Entrant:
                variants = {"float32": PLAIN, "bfloat16": "bfloat16", "int8": int8.name}
                variant = variants[candidate.arithmetic]
                pool = stack.enter_context(_pooled(model, int8.parent, variant))
                return Entrant(candidate, pool, asked_for(pool, camera, candidate.size))

            verdicts = judge(self._entries(camera, model, frames, enter), self._loss)
        (winner,) = (verdict.entry for verdict in verdicts if verdict.won)
        chosen = None
        if winner is not verdicts[0].entry:
            file = int8.name if winner.candidate.arithmetic == "int8" else None
            chosen = _chosen(key, camera, checksum(model), winner, verdicts[0].entry, file)
        with changing(self._folder):
            if chosen is not None and chosen.file is not None:
                _keep(int8, self._folder)
            choices = Choices.read(self._folder).without({(key, Asked.by(camera).source)})
            choices.having([] if chosen is None else [chosen]).write(self._folder)
        return Outcome(key, len(pictures.calibration), len(frames), verdicts, chosen)

    def _entries(
        self,
        camera: Camera,
        model: Path,
        frames: Sequence[Frame],
        enter: Callable[[Candidate], Entrant],
    ) -> list[Entry]:
        """The candidates, the reference first, with what was counted and timed of them."""
        confidence = camera.detect.confidence
        reference = enter(Candidate("float32", camera.detect.size))
        found = reference.look(frames)
        entrants, counted = [reference], [agreement(found, found, confidence)]
        for size in sizes(camera.detect.size) if takes_any_size(model) else [camera.detect.size]:
            for arithmetic in arithmetics():
                candidate = Candidate(arithmetic, size)
                if candidate == reference.candidate:
                    continue
                entrant = enter(candidate)
                agreed = agreement(found, entrant.look(frames), confidence)
                entrants.append(entrant)
                counted.append(agreed)
                if arithmetic == "float32" and agreed[""].lost_share > HOPELESS * self._loss:
                    break
        speeds = race(entrants, spread(frames, TIMED))
        return [
            Entry(entrant.candidate, labels, speed)
            for entrant, labels, speed in zip(entrants, counted, speeds, strict=True)
        ]


def model_of(settings: DetectorSection, folder: Path) -> Path:
    """The configured model, if models can be made of it for the processor.

    Raises:
        ConfigError: another backend or device runs it.
        WeightsError: it cannot be had.
    """
    remedy = "there is nothing to optimize then; set `backend: openvino` and `device: cpu` for it"
    if settings.backend not in ("auto", "openvino"):
        raise ConfigError(f"detector.backend: {settings.backend} runs the model; {remedy}.")
    if settings.device not in ("auto", "cpu"):
        raise ConfigError(f"detector.device: {settings.device} runs the model; {remedy}.")
    model = find_model(settings, folder)
    if settings.backend == "auto":
        choice = choose_backend(settings, model, Machine.here())
        if choice.backend != "openvino":
            raise ConfigError(
                f"detector.backend: {choice.backend} runs the model, chosen because "
                f"{choice.reason}; {remedy}."
            )
    return model


def sizes(size: int) -> list[int]:
    """The inputs that are tried of a camera whose own has this longer side, in pixels."""
    smaller = {round(size * share / STRIDE) * STRIDE for share in SMALLER}
    return [size, *sorted((s for s in smaller if SMALLEST <= s < size), reverse=True)]


def arithmetics() -> list[Arithmetic]:
    """Those that are tried: bfloat16 where the processor has instructions for it."""
    return ["float32", "bfloat16", "int8"] if has_bfloat16() else ["float32", "int8"]


def memory() -> float:
    """Bytes that all pictures together may take."""
    return min(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 4, MOST_MEMORY)


@contextmanager
def _pooled(model: Path, folder: Path, variant: str) -> Iterator[PooledDetector]:
    with closing(PooledDetector(load_variant(model, folder, variant))) as pool:
        yield pool


def _keep(int8: Path, folder: Path) -> None:
    """Copy a model and its weights to where they are looked for; the .xml is there last."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for suffix in (".bin", ".xml"):
            draft = folder / f".{int8.stem}{suffix}"
            try:
                shutil.copyfile(int8.with_suffix(suffix), draft)
                draft.replace(folder / f"{int8.stem}{suffix}")
            finally:
                draft.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"The model with 8-bit integers cannot be kept in {folder} ({error.strerror}); free "
            "some space there or make it writable."
        ) from error


def _chosen(
    key: str, camera: Camera, model: str, winner: Entry, reference: Entry, file: str | None
) -> Chosen:
    figures = Figures(
        detections=winner.all.reference,
        lost=winner.all.lost,
        extra=winner.all.extra,
        speedup=round(winner.speed.speedup, 3),
        pictures_per_s=round(winner.speed.pictures_per_s, 2),
        float_pictures_per_s=round(reference.speed.pictures_per_s, 2),
    )
    return Chosen(
        camera=key,
        asked=Asked.by(camera),
        host=Host.here(),
        model=model,
        arithmetic=winner.candidate.arithmetic,
        file=file,
        size=winner.candidate.size,
        figures=figures,
        made=datetime.now(UTC),
    )


def _too_few(had: int) -> str:
    few = "no picture" if had == 0 else f"only {had} pictures"
    return (
        f"{few} could be had of it, and {FEWEST} are needed; try again when it has been recorded."
    )
