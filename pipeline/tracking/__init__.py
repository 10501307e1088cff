"""Joining detections over time: who is who from look to look, how they move, how long they stay."""

from pipeline.tracking.life import PATH_POINTS
from pipeline.tracking.settled import Settled
from pipeline.tracking.tracker import LOST_AFTER_S, Tracking

__all__ = ["LOST_AFTER_S", "PATH_POINTS", "Settled", "Tracking"]
