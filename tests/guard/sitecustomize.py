"""Imported by every Python process the tests start; see network_guard."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

import network_guard

network_guard.install()
