"""What every opened source offers beyond the protocol `Source`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pipeline.protocols import Source


class OpenedSource(Source, Protocol):
    """An opened source that also tells what it reads."""

    codec: str
    """The codec as FFmpeg calls it, such as h264."""
    rate: float | None
    """Frames per second as the stream claims them; None where it claims nothing."""

    @property
    def dropped(self) -> Mapping[str, int]:
        """Cause -> how many frames or packets were not handed over for it."""
        ...
