"""A source whose frames show nothing of what its camera's masks hide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pipeline.masking import Masks
from pipeline.sources.opened import OpenedSource
from pipeline.sources.pictures import MaskedPicture
from pipeline.types import Frame


class MaskedSource:
    """An opened source, as it is but for its frames' pictures."""

    def __init__(self, source: OpenedSource, masks: Masks) -> None:
        self.live, self.codec, self.rate = source.live, source.codec, source.rate
        self.decoder = source.decoder
        self._source, self._masks = source, masks

    @property
    def notes(self) -> Sequence[str]:
        return self._source.notes

    @property
    def dropped(self) -> Mapping[str, int]:
        return self._source.dropped

    def idle(self, idle: bool) -> None:
        """As that of the source."""
        self._source.idle(idle)

    def frames(self) -> Iterator[Frame]:
        """As those of the source."""
        for frame in self._source.frames():
            picture = MaskedPicture(frame.picture, frame.size, self._masks)
            yield replace(frame, picture=picture)

    def close(self) -> None:
        """As that of the source."""
        self._source.close()
