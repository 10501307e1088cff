"""Sources: where frames come from.

`open_source` opens one stream once; `Reconnecting` keeps a camera open for as long as it is
wanted; `probe` and `check` look at a camera once and tell what is there; `measure` reads
it for some seconds and tells how good it is.
"""

from __future__ import annotations

from pipeline.redact import shown
from pipeline.sources.address import Kind, is_film
from pipeline.sources.frozen import FrozenPictures
from pipeline.sources.measurement import Measurement
from pipeline.sources.measuring import measure
from pipeline.sources.opened import OpenedSource
from pipeline.sources.opening import open_source
from pipeline.sources.options import SourceOptions
from pipeline.sources.probing import CameraCheck, Probe, check, probe
from pipeline.sources.reconnect import Backoff, Reconnecting
from pipeline.sources.timing import Clock

__all__ = [
    "Backoff",
    "CameraCheck",
    "Clock",
    "FrozenPictures",
    "Kind",
    "Measurement",
    "OpenedSource",
    "Probe",
    "Reconnecting",
    "SourceOptions",
    "check",
    "is_film",
    "measure",
    "open_source",
    "probe",
    "shown",
]
