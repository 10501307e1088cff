"""What a backend must offer. Each protocol has one to three methods; backends are found by a
plain name -> loader table beside them, or stand in `stubs.py` for tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pipeline.types import (
    Detection,
    EncodedPacket,
    EncodedStream,
    Finding,
    Frame,
    Image,
    Scene,
    Verdict,
    View,
)

JsonObject = Mapping[str, Any]


class Source(Protocol):
    """One opened stream of frames. Opening happens in the constructor's factory and is bounded."""

    live: bool
    """True where frames cannot be had again: the newest matters, older ones may be skipped."""

    def frames(self) -> Iterator[Frame]:
        """Frames in order until the stream ends.

        Raises:
            SourceError: the stream broke; the subclass says how.
        """
        ...

    def close(self) -> None:
        """Release the stream; a `frames` that waits in another thread ends soon after."""
        ...


class PacketSink(Protocol):
    """Takes a camera's packets as they come, before they are decoded."""

    def take(self, stream: EncodedStream, packet: EncodedPacket) -> None:
        """Keep a packet; never waits and never raises. Called from the thread that reads."""
        ...


class Detector(Protocol):
    """Finds objects in frames, asynchronously."""

    @property
    def labels(self) -> Sequence[str]: ...

    @property
    def depth(self) -> int:
        """How many pictures are worth having under way at once, at least 1."""
        ...

    @property
    def cost_s(self) -> float | None:
        """For how many seconds one picture kept one inference stream busy lately."""
        ...

    def submit(self, frame: Frame) -> Future[list[Detection]]:
        """Begin detecting; boxes are in pixels of `frame.size`, highest confidence first."""
        ...

    def close(self) -> None: ...


class Rule(Protocol):
    """Decides from views alone; time comes in with them."""

    def update(self, view: View) -> list[Finding]:
        """The findings that hold in this view."""
        ...

    def state(self) -> JsonObject:
        """What must outlive a restart, as JSON; times as seconds before the last view."""
        ...

    def restore(self, state: JsonObject) -> None:
        """Take over what `state` gave, before the first view."""
        ...


@runtime_checkable
class Remembering(Protocol):
    """A rule, or another part of a camera's analysis, that learns over days what must outlive any
    stop, however long."""

    def memory(self) -> JsonObject:
        """What was learned, as JSON; moments as UTC time stamps."""
        ...

    def recall(self, memory: JsonObject) -> None:
        """Take over what `memory` gave, before the first view."""
        ...


class Describer(Protocol):
    """Answers a scene's question and describes it."""

    name: str
    """What `described_by` shows: backend and model."""

    def describe(self, scene: Scene, *, timeout_s: float) -> Verdict:
        """Answer within `timeout_s`.

        Raises:
            ModelError: no usable answer; the subclass says why.
        """
        ...

    def close(self) -> None: ...


class Media(Protocol):
    """Pictures and clips by key."""

    def put(self, key: str, data: bytes) -> None:
        """Store atomically: a reader sees all of it or none."""
        ...

    def get(self, key: str) -> bytes:
        """Raises: KeyError: there is no such key."""
        ...

    def put_image(self, key: str, image: Image) -> None: ...

    def put_file(self, key: str, file: Path) -> None:
        """Store a finished file, atomically; it is moved where that is possible."""
        ...

    def path(self, key: str) -> Path:
        """A local file that holds what the key holds. Raises: KeyError: there is no such key."""
        ...
