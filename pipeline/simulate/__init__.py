"""RTSP cameras made from films, with every fault that cameras have."""

from __future__ import annotations

from pipeline.simulate.accounts import Account, Auth
from pipeline.simulate.camera import Sent
from pipeline.simulate.faults import Fault, FaultKind, FaultPlan, plans
from pipeline.simulate.reel import Progress, Reel, copies, load, names_of
from pipeline.simulate.server import DEFAULT_PORT, SimulatedCameras
from pipeline.simulate.serving import in_thread, run, serve

__all__ = [
    "DEFAULT_PORT",
    "Account",
    "Auth",
    "Fault",
    "FaultKind",
    "FaultPlan",
    "Progress",
    "Reel",
    "Sent",
    "SimulatedCameras",
    "copies",
    "in_thread",
    "load",
    "names_of",
    "plans",
    "run",
    "serve",
]
