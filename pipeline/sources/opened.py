"""What every opened source offers beyond the protocol `Source`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from pipeline.protocols import Source


class OpenedSource(Source, Protocol):
    """An opened source that also tells what it reads."""

    codec: str
    """The codec as FFmpeg calls it, such as h264."""
    rate: float | None
    """Frames per second as the stream claims them; None where it claims nothing."""
    decoder: str
    """What decodes: FFmpeg's name of a hardware device, or `software`."""

    @property
    def notes(self) -> Sequence[str]:
        """Sentences about what was wanted and could not be had, such as a hardware decoder."""
        ...

    @property
    def dropped(self) -> Mapping[str, int]:
        """Cause -> how many frames or packets were not handed over for it."""
        ...

    def idle(self, idle: bool) -> None:
        """Say, in any thread, whether keyframes are enough for now; a hint, where all is decoded
        anyhow."""
        ...
