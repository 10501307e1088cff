"""What many reconnections leave behind: threads, open files, memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from itertools import cycle
from pathlib import Path
from typing import Any

from pipeline.clips.segments import SegmentWriter
from pipeline.errors import VigilError
from pipeline.health import CameraState
from pipeline.simulate import FaultKind, SimulatedCameras, in_thread, load
from pipeline.simulate.made import make_film
from pipeline.sources import Reconnecting, SourceOptions

CAMERA = "camera"
PICTURES = 5
"""So many of each connection are read and converted."""
WARM = 50
"""After so many connections everything has been used that is going to be."""
FAULTS = (FaultKind.RST, FaultKind.FIN, FaultKind.GARBAGE)


def measure_reconnects(times: int) -> dict[str, Any]:
    """Read a simulated camera in a process of its own, which keeps its video too, and break the
    connection in one way after the other, `times` times.

    Returns threads and open files at the first and at the last connection, and the megabytes of
    memory (resident) at the 50th and the last, with their ratio.

    Raises:
        VigilError: the reading process ended.
    """
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        make_film(work / "film.mp4")
        server = SimulatedCameras({CAMERA: load(work / "film.mp4", work)}, port=0)
        with in_thread(server):
            seen = _follow(server, work, times)
    first, warm, last = seen[0], seen[min(WARM, len(seen) - 1)], seen[-1]
    return {
        "reconnects": len(seen) - 1,
        "threads": {"first": first["threads"], "last": last["threads"]},
        "descriptors": {"first": first["descriptors"], "last": last["descriptors"]},
        "memory_mb": {f"at_{WARM}": warm["memory_mb"], "last": last["memory_mb"]},
        "memory_ratio": round(last["memory_mb"] / warm["memory_mb"], 3),
    }


def _follow(server: SimulatedCameras, work: Path, times: int) -> list[dict[str, float]]:
    """What the reading process holds at each of its connections."""
    seen: list[dict[str, float]] = []
    faults = cycle(FAULTS)
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "pipeline.bench.reconnects", server.urls[CAMERA], str(work)],
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        try:
            for line in reader.stdout:
                told = json.loads(line)
                if told is None:
                    server.fault(CAMERA, None)
                    continue
                seen.append(told)
                if len(seen) > times:
                    return seen
                server.fault(CAMERA, next(faults).value)
        finally:
            reader.kill()
    raise VigilError(f"The reading process ended after {len(seen)} connections.")


def _read(address: str, folder: Path) -> None:
    """Say at each connection what this process holds, and null when it has broken."""
    writer = SegmentWriter(folder / "video")
    writer.start()
    pictures = 0

    def on_state(state: CameraState, message: str | None) -> None:
        nonlocal pictures
        if state is not CameraState.LIVE:
            pictures = 0
            _say(None)

    camera = Reconnecting(
        CAMERA,
        address,
        stop=threading.Event(),
        on_state=on_state,
        packets=writer,
        options=SourceOptions(open_timeout_s=5, read_timeout_s=5),
        wait=lambda seconds: None,
    )
    for frame in camera.frames():
        frame.image((320, 240))
        pictures += 1
        if pictures == PICTURES:
            _say(_held())


def _held() -> dict[str, float]:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "threads": sum(1 for _ in Path("/proc/self/task").iterdir()),
        "descriptors": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        "memory_mb": round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1),
    }


def _say(what: dict[str, float] | None) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _read(sys.argv[1], Path(sys.argv[2]))
