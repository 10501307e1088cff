"""How many cameras the machine can watch: what arrives, how soon it is looked at, what it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.bench.busy_film import busy_film
from pipeline.bench.machine import machine
from pipeline.bench.tables import markdown
from pipeline.bench.watching import Setup, watch
from pipeline.simulate import Fault
from pipeline.types import Size

ALONE_S = 20.0
"""One camera is watched for so long at most, to learn what each further one adds in memory."""

_SPREADS: Mapping[str, Callable[[Mapping[str, Any]], float | None]] = {
    "p95_ms": lambda run: run["latency_ms"]["p95"],
    "looks_per_s": lambda run: run["looks_per_s"],
    "cores": lambda run: run["cores"],
    "memory_per_extra_camera_mb": lambda run: run["memory_per_extra_camera_mb"],
    "received_least": lambda run: run["received_least"],
}


def measure_cameras(
    *,
    cameras: int,
    size: Size,
    rate: int,
    seconds: float,
    cache: Path,
    activity: float = 0.2,
    detect_fps: float = 5.0,
    motion_gate: bool = True,
    fault: str | None = None,
    memory: bool = True,
    repeat: int = 1,
) -> dict[str, Any]:
    """Watch `cameras` simulated RTSP cameras of `size` at `rate` pictures a second for `seconds`,
    all pictures decoded, and five a second, or `detect_fps`, detected on while something happens.

    In a share of the time, `activity`, a person walks through a camera's picture; the cameras'
    films are out of step, so that about as many are active at any time. One camera has `fault` all
    the time (None: nothing is wrong). The film is kept in the folder `cache`.

    Returns for each healthy camera the pictures that were sent and received, looks a second, in all
    and while somebody walked, latency from a picture's arrival to its detections, and drops by
    cause; then all of them together, the processor time of all processes, in cores, with what the
    rest of the machine did meanwhile, and the memory of the watch process, with what each camera
    beyond the first adds (`memory` off: not measured).

    The pictures that were received, looked at and dropped are counted from stand-still to
    stand-still; all else after a warm-up. `unaccounted` is how many pictures were neither looked at
    nor counted as dropped, or are still in work where the machine is badly overloaded. Of `repeat`
    runs the one of the median 95th percentile is told, and `spread` has the figures of all.

    Raises:
        VigilError: the cameras do not come up.
        ConfigError: there is no such fault, or no film of that activity.
        FilmError: the film cannot be made.
    """
    if fault is not None:
        Fault.parse(fault)
    setup = Setup(
        film=busy_film(cache, size, rate, activity),
        cameras=cameras,
        size=size,
        rate=rate,
        seconds=seconds,
        detect_fps=detect_fps,
        motion_gate=motion_gate,
        fault=fault,
    )
    settings = {
        "cameras": cameras,
        "size": list(size),
        "rate": rate,
        "activity": activity,
        "detect_fps": detect_fps,
        "motion_gate": motion_gate,
        "fault": fault,
    }
    runs = [_run(setup, memory=memory) for _ in range(repeat)]
    told = sorted(runs, key=lambda run: _size(run["latency_ms"]["p95"]))[(repeat - 1) // 2]
    return settings | told | {"repeat": repeat, "spread": _spread(runs), "machine": machine()}


def _size(figure: float | None) -> float:
    """For sorting. A 95th percentile above all bounds is not known, and the worst."""
    return float("inf") if figure is None else float(figure)


def _run(setup: Setup, *, memory: bool) -> dict[str, Any]:
    alone = None
    if memory and setup.cameras > 1:
        short = min(setup.seconds, ALONE_S)
        alone = watch(replace(setup, cameras=1, fault=None, seconds=short))["memory_mb"]
    found = watch(setup)
    together = found["memory_mb"]
    known = alone is not None and together is not None
    added = (together - alone) / (setup.cameras - 1) if known else None
    return found | {
        "memory_of_one_camera_mb": alone,
        "memory_per_extra_camera_mb": None if added is None else round(added, 1),
    }


def _spread(runs: list[dict[str, Any]]) -> dict[str, Any]:
    spread = {}
    for name, figure in _SPREADS.items():
        each = [figure(run) for run in runs]
        least_first = sorted(each, key=_size)
        spread[name] = {
            "each": each,
            "median": least_first[(len(each) - 1) // 2],
            "min": least_first[0],
            "max": least_first[-1],
        }
    return spread


def table(measured: Mapping[str, Any]) -> str:
    """The cameras as a table in Markdown, and a line on what they take."""
    heads = ("camera", "received", "looks/s", "active", "p50", "p95", "max", "dropped")
    rows = []
    for name, row in [*measured["healthy"].items(), ("all", measured)]:
        latency = row["latency_ms"]
        cells = (
            name,
            f"{row['received']} of {row['sent']}",
            _figure(row["looks_per_s"]),
            _figure(row["looks_per_s_active"]),
            *(_figure(latency[key], " ms") for key in ("p50", "p95", "max")),
            ", ".join(f"{count} {cause}" for cause, count in row["dropped"].items()),
        )
        rows.append(cells)
    of = ", ".join(f"{name} {cores:.2f}" for name, cores in measured["cores_of"].items())
    taken = f"{measured['cores']:.2f} cores ({of}; elsewhere {measured['cores_elsewhere']:.2f})"
    taken += f"; {_figure(measured['memory_mb'])} MB"
    if measured["memory_per_extra_camera_mb"] is not None:
        taken += f", {_figure(measured['memory_per_extra_camera_mb'])} MB for each further camera"
    return f"{markdown(heads, rows)}\n{taken}.\n"


def _figure(value: float | None, unit: str = "") -> str:
    return "" if value is None else f"{value:g}{unit}"
