"""Recordings through the real stages: what would have fired, when, and why.

`replay` gives the events; `Replay` gives more of each, and every look, for those who write tracks
and films of it.
"""

from __future__ import annotations

from pipeline.replaying.results import Replayed, Seen
from pipeline.replaying.running import Replay, open_film, replay
from pipeline.replaying.settings import chosen_camera, default_config, moment
from pipeline.replaying.written import events_and_files

__all__ = [
    "Replay",
    "Replayed",
    "Seen",
    "chosen_camera",
    "default_config",
    "events_and_files",
    "moment",
    "open_film",
    "replay",
]
