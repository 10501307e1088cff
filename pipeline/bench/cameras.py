"""How many of the pictures that cameras send arrive, while one of them is faulty all the time."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import av
import numpy as np

from pipeline.configfile import validate
from pipeline.errors import VigilError
from pipeline.health import CameraState, CameraStatus
from pipeline.library import Pipeline
from pipeline.simulate import FaultKind, SimulatedCameras, in_thread, load
from pipeline.types import Size

FILM_S = 20
"""The film is so long, and shown over and over."""
READY_S = 120.0
QUIET_S = 3.0
FAULTY = "faulty"


def measure_cameras(
    *, cameras: int, size: Size, rate: int, seconds: float, fault: str | None
) -> dict[str, Any]:
    """Watch `cameras` simulated RTSP cameras of `size` at `rate` pictures a second for `seconds`,
    every picture decoded and five a second detected on, while one of them has `fault` all the
    time (None: nothing is wrong).

    Returns for each camera the pictures that were sent and received meanwhile, and the smallest
    share that a healthy one received; looks a second and latency; the processor time of all
    processes, in cores.

    Raises:
        VigilError: the cameras do not come up.
        ConfigError: there is no such fault.
    """
    names = [f"camera-{number + 1}" for number in range(cameras)]
    if fault is not None:
        names[-1] = FAULTY
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        _make_film(work / "film.mp4", size, rate)
        reel = load(work / "film.mp4", work)
        healthy = {name: reel for name in names if name != FAULTY}
        faulty = {FAULTY: reel} if fault is not None else {}
        with (
            in_thread(SimulatedCameras(healthy, port=0)) as good,
            in_thread(SimulatedCameras(faulty, port=0)) as bad,
        ):
            urls = {**good.urls, **bad.urls}
            config = validate(
                {
                    "data": str(work / "data"),
                    "web": {"enabled": False},
                    "storage": {"free_mb": 1},
                    "cameras": {
                        # The film is short, and seen again before a minute is over.
                        name: {"source": urls[name], "health": {"frozen_after_s": None}}
                        for name in names
                    },
                },
                where="bench",
                folder=work,
            )
            with Pipeline(config) as pipeline:
                _wait_until_live(pipeline, names)
                if fault is not None:
                    bad.fault(FAULTY, fault)
                before = _still(pipeline, good)
                sent_before, cpu, began = good.sent, _cpu_s(), time.monotonic()
                for name in healthy:
                    good.fault(name, None)
                time.sleep(seconds)
                lasted = time.monotonic() - began
                cores = (_cpu_s() - cpu) / lasted
                after = _still(pipeline, good)
                sent = good.sent
    rows = {
        name: _row(
            sent[name].pictures - sent_before[name].pictures, before[name], after[name], lasted
        )
        for name in healthy
    }
    return {
        "cameras": cameras,
        "size": list(size),
        "rate": rate,
        "seconds": round(lasted, 1),
        "fault": fault,
        "received_least": min(row["received_share"] for row in rows.values()),
        "cores": round(cores, 2),
        "healthy": rows,
    }


def _row(sent: int, before: CameraStatus, after: CameraStatus, seconds: float) -> dict[str, Any]:
    received = after.frames - before.frames
    return {
        "sent": sent,
        "received": received,
        "received_share": round(received / sent, 4),
        "looks_per_s": round((after.looks - before.looks) / seconds, 2),
        "latency_ms": after.latency_ms,
        "states_entered": sum(after.changes.values()) - sum(before.changes.values()),
        "dropped": {
            cause: count - before.dropped.get(cause, 0)
            for cause, count in after.dropped.items()
            if count > before.dropped.get(cause, 0)
        },
    }


def _still(pipeline: Pipeline, server: SimulatedCameras) -> Mapping[str, CameraStatus]:
    """How the cameras are when nothing is under way: what was sent has arrived, or never will."""
    for name in server.sent:
        server.fault(name, FaultKind.STALL.value)
    time.sleep(QUIET_S)
    return pipeline.status().cameras


def _make_film(path: Path, size: Size, rate: int) -> None:
    """A noisy film with a bar that moves, a keyframe each second, about 2 Mbit/s."""
    random = np.random.default_rng(1)
    width, height = size
    noise = random.integers(0, 24, (8, height, width, 3), np.uint8)
    with av.open(str(path), "w") as output:
        options = {"preset": "ultrafast", "bf": "0", "tune": "zerolatency"}
        stream = output.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.gop_size, stream.bit_rate = rate, 2_000_000
        for number in range(FILM_S * rate):
            image = noise[number % len(noise)] + np.uint8(90)
            left = (number * 8) % (width - 40)
            image[:, left : left + 40] = 200
            output.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        output.mux(stream.encode(None))


def _wait_until_live(pipeline: Pipeline, names: list[str]) -> None:
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        status = pipeline.status().cameras
        if all(status[name].state is CameraState.LIVE for name in names):
            return
        time.sleep(0.2)
    raise VigilError("The simulated cameras do not come up; is the machine overloaded?")


def _cpu_s() -> float:
    """Processor seconds of this process and of the workers that it has started."""
    ticks = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(entry.name) == os.getpid() or int(fields[1]) == os.getpid():
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
