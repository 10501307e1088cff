"""What the page is about: an installation, running or finished."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo

from pipeline.health import Statuses
from pipeline.media import LocalMedia
from pipeline.store import Store


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
