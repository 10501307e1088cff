"""Vigil watches cameras and tells people what matters.

The distribution and the command are called `vigil`; the package is `pipeline`. The names below
are the whole public interface; they are imported when first used, so that `import pipeline`
costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.configfile import read_config
    from pipeline.errors import (
        BusError,
        ConfigError,
        ModelError,
        SourceError,
        StoreError,
        VigilError,
        WeightsError,
        WorkerError,
    )
    from pipeline.library import Pipeline, Status
    from pipeline.replaying import replay
    from pipeline.types import Event, EventType, Severity, State
    from pipeline.workers.inline import watch

_HOMES = {
    "BusError": "errors",
    "Config": "config",
    "ConfigError": "errors",
    "Event": "types",
    "EventType": "types",
    "ModelError": "errors",
    "Pipeline": "library",
    "Severity": "types",
    "SourceError": "errors",
    "State": "types",
    "Status": "library",
    "StoreError": "errors",
    "VigilError": "errors",
    "WeightsError": "errors",
    "WorkerError": "errors",
    "read_config": "configfile",
    "replay": "replaying",
    "watch": "workers.inline",
}

__all__ = [
    "BusError",
    "Config",
    "ConfigError",
    "Event",
    "EventType",
    "ModelError",
    "Pipeline",
    "Severity",
    "SourceError",
    "State",
    "Status",
    "StoreError",
    "VigilError",
    "WeightsError",
    "WorkerError",
    "read_config",
    "replay",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pipeline' has no attribute {name!r}")
    return getattr(importlib.import_module(f"pipeline.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
