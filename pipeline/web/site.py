"""What the page is about: an installation, running or finished."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

from pipeline.health import CameraStatus, Statuses
from pipeline.media import LocalMedia
from pipeline.store import Store

STALE_S = 10.0
"""Statuses that are older say nothing any more."""


@dataclass(frozen=True)
class Site:
    """Where the page reads. `cameras` maps keys to names, `statuses` tells how they are, or None
    where nothing runs; times are shown in `tz` (None: this machine's own)."""

    name: str
    store: Store
    media: LocalMedia
    tz: tzinfo | None
    cameras: Mapping[str, str]
    statuses: Callable[[], Statuses | None]

    def status(self, camera: str, now: datetime) -> CameraStatus | None:
        """How a camera is; None where that is not known, or was known long ago."""
        statuses = self.fresh(now)
        return None if statuses is None else statuses.cameras.get(camera)

    def fresh(self, now: datetime) -> Statuses | None:
        """The statuses, unless they say nothing any more."""
        statuses = self.statuses()
        if statuses is None or (now - statuses.at).total_seconds() > STALE_S:
            return None
        return statuses
