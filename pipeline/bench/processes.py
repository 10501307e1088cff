"""What processes take: processor time and memory, as Linux counts them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_PROC = Path("/proc")


def cpu_seconds() -> dict[int, float]:
    """Process id -> seconds of processor time so far: of this process and of all that it, and what
    it has started, has started."""
    ticks: dict[int, int] = {}
    parents: dict[int, int] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            parents[int(entry.name)] = int(fields[1])
            ticks[int(entry.name)] = int(fields[11]) + int(fields[12])
    per_second = os.sysconf("SC_CLK_TCK")
    me = os.getpid()
    return {pid: ticks[pid] / per_second for pid in ticks if _descends(pid, me, parents)}


def busy_seconds() -> float:
    """Seconds of processor time so far of all that runs on this machine, and of what its host takes
    from it."""
    user, nice, system, _, _, *interrupts = map(int, _first_line("stat").split()[1:9])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def _first_line(name: str) -> str:
    with (_PROC / name).open() as file:
        return file.readline()


def _descends(pid: int, ancestor: int, parents: dict[int, int]) -> bool:
    while pid != ancestor:
        if pid not in parents:
            return False
        pid = parents[pid]
    return True


def memory_mb(pids: Iterable[int]) -> float | None:
    """The memory of processes in MB (PSS: what they share with others counts in part); None where
    the system does not tell, or one of them has ended."""
    kilobytes = 0
    for pid in pids:
        try:
            told = (_PROC / str(pid) / "smaps_rollup").read_text()
        except OSError:
            return None
        kilobytes += sum(int(line.split()[1]) for line in told.splitlines() if line[:4] == "Pss:")
    return round(kilobytes * 1024 / 1e6, 1)
