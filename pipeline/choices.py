"""What `vigil optimize` found to be best for each camera on this machine, kept beside its models.

Something measured holds for what it was measured on: the processor, OpenVINO's version, the model,
and the camera's source, labels, confidence and input size. Where one of these has changed, the
choice is not used, and `Chosen.stale` says which.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, ValidationError

from pipeline.config import Camera
from pipeline.errors import StoreError
from pipeline.event import Wire

FILE = "choices.json"
LOCK = ".choices.lock"
INT8 = "int8-"
"""How the names of models with 8-bit integers begin, in the folder of models."""

Arithmetic = Literal["float32", "bfloat16", "int8"]
NAMES: Mapping[Arithmetic, str] = {"float32": "float", "bfloat16": "bfloat16", "int8": "INT8"}
"""What people read."""


class Host(Wire):
    """What a measurement was made on; `cores` are those that this process may use."""

    processor: str
    cores: int
    openvino: str

    @classmethod
    def here(cls) -> Self:
        return cls(
            processor=_processor(),
            cores=len(os.sched_getaffinity(0)),
            openvino=_installed("openvino"),
        )


class Asked(Wire):
    """What a camera's detector is asked for; `source` is a checksum of the camera's address."""

    source: str
    size: int
    confidence: float
    labels: tuple[str, ...]

    @classmethod
    def by(cls, camera: Camera) -> Self:
        return cls(
            source=hashlib.sha256(camera.shown().encode()).hexdigest()[:16],
            size=camera.detect.size,
            confidence=camera.detect.confidence,
            labels=tuple(sorted(camera.labels())),
        )


class Figures(Wire):
    """What was measured of the choice, and of the float model at the camera's own size."""

    detections: int
    """Of the float model, in the pictures that were compared."""
    lost: int
    extra: int
    speedup: float
    """How many times less processor time a picture takes."""
    pictures_per_s: float
    float_pictures_per_s: float


class Chosen(Wire):
    """What one camera's pictures are looked at with.

    `model` is the SHA-256 of the configured model, `file` the name of the model with 8-bit
    integers that was made of it, `size` the longer side of the input in pixels.
    """

    camera: str
    asked: Asked
    host: Host
    model: str
    arithmetic: Arithmetic
    file: Annotated[str, Field(pattern=rf"^{INT8}[0-9A-Za-z-]+\.xml$")] | None
    size: Annotated[int, Field(ge=32, le=1920, multiple_of=32)]
    figures: Figures
    made: AwareDatetime

    def stale(self, camera: Camera, model: str, host: Host) -> str | None:
        """What has changed since, for people; None if nothing has."""
        now = Asked.by(camera)
        if self.model != model:
            return "it was made of another model"
        if self.host != host:
            return _difference(self.host, host)
        if self.asked.source != now.source:
            return "it was made for another `source`"
        if self.asked.size != now.size:
            return f"it was made for `detect.size: {self.asked.size}`"
        if self.asked.labels != now.labels:
            return "it was made for the labels " + ", ".join(self.asked.labels)
        if self.asked.confidence != now.confidence:
            return f"it was made for `detect.confidence: {self.asked.confidence:g}`"
        return None

    @property
    def variant(self) -> str:
        """Which variant of the model it is: a file, `bfloat16`, or nothing for the model itself."""
        if self.arithmetic == "float32":
            return ""
        return self.file or self.arithmetic

    @property
    def name(self) -> str:
        """The arithmetic, as people call it."""
        return NAMES[self.arithmetic]

    @property
    def sentence(self) -> str:
        """For people: "INT8 at 640 pixels, 2.1 times as fast"."""
        return f"{self.name} at {self.size} pixels, {self.figures.speedup:.1f} times as fast"


class Choices(Wire):
    """The choices of a folder of models; two installations may both have a camera `door`."""

    format: Literal[1] = 1
    choices: tuple[Chosen, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Those of a folder; none where there are none, or what is there cannot be read."""
        try:
            return cls.model_validate_json((folder / FILE).read_bytes())
        except (OSError, ValidationError):
            return cls()

    def of(self, key: str, camera: Camera) -> Chosen | None:
        """That of a camera: of its very source, else the newest of one that had its name."""
        named = sorted((c for c in self.choices if c.camera == key), key=lambda c: c.made)
        source = Asked.by(camera).source
        same = [chosen for chosen in named if chosen.asked.source == source]
        return next(reversed(same or named), None)

    def without(self, cameras: Collection[tuple[str, str]]) -> Self:
        """All but those of the cameras, given by key and checksum of the source."""
        kept = tuple(c for c in self.choices if (c.camera, c.asked.source) not in cameras)
        return self.model_copy(update={"choices": kept})

    def having(self, chosen: Iterable[Chosen]) -> Self:
        """These, and the given ones in place of earlier ones of the same cameras."""
        new = tuple(chosen)
        kept = self.without({(c.camera, c.asked.source) for c in new}).choices
        return self.model_copy(update={"choices": (*kept, *new)})

    def write(self, folder: Path) -> None:
        """Keep them, atomically, and remove models that none of them needs any more.

        Raises:
            StoreError: the folder cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor, name = tempfile.mkstemp(prefix=".choices-", dir=folder)
            draft = Path(name)
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    file.write(self.model_dump_json(indent=2))
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(folder / FILE)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise StoreError(
                f"What was chosen cannot be kept in {folder} ({error.strerror}); free some space "
                "there or make it writable."
            ) from error
        needed = {Path(chosen.file).stem for chosen in self.choices if chosen.file}
        for path in folder.glob(f"{INT8}*"):
            if path.stem not in needed:
                with suppress(OSError):
                    path.unlink()


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Nobody else changes a folder's choices or its INT8 models meanwhile: another `vigil optimize`
    would write what it read before, and remove a model that is not chosen yet.

    Raises:
        StoreError: the folder cannot be written.
    """
    with ExitStack() as opened:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            opened.callback(os.close, descriptor)
            # Some network file systems know no locks.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            raise StoreError(
                f"What was chosen cannot be kept in {folder} ({error.strerror}); free some space "
                "there, make it writable, or have it on a disk of this machine."
            ) from error
        yield


def checksum(model: Path) -> str:
    """The SHA-256 of a model's file, and of the weights beside an .xml.

    Raises:
        OSError: it cannot be read.
    """
    found = hashlib.sha256()
    for path in (model, *([model.with_suffix(".bin")] if model.suffix == ".xml" else [])):
        with path.open("rb") as file:
            found.update(hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()


def _difference(then: Host, now: Host) -> str:
    if then.processor != now.processor:
        return f"it was made on another processor ({then.processor})"
    if then.cores != now.cores:
        return f"it was made with {then.cores} processor cores"
    return f"it was made with OpenVINO {then.openvino}"


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() in ("model name", "Hardware", "CPU part"):
                return value.strip()
    return "unknown"


def _installed(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "none"
