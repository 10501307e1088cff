"""RTSP cameras made from films."""

from __future__ import annotations

from pipeline.simulate.accounts import Account
from pipeline.simulate.reel import Progress, Reel, load, names_of
from pipeline.simulate.server import DEFAULT_PORT, SimulatedCameras, serve

__all__ = [
    "DEFAULT_PORT",
    "Account",
    "Progress",
    "Reel",
    "SimulatedCameras",
    "load",
    "names_of",
    "serve",
]
