"""Imported by every Python process the tests start; see network_guard and native_faults."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

import native_faults
import network_guard

network_guard.install()
native_faults.install()
